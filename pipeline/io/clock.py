"""The time of day, for what depends on it: the only clock of the stages that trade."""

from __future__ import annotations

import pandas as pd


def now() -> pd.Timestamp:
    """This moment, in UTC."""
    return pd.Timestamp.now("UTC")


def as_text(moment: pd.Timestamp) -> str:
    """A moment as the ledger and the history write it: UTC, to the second."""
    return f"{moment.tz_convert('UTC'):%Y-%m-%dT%H:%M:%SZ}"
