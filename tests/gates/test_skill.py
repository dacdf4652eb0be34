"""Skill is what the universe did not earn, and what knows when."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.gates.skill import beyond_members, members_return, timing_ic
from pipeline.learning.metrics import rank_ic
from pipeline.stats.inference import newey_west_t
from tests.learning.rows import by_session


def panel(values: np.ndarray) -> pd.Series:
    days = pd.bdate_range("2020-01-01", periods=len(values), name="session")
    names = pd.Index([f"S{n:02d}" for n in range(values.shape[1])], name="symbol")
    return pd.Series(pd.DataFrame(values, days, names).stack())


def series(values: np.ndarray) -> pd.Series:
    return pd.Series(values, pd.bdate_range("2020-01-01", periods=len(values)))


def test_members_are_what_the_recipe_made_a_forecast_of():
    returns = by_session([0.01, 0.03, 0.20], [0.02, -0.04, 0.10])
    forecast = returns.drop("S2", level="symbol") * 0.0
    assert members_return(forecast, returns).tolist() == pytest.approx([0.02, -0.01])


def test_what_is_always_forecast_of_a_symbol_is_no_timing():
    random = np.random.default_rng(1)
    usual = random.normal(0.0, 0.002, 40)
    returns = panel(usual + random.normal(0.0, 0.01, (300, 40)))
    always = panel(usual + np.zeros((300, 40)))
    assert rank_ic(returns, always).mean() > 0.15
    assert abs(timing_ic(returns, always).mean()) < 0.02


def test_a_universe_chosen_with_hindsight_teaches_momentum_but_no_timing():
    """The best and the worst eighth of random walks, forecast by their past returns."""
    ics, timings = [], []
    for seed in range(6):
        moves = np.random.default_rng(seed).normal(0.0, 0.02, (400, 400))
        order = np.argsort(moves.sum(axis=0))
        chosen = moves[:, np.r_[order[:50], order[-50:]]]
        past = panel(pd.DataFrame(chosen).cumsum().shift().fillna(0.0).to_numpy())
        ics.append(newey_west_t(rank_ic(panel(chosen), past).dropna()))
        timings.append(newey_west_t(timing_ic(panel(chosen), past).dropna()))
    assert min(ics) > 4.0
    assert abs(np.mean(timings)) < 1.0
    assert max(timings) < 2.0


def test_a_forecast_that_knows_when_keeps_its_ic():
    random = np.random.default_rng(2)
    signal = random.normal(size=(300, 40))
    returns = panel(0.1 * signal + random.normal(size=(300, 40)))
    scores = timing_ic(returns, panel(signal)).dropna()
    assert scores.mean() == pytest.approx(0.095, abs=0.02)
    assert scores.index[-1] == pd.bdate_range("2020-01-01", periods=280)[-1]


def test_timing_is_the_ic_less_that_with_later_sessions_by_hand():
    """Ranks 3 1 2 forecast, (3 1 2) then 22 sessions of (1 3 2): 1 less -1 of all later ones."""
    moves = np.vstack([[0.3, 0.1, 0.2], np.tile([0.1, 0.3, 0.2], (22, 1))])
    scores = timing_ic(panel(moves), panel(np.tile([0.3, 0.1, 0.2], (23, 1))))
    assert scores.iloc[:3].tolist() == pytest.approx([2.0, 0.0, 0.0])
    assert scores.iloc[-20:].isna().all()


def test_timing_of_a_session_asks_no_other_sessions_forecasts():
    random = np.random.default_rng(3)
    returns, forecast = panel(random.normal(size=(60, 10))), panel(random.normal(size=(60, 10)))
    later = forecast.index.get_level_values("session") > "2020-02-03"
    changed = forecast.where(~later, forecast * random.normal(size=len(forecast)))
    until = slice(None, "2020-02-03")
    before, after = timing_ic(returns, forecast), timing_ic(returns, changed)
    pd.testing.assert_series_equal(before[until], after[until])
    assert not before.equals(after)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_noise_has_a_timing_ic_of_zero(sign):
    """Less the mean of all sessions, earlier ones too, reversals would have an IC of 0.02."""
    random = np.random.default_rng(4)
    moves = random.normal(size=(150, 200))
    past = sign * pd.DataFrame(moves).rolling(20, min_periods=1).sum().shift().fillna(0.0)
    scores = timing_ic(panel(moves), panel(past.to_numpy())).dropna()
    assert abs(scores.mean()) < 0.015


def test_a_rising_market_alone_is_no_residual():
    random = np.random.default_rng(5)
    market = series(random.normal(0.002, 0.01, 750))
    follower = 0.8 * market + series(random.normal(0.0, 0.002, 750))
    measured = beyond_members(follower, market, 1.0, 1)
    assert measured["backtest/beta"] == pytest.approx(0.8, abs=0.02)
    assert measured["backtest/residual_deflated_sharpe"] < 0.95
    assert measured["backtest/residual_sharpe_ci_low"] < 0.0
    assert measured["backtest/excess_return"] < 0.0
    assert measured["backtest/excess_pvalue"] > 0.05


def test_skill_beside_the_market_is_seen_through_it():
    random = np.random.default_rng(6)
    market = series(random.normal(0.0, 0.01, 750))
    skilled = 0.5 * market + series(random.normal(0.0006, 0.004, 750))
    measured = beyond_members(skilled, market, 1.0, 1)
    assert measured["backtest/residual_sharpe"] == pytest.approx(2.4, abs=0.8)
    assert measured["backtest/residual_deflated_sharpe"] > 0.99
    many = beyond_members(skilled, market, 500.0, 1)
    assert many["backtest/residual_deflated_sharpe"] < measured["backtest/residual_deflated_sharpe"]


def test_without_joint_sessions_nothing_is_known():
    nothing = beyond_members(series(np.zeros(0)), series(np.zeros(0)), 1.0, 1)
    assert all(math.isnan(value) for value in nothing.values())
