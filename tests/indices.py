"""A store with one stock and the indices that a test is about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.io.sources.protocol import Delivery
from pipeline.io.store.store import Store
from pipeline.schemas import ROW
from tests.workspaces import delivery, listed

SESSIONS = pd.bdate_range("2021-01-04", periods=40, name="session", unit="us")
"""Days of a made-up exchange."""


def bars(symbol: str, sessions: pd.DatetimeIndex, level: float) -> Delivery:
    close = level * (1 + 0.01 * np.sin(np.arange(len(sessions))))
    rows = pd.DataFrame({"open": close, "high": close * 1.01, "low": close * 0.99, "close": close})
    keys = pd.MultiIndex.from_product([sessions, [symbol]], names=ROW)
    return delivery(rows.assign(volume=100.0, final=True).set_axis(keys))


def store_of(path: Path, **indices: pd.DatetimeIndex) -> Store:
    """A stock on every session, and indices (without their caret) on some."""
    store = Store.open(path)
    described = {"exchange": "X", "sector": "S", "name": "N"}
    store.write_symbols(listed("A", **described))
    store.write_symbols(listed([f"^{name}" for name in indices], "index", **described))
    for name, days in {"A": SESSIONS, **{f"^{n}": days for n, days in indices.items()}}.items():
        store.write_bars(bars(name, days, 20.0))
    return store
