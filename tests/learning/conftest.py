"""A small market for learners: one feature that helps, one that is noise, one category."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from pipeline.learning.dataset import Dataset, join

MakeDataset = Callable[..., Dataset]


def rows_of(sessions: int, symbols: int) -> pd.MultiIndex:
    days = pd.bdate_range("2024-01-01", periods=sessions).astype("datetime64[us]")
    names = [f"S{number:02d}" for number in range(symbols)]
    return pd.MultiIndex.from_product([days, names], names=["session", "symbol"])


@pytest.fixture
def make_dataset() -> MakeDataset:
    def make(sessions: int = 12, symbols: int = 8, seed: int = 0) -> Dataset:
        random = np.random.default_rng(seed)
        index = rows_of(sessions, symbols)
        signal, noise = random.normal(size=(2, len(index)))
        snapshots = pd.DataFrame({"signal": signal, "noise": noise}, index=index, dtype="float32")
        snapshots["sector"] = np.where(np.arange(len(index)) % 2 == 0, "Energy", "Utilities")
        returns = 0.01 * signal + 0.01 * random.normal(size=len(index))
        return join(snapshots, pd.DataFrame({"intraday_return": returns}, index=index))

    return make
