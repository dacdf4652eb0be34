from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schemas import BarPanel
from pipeline.trading import estimates
from pipeline.trading.market import FORMULAS, Estimates
from tests.trading.markets import random_bars

NAN = math.nan


def panel(**columns: list[float]) -> BarPanel:
    """One symbol; prices that are not given are 10, volume is 100."""
    count = len(next(iter(columns.values())))
    days = pd.bdate_range("2024-01-01", periods=count, name="session").as_unit("us")
    names = pd.Index(["A"], name="symbol")
    given_values = {"open": [10.0] * count, "high": [10.0] * count, "low": [10.0] * count,
                    "close": [10.0] * count, "volume": [100.0] * count, **columns}  # fmt: skip
    fields = ("open", "high", "low", "close", "volume")
    return BarPanel(
        *(pd.DataFrame({"A": given_values[f]}, days, names, dtype="float64") for f in fields)
    )


@given(
    values=st.lists(st.sampled_from([NAN, 1.0, 2.0, 5.0]), min_size=1, max_size=40),
    sessions=st.integers(1, 25),
    min_values=st.integers(1, 5),
)
def test_trailing_mean_is_that_of_the_known_values(values, sessions, min_values):
    given_values = np.array(values)[:, None]
    found = estimates.trailing_mean(given_values, sessions, min_values).ravel()
    expected = pd.Series(values).rolling(sessions, min_periods=min(min_values, sessions)).mean()
    expected = expected.where(
        pd.Series(values).rolling(sessions, min_periods=0).count() >= min_values
    )
    np.testing.assert_allclose(found, expected)


def test_mean_dollar_volume_is_the_mean_of_the_20_sessions_before():
    bars = panel(close=[2.0] * 20 + [1000.0], volume=[10.0] * 10 + [30.0] * 11)
    assert estimates.mean_dollar_volume(bars)["A"].iloc[20] == 40.0
    assert np.isnan(estimates.mean_dollar_volume(bars)["A"].iloc[14])
    assert estimates.mean_dollar_volume(bars)["A"].iloc[15] == pytest.approx(
        (10 * 20 + 5 * 60) / 15
    )


def test_volatility_is_the_deviation_of_open_to_close_returns():
    closes = [10.1, 9.9] * 10 + [50.0]
    returns = pd.Series([0.01, -0.01] * 10)
    found = estimates.volatility(panel(close=closes))["A"].iloc[20]
    assert found == pytest.approx(returns.std(ddof=1))


def test_spread_is_twice_how_far_closes_lie_beside_the_middles():
    # The middle stays, closes jump from the top of the range to its bottom: each lies as far from
    # the middle of its own session as from that of the next.
    bounce = panel(high=[10.1] * 22, low=[9.9] * 22, close=[10.1, 9.9] * 11)
    distance = math.log(10.1) - (math.log(10.1) + math.log(9.9)) / 2
    assert estimates.spread(bounce)["A"].iloc[21] == pytest.approx(2 * distance)


def test_spread_is_nothing_where_closes_lie_between_the_middles():
    falling = panel(
        high=[10.1 - 0.1 * t for t in range(22)],
        low=[9.9 - 0.1 * t for t in range(22)],
        close=[9.95 - 0.1 * t for t in range(22)],
    )
    assert estimates.spread(falling)["A"].iloc[21] == 0.0


def test_average_true_range_reaches_to_the_close_before():
    bars = panel(close=[10.0] * 16, high=[12.0] * 15 + [99.0], low=[11.0] * 15 + [98.0])
    assert estimates.average_true_range(bars)["A"].iloc[15] == 2.0
    assert np.isnan(estimates.average_true_range(bars)["A"].iloc[10])


def test_beta_is_the_slope_on_what_the_hedge_earned():
    rng = np.random.default_rng(0)
    market = rng.normal(0.0, 0.01, 64)
    bars = panel(close=[10.0 * (1.0 + 0.001 + 1.5 * move) for move in market])
    hedge = pd.Series(market, bars.sessions)
    assert estimates.beta(bars, hedge)["A"].iloc[63] == pytest.approx(1.5)
    assert estimates.beta(bars, hedge)["A"].iloc[42] == pytest.approx(1.5)
    assert estimates.beta(bars, hedge)["A"].iloc[41] == 1.0  # too few to tell
    assert estimates.beta(bars, hedge * 0.0)["A"].iloc[63] == 1.0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(70, 118))
def test_nothing_after_the_close_before_is_used(seed, cut):
    """History cut at the session before t gives the bits of t that the whole history gives."""
    bars = random_bars(seed)
    moves = pd.Series(np.random.default_rng(seed).normal(0.0, 0.01, 120), bars.sessions)
    session = bars.sessions[cut]
    early = bars.loc(bars.sessions[:cut]).loc(bars.sessions[: cut + 1])
    for formula in FORMULAS.values():
        whole, short = formula(bars).loc[session], formula(early).loc[session]
        pd.testing.assert_series_equal(whole, short, check_exact=True)
    known = moves.where(moves.index < session)
    pd.testing.assert_series_equal(
        estimates.beta(bars, moves).loc[session],
        estimates.beta(early, known.iloc[: cut + 1]).loc[session],
        check_exact=True,
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), first=st.integers(0, 40))
def test_a_longer_history_changes_no_bit(seed, first):
    bars = random_bars(seed)
    later = bars.loc(bars.sessions[first:])
    moves = pd.Series(np.random.default_rng(seed).normal(0.0, 0.01, 120), bars.sessions)
    from_here = bars.sessions[first + estimates.LOOK_BACK :]
    for formula in FORMULAS.values():
        pd.testing.assert_frame_equal(
            formula(bars).loc[from_here], formula(later).loc[from_here], check_exact=True
        )
    pd.testing.assert_frame_equal(
        estimates.beta(bars, moves).loc[from_here],
        estimates.beta(later, moves.iloc[first:]).loc[from_here],
        check_exact=True,
    )


def test_estimates_are_worked_out_once_and_shared_by_their_parts(monkeypatch):
    calls = []
    monkeypatch.setitem(FORMULAS, "spread", lambda bars: calls.append(1) or bars.close * 0.0)
    bars = random_bars(1)
    known = Estimates(bars, bars.sessions[80:], None)
    part = known.at(bars.sessions[90:95])
    assert len(part["spread"]) == 5
    assert len(known["spread"]) == 40
    assert calls == [1]
    assert "beta" not in known
