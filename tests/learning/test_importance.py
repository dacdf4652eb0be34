"""Worth of a feature: what the order of the symbols loses when its values are shuffled."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from pipeline.learning.contributions import contributions
from pipeline.learning.dataset import Dataset
from pipeline.learning.drivers import OTHER, Importance, drivers
from pipeline.learning.importance import permutation_importance
from pipeline.learning.models import assemble
from pipeline.schemas import ROW

SESSIONS, SYMBOLS = 40, 30
NUMBERS = ["real", "noise", "market"]


@pytest.fixture(scope="module")
def rows() -> Dataset:
    """A return that is the sum of a symbol's own feature and of one that all symbols share."""
    days = pd.bdate_range("2020-01-01", periods=SESSIONS)
    index = pd.MultiIndex.from_product([days, [f"S{n:02}" for n in range(SYMBOLS)]], names=ROW)
    draw = np.random.default_rng(3)
    features = pd.DataFrame(draw.normal(size=(len(index), 3)), index, NUMBERS, dtype="float32")
    features["market"] = np.repeat(10.0 * features["market"].to_numpy()[:SESSIONS], SYMBOLS)
    features["sector"] = np.tile(["Energy", "Utilities"], len(index) // 2)
    returns = 0.01 * features["real"] + 0.01 * features["market"]
    return Dataset(features, returns.astype("float64"))


def model(rows, learner):
    return assemble(
        {"only": learner}, {"only": 1.0}, numeric=NUMBERS, categorical=["sector"]
    ).fit(rows.features, rows.returns)  # fmt: skip


@pytest.fixture(scope="module")
def found(rows: Dataset) -> dict[str, Importance]:
    measured = permutation_importance(model(rows, LinearRegression()), rows, seed=1)
    return {one.feature: one for one in measured}


def test_what_orders_the_symbols_alone_loses_the_whole_rank_ic(found):
    """Of a perfect order nothing is left: shuffled ranks correlate by 1 / sqrt(29) a session."""
    error = 1.0 / math.sqrt(SYMBOLS - 1) / math.sqrt(SESSIONS)
    assert found["real"].rank_ic_lost == pytest.approx(1.0, abs=3.0 * error)
    assert found["real"].t > 10.0
    assert next(iter(found)) == "real"


def test_noise_and_what_all_symbols_of_a_session_share_lose_nothing(found):
    assert set(found) == {*NUMBERS, "sector"}
    for name in ("noise", "market", "sector"):
        assert found[name].rank_ic_lost == pytest.approx(0.0, abs=1e-12)


def test_the_seed_draws_the_shuffle(rows, found):
    fitted = model(rows, LinearRegression())
    again, other = (permutation_importance(fitted, rows, seed=seed)[0] for seed in (1, 2))
    assert again.rank_ic_lost == found["real"].rank_ic_lost != other.rank_ic_lost


def test_only_the_named_features_are_measured_and_the_others_stay_as_they_are(rows, found):
    fitted = model(rows, LinearRegression())
    two = permutation_importance(fitted, rows, seed=1, features={"real", "market"})
    assert {one.feature: one for one in two} == {name: found[name] for name in ("real", "market")}


def test_a_forecast_that_does_not_vary_has_no_order_to_lose(rows):
    assert permutation_importance(model(rows, DummyRegressor()), rows, seed=1) == []


def test_drivers_come_by_size_then_by_worth(rows, found):
    parts = contributions(model(rows, LinearRegression()), rows.features)
    listed = drivers(parts, list(found.values()))
    assert [one.feature for one in listed[:2]] == ["market", "real"]
    assert listed[1].rank_ic_lost == found["real"].rank_ic_lost
    assert sum(one.share for one in listed) == pytest.approx(1.0)
    nothing = parts * 0.0
    assert drivers(nothing, list(found.values()))[0].feature == "real"
    assert math.isnan({one.feature: one for one in listed}[OTHER].rank_ic_lost)
