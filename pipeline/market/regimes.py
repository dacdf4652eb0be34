"""State of the market at the open of a session, from an index up to the session before.

Everything is measured in a fixed trailing window, so a session's state is the same however much
history is loaded. A session without its full look-back is UNKNOWN.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.market.cross_section import universe_mean
from pipeline.market.windows import Array, array, compounded, deviation, past
from pipeline.schemas import SESSION, UNIVERSE_INDEX, BarPanel, Regime

TREND_WINDOW = 150
"""Sessions in which the ADX is restarted: what came before would move it by 0.03 of 100 points."""

SLOPE_SESSIONS = 20
VOLATILITY_SESSIONS = 20
STALE_AFTER = pd.Timedelta(days=14)
"""An index whose last session is older says nothing. The longest exchange holidays of late took
11 days (Tokyo 2019, Shanghai 2020)."""

DEFAULT_HIGH_VIX = 30.0
VIX = "^VIX"
"""Taken for the level of volatility wherever it is known, and never for the market."""


def lookback(volatility_window: int) -> int:
    """Index bars before session t that its regime is made of."""
    return 1 + max(TREND_WINDOW, VOLATILITY_SESSIONS + volatility_window - 1)


def index_moves(index_bars: pd.DataFrame) -> pd.DataFrame:
    """High, low and close of each session of an index over its previous close, minus 1.

    Parameters
    ----------
    index_bars
        Columns high, low and close (index points), one row per session.

    Returns
    -------
    DataFrame
        Columns high, low, close, as fractions; from the second bar on.
    """
    prices = index_bars[["high", "low", "close"]].dropna().sort_index()
    return prices.div(prices["close"].shift(), axis=0).iloc[1:] - 1


def universe_moves(bars: BarPanel) -> pd.DataFrame:
    """Equal-weight mean over the symbols of what `index_moves` gives for an index.

    A symbol counts on sessions where it has a bar, and had one the session before. The mean of
    highs (or lows) that were not reached at the same time is wider than an index's own range.
    """
    base = past(array(bars.close), 1)
    means = {
        name: universe_mean(array(getattr(bars, name)) / base - 1)
        for name in ("high", "low", "close")
    }
    return pd.DataFrame(means, index=bars.sessions).iloc[1:]


def moves_of(
    stocks: BarPanel | None, indices: BarPanel, index: str
) -> tuple[pd.DataFrame, pd.Series | None]:
    """Moves of the market's index and the VIX closes beside it, where there are any.

    Parameters
    ----------
    stocks
        Needed for the index `pipeline.schemas.UNIVERSE_INDEX` alone, which is their mean.
    """
    vix = indices.close.get(VIX)
    if index == UNIVERSE_INDEX:
        assert stocks is not None
        return universe_moves(stocks), vix
    prices = {name: getattr(indices, name)[index] for name in ("high", "low", "close")}
    return index_moves(pd.DataFrame(prices)), vix


def regimes(
    moves: pd.DataFrame,
    sessions: pd.DatetimeIndex,
    vix: pd.Series | None = None,
    *,
    volatility_window: int = 252,
    high_volatility_percentile: float = 85,
    low_volatility_percentile: float = 15,
    trending_strength: float = 25,
    quiet_strength: float = 20,
    high_vix: float | None = None,
) -> pd.DataFrame:
    """Regime of each session, known at its open.

    UNKNOWN without the full look-back; HIGH_VOL from a volatility percentile (or a VIX) at the
    upper limit on; else LOW_VOL at the lower limit in a trendless market; else, from
    `trending_strength` on, BULL_TRENDING or BEAR_TRENDING by the sign of the slope; else RANGING.

    Parameters
    ----------
    moves
        Result of `index_moves` or `universe_moves`.
    sessions
        Requested sessions; they may be later than all moves. Row t uses moves before t.
    vix
        VIX closes by session, in percent a year; the last one before t counts.
    volatility_window
        Sessions among which the 20-session standard deviation is ranked.
    high_vix
        A level from here on also means HIGH_VOL; 30 where not given.

    Returns
    -------
    DataFrame
        Index = `sessions`; trend_strength (ADX, 0..100), volatility_percentile (0..100],
        slope_20 (fraction), vix_level (NaN without VIX), regime (`Regime` as string).
    """
    measured = pd.DataFrame(
        {
            "trend_strength": trend_strength(moves),
            "volatility_percentile": volatility_percentile(moves, volatility_window),
            "slope_20": compounded(array(moves["close"]), SLOPE_SESSIONS),
        },
        index=moves.index,
    )
    known = _last_before(measured, sessions)
    known["vix_level"] = np.nan
    if vix is not None:
        known["vix_level"] = _last_before(vix.dropna().to_frame("level"), sessions)["level"]
    known["regime"] = regime_names(
        known,
        high_volatility_percentile=high_volatility_percentile,
        low_volatility_percentile=low_volatility_percentile,
        trending_strength=trending_strength,
        quiet_strength=quiet_strength,
        high_vix=DEFAULT_HIGH_VIX if high_vix is None else high_vix,
    )
    return known


def regime_names(
    known: pd.DataFrame,
    *,
    high_volatility_percentile: float,
    low_volatility_percentile: float,
    trending_strength: float,
    quiet_strength: float,
    high_vix: float,
) -> pd.Series:
    """Name of the first rule that holds, by the measures in the columns of `known`.

    Every limit itself belongs to the named side, except `quiet_strength`; a slope of 0 is a bull's.
    """
    strength, percentile = known["trend_strength"], known["volatility_percentile"]
    trending = strength >= trending_strength
    unmeasured = known[["trend_strength", "volatility_percentile", "slope_20"]].isna().any(axis=1)
    rules = {
        Regime.UNKNOWN: unmeasured,
        Regime.HIGH_VOL: (percentile >= high_volatility_percentile)
        | (known["vix_level"] >= high_vix),
        Regime.LOW_VOL: (percentile <= low_volatility_percentile) & (strength < quiet_strength),
        Regime.BULL_TRENDING: trending & (known["slope_20"] >= 0),
        Regime.BEAR_TRENDING: trending,
    }
    names = np.select(
        [rule.to_numpy() for rule in rules.values()],
        [regime.value for regime in rules],
        Regime.RANGING.value,
    )
    return pd.Series(names, index=known.index, dtype="str")


def trend_strength(moves: pd.DataFrame) -> Array:
    """ADX(14) of each session, restarted `TREND_WINDOW` sessions before.

    The true range cancels out of the directional index, so high, low and close moves suffice.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978), smoothed
    exponentially from the first value on.
    """
    strength = np.full(len(moves), np.nan)
    if len(moves) < TREND_WINDOW:
        return strength
    high, low, close = (
        sliding_window_view(1 + array(moves[name]), TREND_WINDOW).T
        for name in ("high", "low", "close")
    )
    before = np.cumprod(close, axis=0) / close
    rise, fall = np.diff(before * high, axis=0), -np.diff(before * low, axis=0)
    plus = _wilder(np.where((rise > fall) & (rise > 0), rise, 0.0))
    minus = _wilder(np.where((fall > rise) & (fall > 0), fall, 0.0))
    both = plus + minus
    index = np.divide(np.abs(plus - minus), both, out=np.zeros_like(both), where=both != 0)
    strength[TREND_WINDOW - 1 :] = 100 * _wilder(index)[-1]
    return strength


def volatility_percentile(moves: pd.DataFrame, window: int) -> Array:
    """Percentile rank of the 20-session standard deviation among the last `window` of them."""
    volatility = deviation(array(moves["close"]), VOLATILITY_SESSIONS)
    percentile = np.full(len(moves), np.nan)
    if len(moves) < window:
        return percentile
    among = sliding_window_view(volatility, window)
    last = among[:, -1:]
    rank = (among < last).sum(axis=1) + ((among == last).sum(axis=1) + 1) / 2
    percentile[window - 1 :] = np.where(np.isnan(among).any(axis=1), np.nan, 100 * rank / window)
    return percentile


def _wilder(values: Array) -> Array:
    """Wilder's average over 14, down the first axis, from the first value on."""
    averages = values.copy()
    for k in range(1, len(values)):
        averages[k] = (13 * averages[k - 1] + values[k]) / 14
    return averages


def _last_before(known: pd.DataFrame, sessions: pd.DatetimeIndex) -> pd.DataFrame:
    """The last row strictly before each session, NaN where there is none or it is stale."""
    return pd.merge_asof(
        pd.DataFrame(index=sessions.rename(SESSION)),
        known,
        left_index=True,
        right_index=True,
        tolerance=STALE_AFTER,
        allow_exact_matches=False,
    )
