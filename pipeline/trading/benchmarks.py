"""What the strategy is compared with: an index from its open to its close, where both are real."""

from __future__ import annotations

import pandas as pd

from pipeline.trading.rules import BPS

STALE_WITHIN = 1.0 * BPS
MAX_STALE = 0.05
"""Real opens come within 1 bp of the previous close on 2 to 4 % of sessions (Nasdaq Composite,
2005 to 2023); an open that is a copy of it does on 6 to 99 % (S&P 500 index, 2005 to 2013)."""

REAL_WINDOW, MIN_SHARE_OF_WINDOW = 252, 126
"""Opens that tell whether an index prints any of its own, and how many of them have to be there."""


def stale_opens(open_: pd.Series, previous_close: pd.Series) -> pd.Series:
    """1 where the open is the previous close to within 1 bp, 0 where it is not, NaN if unknown."""
    moves = (open_ / previous_close - 1.0).abs()
    return (moves < STALE_WITHIN).astype("float64").where(moves.notna())


def stale_open_share(open_: pd.Series, previous_close: pd.Series) -> float:
    """Part of the sessions whose open is the previous close to within 1 bp; NaN without any.

    Parameters
    ----------
    open_, previous_close
        By session, currency per share.
    """
    return float(stale_opens(open_, previous_close).mean())


def open_is_real(share: float) -> bool:
    """Whether an index with this ``stale_open_share`` prints an open of its own."""
    return share <= MAX_STALE


def opens_are_real(open_: pd.Series, previous_close: pd.Series) -> pd.Series:
    """Whether the opens of the 252 sessions before each one were more than copies of a close."""
    share = stale_opens(open_, previous_close).rolling(REAL_WINDOW, min_periods=MIN_SHARE_OF_WINDOW)
    return share.mean().shift() <= MAX_STALE
