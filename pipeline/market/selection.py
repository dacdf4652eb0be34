"""Which symbols get a row in a session: history, price and liquidity, all known at t-1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.market import history
from pipeline.market.definitions import Known
from pipeline.market.series import dollar_volume
from pipeline.market.windows import Array

LIQUIDITY_SESSIONS = 20

Mask = npt.NDArray[np.bool_]


def selection(
    known: Known,
    quoted_close: Array,
    requested: Mask,
    *,
    min_history: int,
    min_price: float,
    min_dollar_volume: float,
) -> tuple[Mask, dict[str, int]]:
    """Rows that get a snapshot, and the number of the others by the first reason that holds.

    A limit on the price is one on what was quoted; where nobody says by what a price was divided
    since, it knows of later splits. Dollars traded know of dividends that prices are adjusted for.

    Parameters
    ----------
    known
        What is known before each session t.
    quoted_close
        Close of t-1 in currency per share as it was quoted then, sessions x symbols.
    requested
        Shape ``(sessions,)``: the requested sessions t.
    min_history
        Bars needed among the `2 * min_history` sessions before t.
    min_price
        Least quoted close of t-1, in currency per share.
    min_dollar_volume
        Least mean of close * volume over the 20 sessions before t, in currency a session; a
        session without a bar traded nothing.

    Returns
    -------
    tuple
        Mask, sessions x symbols; counts by ``no_bars`` (not listed yet or long gone),
        ``no_bar_before`` (none on t-1), ``short_history``, ``low_price``, ``low_dollar_volume``.
    """
    has_bar = ~np.isnan(known.close)
    bars = has_bar.cumsum(axis=0)
    recent = bars.copy()
    recent[2 * min_history :] -= bars[: max(len(bars) - 2 * min_history, 0)]
    traded = history.totals(known, LIQUIDITY_SESSIONS, dollar_volume) / LIQUIDITY_SESSIONS
    rules = {
        "no_bars": recent == 0,
        "no_bar_before": ~has_bar,
        "short_history": recent < min_history,
        "low_price": quoted_close < min_price,
        "low_dollar_volume": traded < min_dollar_volume,
    }
    left = np.repeat(requested[:, None], has_bar.shape[1], axis=1)
    left_out = {}
    for reason, holds in rules.items():
        left_out[reason] = int((left & holds).sum())
        left &= ~holds
    return left, left_out
