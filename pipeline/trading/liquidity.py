"""How much of a symbol changes hands, as known before the open."""

from __future__ import annotations

import pandas as pd

LIQUIDITY_SESSIONS = 20
LEAST_SESSIONS = 15
"""Bars needed among the last 20; with fewer the liquidity is unknown."""


def liquidity(close: pd.DataFrame, volume: pd.DataFrame) -> pd.DataFrame:
    """Mean of close x volume over the 20 sessions before each one, in currency a session.

    Known at decision time: row t uses bars up to t-1.

    >>> close = pd.DataFrame({"A": [2.0] * 16})
    >>> liquidity(close, close * 10).iloc[-1].item()
    40.0
    """
    traded = close * volume
    return traded.rolling(LIQUIDITY_SESSIONS, min_periods=LEAST_SESSIONS).mean().shift()
