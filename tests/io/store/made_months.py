"""Three months of bars of five symbols."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.io.sources.protocol import Delivery
from pipeline.schemas import BAR_FIELDS, ROW

DAYS = pd.bdate_range("2021-01-04", periods=60, name="session", unit="us")
"""January to March."""


def delivery(close: pd.DataFrame, quarantined=(), **known) -> Delivery:
    """Bars with these closes, wide; a missing one is no bar."""
    index = pd.MultiIndex.from_product([close.index, close.columns], names=ROW)
    bars = pd.DataFrame(dict.fromkeys(BAR_FIELDS, close.to_numpy(float).ravel()), index=index)
    aside = pd.DataFrame(list(quarantined), columns=[*ROW, "reason"])
    aside = aside.astype({"session": "datetime64[us]"}).assign(**dict.fromkeys(BAR_FIELDS, 1.0))
    gaps = aside[[*ROW, "reason"]][:0]
    return Delivery(bars.dropna().assign(final=True), aside, gaps, **known)


def closes(symbols: str = "ABCDE", days: pd.DatetimeIndex = DAYS) -> pd.DataFrame:
    values = 10.0 + np.arange(len(days) * len(symbols)).reshape(len(days), -1)
    return pd.DataFrame(values, days, pd.Index(list(symbols), name="symbol"))
