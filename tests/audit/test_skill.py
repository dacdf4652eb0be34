"""Skill that cannot be: found where it is planted, excluded where the data are enough for that."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.audit.single import Bounds, single_features, skill
from pipeline.audit.skill import (
    AuditedRecipe,
    permuted_labels,
    reversed_time,
    shifted_labels,
    shuffled_symbols,
)
from pipeline.learning.dataset import Dataset, join
from pipeline.learning.windows import Step
from pipeline.schemas import SYMBOL
from tests.learning.conftest import rows_of

BOUNDS = Bounds(ic=0.1, t=8.0)
SYMBOLS = 60


def world(sessions: int = 150, seed: int = 0, edge: float = 0.0, known: float = 0.0) -> Dataset:
    """Noise, the label of the session before, and a column with some of the label's own.

    Parameters
    ----------
    edge
        Correlation of the label with the feature ``signal``.
    known
        Share of the label itself in the feature ``leak``.
    """
    random = np.random.default_rng(seed)
    index = rows_of(sessions, SYMBOLS)
    signal, noise, other, rest = random.normal(size=(4, len(index)))
    label = pd.Series(edge * signal + np.sqrt(1 - edge**2) * noise, index)
    snapshots = pd.DataFrame(
        {
            "signal": signal,
            "noise": other,
            "before": label.unstack(SYMBOL).shift().stack(future_stack=True).reindex(index),
            "leak": known * label + np.sqrt(1 - known**2) * rest,
        },
        index,
    )
    return join(snapshots, pd.DataFrame({"intraday_return": 0.02 * label}))


def linear(train: Dataset, test: Dataset) -> pd.Series:
    """Least squares."""
    inputs, wanted = (part.features.fillna(0.0).to_numpy(np.float64) for part in (train, test))
    slopes = np.linalg.lstsq(inputs, train.returns.to_numpy(), rcond=None)[0]
    return pd.Series(wanted @ slopes, test.features.index)


def peeking(train: Dataset, test: Dataset) -> pd.Series:
    """The mean of an honest forecast and of the truth."""
    return linear(train, test) + 0.2 * test.returns


def constant(train: Dataset, test: Dataset) -> pd.Series:
    return pd.Series(0.0, test.features.index)


def recipe(dataset: Dataset, forecast=linear) -> AuditedRecipe:
    sessions = dataset.sessions
    half = len(sessions) // 2
    return AuditedRecipe(
        forecast, dataset, Step(sessions[:half], sessions[half + 1 :]), BOUNDS, seed=1
    )


def test_skill_is_the_mean_ic_and_its_t_and_missing_ones_do_not_count():
    # 1.3 sqrt(4) = 3 values wide; deviations ±0.1: variance 0.01, covariances -0.0075 and 0.005
    # with weights 2/3 and 1/3, twice: 1/300, so that t = 0.3 / sqrt(1/1200) = 10.392, times
    # 1.96 over the critical value of 3/4: 1.96 + 2.22705 + 0.234 - 0.22461 = 4.19644
    result = skill(pd.Series([0.2, 0.4, np.nan, 0.2, 0.4]), Bounds(0.1, 4.0))

    assert (result.mean, result.sessions) == (pytest.approx(0.3), 4)
    assert result.t == pytest.approx(0.3 * 1200**0.5 * 1.96 / 4.19644, rel=1e-4)
    assert result.too_good
    assert not result.modest


def test_a_perfect_forecast_has_no_variance_and_is_too_good_all_the_same():
    result = skill(pd.Series([1.0] * 5), BOUNDS)

    assert result.t == np.inf
    assert result.too_good


@pytest.mark.parametrize(("size", "modest"), [(0.01, True), (0.9, False)])
def test_a_mean_of_exactly_nothing_as_of_two_symbols_is_measured_like_any_other(size, modest):
    result = skill(pd.Series([size, -size] * 4), BOUNDS)

    assert (result.mean, result.t, result.modest) == (0.0, 0.0, modest)


def test_where_nothing_varies_the_words_are_no_number():
    assert str(skill(pd.Series([np.nan] * 5), BOUNDS)) == "undefined, all equal in every session"
    assert str(skill(pd.Series([0.5]), BOUNDS)) == "+0.500 (t undefined, 1 sessions)"


def test_a_negative_mean_is_too_good_only_where_the_sign_does_not_matter():
    ics = pd.Series([-0.2, -0.4] * 10)

    assert not skill(ics, BOUNDS).too_good
    assert skill(ics, BOUNDS, either_sign=True).too_good


def test_an_honest_recipe_passes_every_check_also_with_a_real_edge():
    audited = recipe(world(sessions=400, edge=0.05))

    for result in (
        permuted_labels(audited, repetitions=3),
        shifted_labels(audited),
        reversed_time(audited, gap_sessions=1),
        shuffled_symbols(audited),
    ):
        assert (result.leaks, result.sufficient) == (0, True), result.summary


def test_a_forecast_that_saw_the_truth_keeps_its_skill_with_permuted_labels():
    result = permuted_labels(recipe(world(), peeking), repetitions=2)

    assert result.leaks == 1
    assert result.listed.iloc[0]["column"] == "forecast"
    assert result.metrics["ic"] > 5 * result.metrics["band"]


def test_the_null_band_is_four_standard_deviations_of_the_mean():
    audited = recipe(world(sessions=40))
    results = [
        permuted_labels(
            AuditedRecipe(linear, audited.dataset, audited.windows, BOUNDS, seed), 1
        ).metrics
        for seed in range(120)
    ]
    deviations = np.array([4 * result["ic"] / result["band"] for result in results])

    assert deviations.std() == pytest.approx(1.0, abs=0.2)
    assert abs(deviations.mean()) < 3 / np.sqrt(120)


def test_a_feature_that_knows_the_label_of_t_is_an_edge_at_t():
    leaking, honest = world(known=0.4), world(edge=0.05)

    result = shifted_labels(recipe(leaking))

    assert result.leaks == 1
    assert result.metrics["ic"] > 0.2
    assert shifted_labels(recipe(honest)).leaks == 0


def test_without_a_feature_that_knows_the_label_of_before_shifting_shows_nothing():
    dataset = world()
    blind = Dataset(dataset.features.drop(columns="before"), dataset.returns)

    result = shifted_labels(recipe(blind))

    assert (result.leaks, result.sufficient) == (0, False)


def test_skill_in_both_directions_of_time_is_a_leak():
    result = reversed_time(recipe(world(known=0.4)), gap_sessions=1)

    assert result.leaks == 1
    assert result.metrics["honest_ic"] > 0.2
    assert result.metrics["ic"] > 0.2


def test_skill_from_later_sessions_alone_is_a_leak():
    def remembered(train: Dataset, test: Dataset) -> pd.Series:
        later = train.sessions[0] > test.sessions[-1]
        return (peeking if later else linear)(train, test)

    result = reversed_time(recipe(world(), remembered), gap_sessions=1)

    assert result.leaks == 1
    assert result.metrics["paired_t"] < -4


def test_skill_with_the_features_of_other_symbols_is_a_leak():
    assert shuffled_symbols(recipe(world(), peeking)).leaks == 1
    assert shuffled_symbols(recipe(world(known=0.9))).leaks == 0


def test_every_feature_that_is_too_good_is_named_with_its_ic_and_the_bound():
    result = single_features(world(known=0.3), BOUNDS)

    assert result.listed["column"].tolist() == ["leak"]
    assert result.listed.iloc[0]["stored"].startswith("IC +0.2")
    assert result.listed.iloc[0]["recomputed"] == "mean at most 0.1, or t at most 8"


def test_a_column_equal_for_all_symbols_is_compared_over_time():
    dataset = world()
    moves = pd.Series(np.random.default_rng(5).normal(0, 0.01, 150), dataset.sessions)
    of_row = dataset.row_sessions
    returns = dataset.returns + moves.reindex(of_row).to_numpy()
    features = dataset.features.assign(
        market_of_t=moves.reindex(of_row).to_numpy(), market_before=moves.shift()[of_row].to_numpy()
    )

    result = single_features(Dataset(features, returns), BOUNDS)

    assert result.listed["column"].tolist() == ["market_of_t"]


@pytest.mark.parametrize(
    "check",
    [
        lambda audited: permuted_labels(audited, 2),
        shifted_labels,
        lambda audited: reversed_time(audited, gap_sessions=1),
        shuffled_symbols,
    ],
)
def test_a_forecast_that_never_varies_is_not_enough_evidence(check):
    result = check(recipe(world(sessions=60), constant))

    assert (result.leaks, result.sufficient) == (0, False)


def test_a_few_sessions_cannot_clear_a_feature():
    result = single_features(world(sessions=6), BOUNDS)

    assert not result.sufficient
    assert "too few sessions to clear" in result.summary
