from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.market.regimes import (
    STALE_AFTER,
    TREND_WINDOW,
    index_moves,
    lookback,
    regime_names,
    regimes,
    trend_strength,
    universe_moves,
    volatility_percentile,
)
from pipeline.schemas import BarPanel

LOOKBACK = lookback(252)

LIMITS = {
    "high_volatility_percentile": 85.0,
    "low_volatility_percentile": 15.0,
    "trending_strength": 25.0,
    "quiet_strength": 20.0,
    "high_vix": 30.0,
}


def index_bars(seed: int, sessions: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 1000 * np.cumprod(1 + rng.normal(0, 0.01, sessions))
    days = pd.bdate_range("2015-01-01", periods=sessions, name="session", unit="us")
    high, low = close * (1 + rng.exponential(0.004, (2, sessions)) * [[1], [-1]])
    return pd.DataFrame({"open": close, "high": high, "low": low, "close": close}, index=days)


def after(sessions: pd.Index) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(sessions[-1:] + pd.offsets.BDay(), name="session")


def test_index_moves_are_relative_to_the_previous_close() -> None:
    days = pd.bdate_range("2020-01-01", periods=2, name="session", unit="us")
    prices = pd.DataFrame(
        {"high": [101.0, 105.0], "low": [98.0, 90.0], "close": [100.0, 104.0]}, days
    )

    moves = index_moves(prices)

    np.testing.assert_allclose(moves, [[0.05, -0.10, 0.04]])
    assert moves.index.tolist() == [days[1]]


def test_the_universe_moves_by_the_mean_of_symbols_that_were_there_before(make_bars) -> None:
    bars = make_bars(0, sessions=3, symbols=3)
    bars.close.iloc[:] = [[10.0, 20.0, np.nan], [11.0, 21.0, 5.0], [np.nan, 21.0, 10.0]]

    closes = universe_moves(bars)["close"]

    np.testing.assert_allclose(closes, [(0.10 + 0.05) / 2, (0.0 + 1.0) / 2])


def test_an_unbroken_rise_has_full_trend_strength() -> None:
    days = pd.bdate_range("2020-01-01", periods=TREND_WINDOW, unit="us")
    moves = pd.DataFrame({"high": 0.02, "low": -0.001, "close": 0.01}, index=days)

    strength = trend_strength(moves)

    assert np.isnan(strength[:-1]).all()
    assert strength[-1] == pytest.approx(100)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_trend_strength_is_the_adx_of_the_index_levels(seed) -> None:
    bars = index_bars(seed, 400)

    strength = trend_strength(index_moves(bars))[-1]

    adx = talib.ADX(*(bars[name].to_numpy() for name in ("high", "low", "close")), timeperiod=14)
    assert strength == pytest.approx(adx[-1], abs=0.1)


def test_a_market_without_moves_has_no_trend() -> None:
    days = pd.bdate_range("2020-01-01", periods=TREND_WINDOW, unit="us")
    moves = pd.DataFrame({"high": 0.0, "low": 0.0, "close": 0.0}, index=days)

    assert trend_strength(moves)[-1] == 0


def test_the_percentile_ranks_the_last_volatility_within_the_window() -> None:
    close = np.where(np.arange(60) < 59, 0.01, -0.03) * np.where(np.arange(60) % 2, 1, -1)
    days = pd.bdate_range("2020-01-01", periods=60, unit="us")

    percentile = volatility_percentile(pd.DataFrame({"close": close}, index=days), 40)

    assert np.isnan(percentile[:-2]).all()
    assert percentile[-1] == 100


@pytest.mark.parametrize(
    ("strength", "percentile", "slope", "vix", "expected"),
    [
        (30, 85, 0.1, 10, "HIGH_VOL"),
        (30, 50, 0.1, 30, "HIGH_VOL"),
        (19.9, 15, 0.1, 10, "LOW_VOL"),
        (20, 15, 0.1, 10, "RANGING"),
        (25, 15, 0.1, 10, "BULL_TRENDING"),
        (25, 50, 0.0, np.nan, "BULL_TRENDING"),
        (25, 50, -0.1, 10, "BEAR_TRENDING"),
        (24.9, 84.9, 0.1, 29.9, "RANGING"),
        (np.nan, 90, 0.1, 40, "UNKNOWN"),
        (30, np.nan, 0.1, 40, "UNKNOWN"),
        (30, 90, np.nan, 40, "UNKNOWN"),
    ],
)
def test_the_first_rule_that_holds_names_the_regime(
    strength, percentile, slope, vix, expected
) -> None:
    columns = ["trend_strength", "volatility_percentile", "slope_20", "vix_level"]
    known = pd.DataFrame([[strength, percentile, slope, vix]], columns=columns, dtype=float)

    assert regime_names(known, **LIMITS).tolist() == [expected]


def test_a_session_one_bar_short_of_its_look_back_is_unknown() -> None:
    bars = index_bars(1, LOOKBACK)

    enough = regimes(index_moves(bars), after(bars.index))
    short = regimes(index_moves(bars.iloc[1:]), after(bars.index))

    assert enough["regime"].item() != "UNKNOWN"
    assert short["regime"].item() == "UNKNOWN"


def test_a_short_volatility_window_still_needs_the_trends_look_back() -> None:
    assert (lookback(252), lookback(30)) == (272, 151)


@given(seed=st.integers(0, 1000), extra=st.integers(1, 200))
@settings(max_examples=20, deadline=None)
def test_more_history_changes_no_bit(seed, extra) -> None:
    bars = index_bars(seed, LOOKBACK + extra)
    asked = bars.index[-3:].append(after(bars.index))
    recent = bars.iloc[-LOOKBACK - 3 :]

    whole = regimes(index_moves(bars), asked, bars["close"])
    pd.testing.assert_frame_equal(
        regimes(index_moves(recent), asked, recent["close"]).tail(1),
        whole.tail(1),
        check_exact=True,
    )


@given(seed=st.integers(0, 1000), cut=st.integers(1, 120))
@settings(max_examples=20, deadline=None)
def test_a_regime_knows_nothing_of_its_own_session_or_later(seed, cut) -> None:
    bars = index_bars(seed, 320)
    position = len(bars) - cut
    today, before = bars.index[position : position + 1], bars.iloc[:position]

    known = regimes(index_moves(before), today, before["close"])

    later = regimes(index_moves(bars), bars.index, bars["close"]).loc[today]
    pd.testing.assert_frame_equal(known, later, check_exact=True, check_freq=False)


def test_an_index_that_ended_long_ago_says_nothing() -> None:
    bars = index_bars(2, LOOKBACK + 5)
    last = bars.index[-1]
    days = pd.DatetimeIndex([last + STALE_AFTER, last + STALE_AFTER + pd.Timedelta(days=1)])

    state = regimes(index_moves(bars), days.as_unit("us"), bars["close"])

    assert (state["regime"] != "UNKNOWN").tolist() == [True, False]
    assert state["vix_level"].notna().tolist() == [True, False]


def test_the_vix_of_the_session_before_counts_from_30_on() -> None:
    bars = index_bars(3, LOOKBACK + 1)
    moves, today = index_moves(bars), bars.index[-1:]
    vix = pd.Series([30.0, 99.0], index=bars.index[-2:])

    state = regimes(moves, today, vix, high_volatility_percentile=101)
    calmer = regimes(moves, today, vix, high_volatility_percentile=101, high_vix=31)

    assert (state["vix_level"].item(), state["regime"].item()) == (30.0, "HIGH_VOL")
    assert calmer["regime"].item() != "HIGH_VOL"


def test_without_any_index_bar_everything_is_unknown() -> None:
    bars = index_bars(4, 5)

    state = regimes(index_moves(bars.iloc[:0]), bars.index)

    assert state["regime"].eq("UNKNOWN").all()
    assert state.index.equals(bars.index)


@pytest.mark.parametrize("name", ["^GSPC", "^IXIC"])
def test_regimes_follow_the_reference_where_its_look_back_is_full(shared: Path, name) -> None:
    prices = pd.read_csv(shared / "golden/input_indices.csv", parse_dates=["date"])
    bars = prices[prices["symbol"] == name].set_index("date")
    golden = pd.read_parquet(shared / "golden/regimes.parquet")
    golden = golden[golden["index"] == name].set_index("date").sort_index()
    golden.index = pd.DatetimeIndex(pd.to_datetime(golden.index)).as_unit("us")

    # The reference dates a row by its own close, we by the next open.
    opens = golden.index[1:].append(after(golden.index))
    ours = regimes(index_moves(bars), pd.DatetimeIndex(opens)).set_axis(golden.index)

    for exact, theirs in (("slope_20", "slope20"), ("volatility_percentile",) * 2):
        np.testing.assert_allclose(ours[exact], golden[theirs], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours["trend_strength"], golden["trend_strength"], atol=0.03)
    assert ours["regime"].tolist() == golden["regime"].tolist()


def test_a_panel_of_one_symbol_moves_as_that_symbol(make_bars) -> None:
    bars: BarPanel = make_bars(5, symbols=1)
    alone = pd.DataFrame({f: getattr(bars, f).iloc[:, 0] for f in ("high", "low", "close")})

    pd.testing.assert_frame_equal(
        universe_moves(bars), index_moves(alone), check_names=False, check_freq=False
    )
