"""Small deliveries and panels, made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.io.sources.protocol import Delivery
from pipeline.schemas import BAR_FIELDS, ROW

NAN = float("nan")


def listed(*symbols, kind="stock"):
    index = pd.Index(symbols, name="symbol")
    return pd.DataFrame(
        {"exchange": None, "sector": "Energy", "name": None, "kind": kind}, index=index
    ).astype("str")


def delivered(close, *, symbols="AB", first="2010-01-04", final=True):
    """Bars with the given closes (sessions x symbols); NaN is no bar."""
    close = np.array(close, float)
    sessions = pd.date_range(first, periods=len(close), name="session", unit="us")
    index = pd.MultiIndex.from_product([sessions, list(symbols)], names=ROW)
    bars = pd.DataFrame(dict.fromkeys(BAR_FIELDS, close.ravel()), index=index)
    return Delivery(bars.dropna().assign(final=final), quarantined(), quarantined()[:0])


def quarantined(*rows):
    left_out = pd.DataFrame(rows, columns=[*ROW, "reason"])
    left_out["session"] = pd.to_datetime(left_out["session"])
    return left_out.assign(**dict.fromkeys(BAR_FIELDS, 1.0))


def wide(values, symbols="AB", first="2010-01-04"):
    return pd.DataFrame(
        np.array(values, float),
        index=pd.date_range(first, periods=len(values), name="session", unit="us"),
        columns=pd.Index(list(symbols), name="symbol", dtype="str"),
    )


def causes(store, since=0):
    found = store.causes(since)[["symbol", "what", "first_session", "bars"]]
    return [(n, w, f"{d:%d}", b) for n, w, d, b in found.itertuples(index=False)]
