"""Small deliveries and panels, made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.io.sources.protocol import Delivery
from pipeline.schemas import BAR_FIELDS, ROW

NAN = float("nan")
in_a_file = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
"""For a test of what PostgreSQL does otherwise, or not at all."""


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


def written(program, place):
    """The text of a program for a process of its own, with its PLACE."""
    fields = f"{place.address!r}, {place.schema!r}, " if hasattr(place, "address") else ""
    way = f"Postgres({fields}{place.folder!r})" if fields else f"{str(place.path)!r}"
    imported = "from pipeline.io.store.postgres import Postgres" if fields else ""
    return f"from pathlib import PosixPath\n{imported}\nPLACE = {way}\n{program}"


def causes(store, since=None):
    found = store.causes(since)[["symbol", "what", "first_session", "bars"]]
    return [(n, w, f"{d:%d}", b) for n, w, d, b in found.itertuples(index=False)]
