"""Made-up values by session and symbol."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def by_session(*sessions: Sequence[float]) -> pd.Series:
    """The values of each session, one a symbol."""
    days = pd.date_range("2024-01-01", periods=len(sessions))
    rows = [(day, f"S{n}") for day, s in zip(days, sessions, strict=True) for n in range(len(s))]
    index = pd.MultiIndex.from_tuples(rows, names=["session", "symbol"])
    return pd.Series([value for session in sessions for value in session], index)
