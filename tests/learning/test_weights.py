from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.learning.weights import (
    SPREAD,
    calibrated,
    calibration_slope,
    design_effect,
    equal,
    stacked,
)
from tests.learning.rows import by_session


def alone(forecast: pd.Series) -> pd.DataFrame:
    return forecast.to_frame("own")


def one_a_session(values: np.ndarray) -> pd.Series:
    """Rows that tell nothing of each other."""
    return by_session(*values.reshape(-1, 1).tolist())


@pytest.mark.parametrize(
    ("returns", "forecast", "slope"),
    [
        ([0.01, 0.01], [0.02, 0.02], 0.5),
        ([0.03, 0.03], [0.01, 0.01], 1.0),  # 3, clipped
        ([-0.01, 0.0], [0.02, 0.02], 0.0),  # negative, clipped
        ([0.01, 0.02], [0.0, 0.0], 0.0),
        ([0.01, 0.02], [np.nan, np.nan], 0.0),
    ],
)
def test_the_slope_is_a_regression_through_the_origin_clipped(returns, forecast, slope):
    assert calibration_slope(pd.Series(returns), pd.Series(forecast)) == pytest.approx(slope)


def test_a_forecast_without_skill_keeps_the_least():
    returns, forecast = pd.Series([-0.01, 0.02]), pd.Series([0.02, -0.02])

    assert calibration_slope(returns, forecast, min_slope=0.02) == 0.02
    assert calibration_slope(-returns, forecast, min_slope=0.02) == pytest.approx(0.75)


def test_equal_shares_sum_to_the_slope_of_the_mean():
    returns = by_session([0.01, -0.01])
    members = pd.DataFrame({"a": [0.03, -0.03], "b": [0.01, -0.01]}, returns.index)

    assert equal(returns, members) == {"a": pytest.approx(0.25), "b": pytest.approx(0.25)}
    assert equal(returns, members, min_sum=1.0) == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize(("slope", "least"), [(0.4, 0.0), (0.01, 0.02), (-3.0, 0.1), (1.0, 0.0)])
@pytest.mark.parametrize("weigh", [equal, stacked])
def test_a_learner_alone_weighs_its_slope_within_bounds(weigh, slope, least):
    forecast = one_a_session(np.random.default_rng(0).normal(size=100))

    weights = weigh(slope * forecast, alone(forecast), least)

    assert weights == {"own": pytest.approx(max(slope, least))}


def test_a_slope_above_1_is_believed_as_far_as_the_evidence_goes():
    forecast = one_a_session(np.array([1.0, -1.0] * 50))
    noise = one_a_session(np.array([20.0, 20.0, -20.0, -20.0] * 25))
    returns = 3.0 * forecast + noise

    weight = stacked(returns, alone(forecast))["own"]

    belief = returns.var() / SPREAD**2  # of as many squares of the forecast
    assert weight == pytest.approx((300.0 + belief) / (100.0 + belief))
    assert 1.0 < weight < 1.4


def learners_that_know(*strengths: float, noise: float, rows: int = 4000) -> tuple:
    random = np.random.default_rng(4)
    known = random.normal(size=(rows, len(strengths)))
    returns = one_a_session(known @ np.array(strengths) + noise * random.normal(size=rows))
    return returns, pd.DataFrame(known, returns.index).rename(columns=str)


def test_much_evidence_finds_the_learner_that_knows_and_drops_the_one_that_errs():
    returns, members = learners_that_know(0.8, 0.0, -0.5, noise=1.0)

    knows, idle, errs = stacked(returns, members).values()

    assert knows == pytest.approx(0.8, abs=0.05)
    assert idle < 0.05
    assert errs == 0.0


def test_little_evidence_leaves_equal_weights():
    returns, members = learners_that_know(0.0, 0.0, 0.0, noise=1000.0, rows=300)

    weights = list(stacked(returns, members, min_sum=0.3).values())

    np.testing.assert_allclose(weights, np.mean(weights), rtol=0, atol=0.05)
    assert sum(weights) >= 0.3 - 1e-12


@pytest.mark.parametrize("copies", [1, 2, 5])
def test_symbols_that_move_as_one_tell_as_much_as_one(copies):
    returns, members = learners_that_know(0.5, 0.2, noise=3.0, rows=200)
    sessions = returns.index.get_level_values("session")
    rows = pd.MultiIndex.from_product([sessions, range(copies)], names=returns.index.names)

    once = stacked(returns, members)
    often = stacked(
        pd.Series(np.repeat(returns.to_numpy(), copies), rows),
        pd.DataFrame(np.repeat(members.to_numpy(), copies, axis=0), rows, members.columns),
    )

    assert once["0"] > once["1"] + 0.01
    assert often == pytest.approx(once, rel=1e-2)


def test_rows_that_offset_each_other_in_a_session_tell_no_more_than_independent_ones():
    assert design_effect(by_session([1.0, -1.0], [2.0, -2.0])) == 1.0
    assert design_effect(by_session([0.0, 0.0])) == 1.0


@given(
    st.lists(st.floats(-2, 2), min_size=1, max_size=4),
    st.floats(0, 1),
    st.floats(1e-3, 1e3),
    st.integers(0, 99),
)
@settings(max_examples=50, deadline=None)
def test_weights_are_never_negative_and_know_no_unit(strengths, least, unit, seed):
    random = np.random.default_rng(seed)
    known = random.normal(size=(60, len(strengths)))
    values = known @ np.array(strengths) + random.normal(size=60)
    returns = by_session(*values.reshape(20, 3).tolist())
    members = pd.DataFrame(known, returns.index).rename(columns=str)

    weights = stacked(returns, members, least)
    scaled = stacked(unit * returns, unit * members, least)

    assert min(weights.values()) >= 0
    assert sum(weights.values()) >= least - 1e-12
    assert scaled == pytest.approx(weights, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("weigh", [equal, stacked])
def test_learners_without_a_forecast_share_the_least(weigh):
    returns = by_session([0.01, -0.02, 0.03])

    assert weigh(returns, pd.DataFrame(0.0, returns.index, ["a", "b"]), 0.5) == {
        "a": pytest.approx(0.25),
        "b": pytest.approx(0.25),
    }


def test_a_fold_is_weighted_by_the_others():
    forecast = by_session([0.02, 0.02], [0.02, 0.02])
    returns = by_session([0.01, 0.01], [0.005, 0.005])

    shrunk = calibrated(returns, alone(forecast), np.array([0, 0, 1, 1]))

    assert list(shrunk) == pytest.approx([0.005, 0.005, 0.01, 0.01])
