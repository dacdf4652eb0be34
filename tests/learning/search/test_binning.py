"""What trials share changes no bit of what each of them would have found alone."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm
import numpy as np
import pytest

from pipeline.learning.learner import Learner
from pipeline.learning.search.binning import MAX_RECENT, Bins, can_share
from pipeline.learning.search.reuse import Reused
from tests.learning import made

ROWS = 600
FIXED: Mapping[str, Any] = {
    "n_jobs": 1, "verbosity": -1, "deterministic": True, "force_row_wise": True, "max_bin": 63,
    "subsample_freq": 1,
}  # fmt: skip
BOOSTED = made.learner("lightgbm.LGBMRegressor", "boosted", fixed=FIXED)
RIDGE = made.learner(name="ridge", scale=True)

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Ranks, a sparse column, one-hot columns of rare and frequent groups, a constant."""
    random = np.random.default_rng(3)
    ranks = random.random((ROWS, 8)) - 0.5
    sparse = np.where(random.random((ROWS, 2)) < 0.9, 0.0, random.normal(size=(ROWS, 2)))
    group = random.choice(5, ROWS, p=[0.5, 0.25, 0.15, 0.07, 0.03])
    constant = np.ones((ROWS, 1))
    x = np.hstack([ranks, sparse, group[:, None] == np.arange(5), constant]).astype("float32")
    y = 0.5 * x[:, 0] + 0.3 * x[:, 9] + 0.2 * x[:, 10] + random.normal(size=ROWS)
    return x[:500], y[:500], x[500:]


def drawn(seed: int) -> dict[str, Any]:
    """Parameters as a search proposes them; some leave out columns that others split."""
    random = np.random.default_rng(seed)
    return {
        "n_estimators": int(random.integers(3, 12)),
        "num_leaves": int(random.integers(3, 12)),
        "min_child_samples": int(np.exp(random.uniform(np.log(5), np.log(300)))),
        "colsample_bytree": float(random.uniform(0.2, 0.9)),
        "subsample": float(random.uniform(0.3, 1.0)),
        "reg_lambda": float(random.uniform(0.1, 100.0)),
    }


def alone(learner: Learner, params: Mapping[str, Any], rows: Rows) -> np.ndarray:
    x, y, inputs = rows
    return np.asarray(learner.unfitted(params, seed=7).fit(x, y).predict(inputs))


def shared(reused: Reused, learner: Learner, params: Mapping[str, Any], rows: Rows) -> np.ndarray:
    found = reused.forecasts(learner.unfitted(params, seed=7), *rows)
    assert found is not None
    return found


def test_boosted_trees_on_shared_bins_forecast_the_same_bits(rows: Rows) -> None:
    reused = Reused()
    for seed in range(40):
        params = drawn(seed)
        np.testing.assert_array_equal(
            shared(reused, BOOSTED, params, rows), alone(BOOSTED, params, rows), str(params)
        )


@pytest.mark.parametrize(
    "extra", [{"min_data_in_bin": 40}, {"monotone_constraints": [-1] + [0] * 15}]
)
def test_other_parameters_have_bins_of_their_own(rows: Rows, extra: dict[str, Any]) -> None:
    reused = Reused()
    for params in ({}, extra, {}, extra):
        params = drawn(1) | params
        np.testing.assert_array_equal(
            shared(reused, BOOSTED, params, rows), alone(BOOSTED, params, rows)
        )


def test_rows_are_binned_by_few_of_the_trials(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    binned: list[int] = []

    class Counted(lightgbm.Dataset):  # type: ignore[misc]
        def construct(self) -> lightgbm.Dataset:
            if self._handle is None and self.data.shape[1] == rows[0].shape[1]:
                binned.append(1)
            return super().construct()

    monkeypatch.setattr(lightgbm, "Dataset", Counted)
    bins = Bins(*rows[:2])
    for seed in range(40):
        least = {"min_child_samples": int(np.random.default_rng(seed).integers(15, 30))}
        bins.forecasts(BOOSTED.unfitted(least, seed=7), rows[2])
    assert 1 <= len(binned) <= 8
    assert len(bins._recent) <= MAX_RECENT


def test_few_copies_are_kept_however_many_kinds_there_are(rows: Rows) -> None:
    bins = Bins(*rows[:2])
    for most in range(5, 30):
        bins.forecasts(BOOSTED.unfitted({"min_data_in_bin": most, "n_estimators": 1}), rows[2])
    assert len(bins._recent) == MAX_RECENT


def test_threads_share_bins_and_get_the_same_bits(rows: Rows) -> None:
    reused, asked = Reused(), [drawn(seed) for seed in range(16)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda params: shared(reused, BOOSTED, params, rows), asked))
    for params, forecasts in zip(asked, found, strict=True):
        np.testing.assert_array_equal(forecasts, alone(BOOSTED, params, rows))


@pytest.mark.parametrize("copies", [True, False])
def test_ridge_on_shared_standardised_inputs_forecasts_the_same_bits(
    rows: Rows, copies: bool
) -> None:
    """Also one that may work in the arrays it is given."""
    learner, reused = made.learner(name="ridge", scale=True, fixed={"copy_X": copies}), Reused()
    for alpha in (1.0, 100.0, 10.0, 1.0):
        np.testing.assert_array_equal(
            shared(reused, learner, {"alpha": alpha}, rows), alone(learner, {"alpha": alpha}, rows)
        )


def test_a_learner_that_shares_nothing_is_left_to_itself(rows: Rows) -> None:
    plain = made.learner(made.TREES, "trees").unfitted({"n_estimators": 2})
    assert Reused().forecasts(plain, *rows) is None
    many_threads = BOOSTED.unfitted().set_params(n_jobs=2)
    assert not can_share(many_threads)
    assert not can_share(BOOSTED.unfitted({"objective": "l1"}))


def test_it_travels_empty(rows: Rows) -> None:
    reused = Reused()
    shared(reused, RIDGE, {"alpha": 1.0}, rows)
    assert len(pickle.dumps(reused)) < 100
