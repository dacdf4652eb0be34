"""Small deliveries and panels, made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike

from pipeline.io.sources.protocol import Delivery
from pipeline.io.store.postgres import Postgres
from pipeline.io.store.sqlite import Sqlite
from pipeline.io.store.store import Store
from pipeline.schemas import BAR_FIELDS, ROW

NAN = float("nan")
in_a_file = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
"""For a test of what PostgreSQL does otherwise, or not at all."""


def listed(*symbols: str, kind: str = "stock") -> pd.DataFrame:
    index = pd.Index(symbols, name="symbol")
    return pd.DataFrame(
        {"exchange": None, "sector": "Energy", "name": None, "kind": kind}, index=index
    ).astype("str")


def delivered(
    close: ArrayLike, *, symbols: Sequence[str] = "AB", first: str = "2010-01-04",
    final: bool = True,
) -> Delivery:  # fmt: skip
    """Bars with the given closes (sessions x symbols); NaN is no bar."""
    close = np.array(close, float)
    sessions = pd.date_range(first, periods=len(close), name="session").as_unit("us")
    index = pd.MultiIndex.from_product([sessions, list(symbols)], names=ROW)
    bars = pd.DataFrame(dict.fromkeys(BAR_FIELDS, close.ravel()), index=index)
    return Delivery(bars.dropna().assign(final=final), quarantined(), quarantined()[:0])


def quarantined(*rows: tuple[str, str, str]) -> pd.DataFrame:
    left_out = pd.DataFrame(rows, columns=[*ROW, "reason"])
    left_out["session"] = pd.to_datetime(left_out["session"])
    return left_out.assign(**dict.fromkeys(BAR_FIELDS, 1.0))


def wide(
    values: ArrayLike, symbols: Sequence[str] = "AB", first: str = "2010-01-04"
) -> pd.DataFrame:
    values = np.array(values, float)
    return pd.DataFrame(
        values,
        index=pd.date_range(first, periods=len(values), name="session").as_unit("us"),
        columns=pd.Index(list(symbols), name="symbol", dtype="str"),
    )


def written(program: str, place: Sqlite | Postgres) -> str:
    """The text of a program for a process of its own, with its PLACE."""
    if isinstance(place, Postgres):
        way = f"Postgres({place.address!r}, {place.schema!r}, {place.folder!r})"
        imported = "from pipeline.io.store.postgres import Postgres"
    else:
        way, imported = f"{str(place.path)!r}", ""
    return f"from pathlib import PosixPath\n{imported}\nPLACE = {way}\n{program}"


def causes(store: Store, since: str | None = None) -> list[tuple[str, str, str, int]]:
    found = store.causes(since)[["symbol", "what", "first_session", "bars"]]
    return [(n, w, f"{d:%d}", b) for n, w, d, b in found.itertuples(index=False)]
