"""Digests of the store's rows by month, recorded as they are written: what changed on disk is seen.

SQLite finds pages that do not fit together, not a value that changed inside one. Each write records
the digest of the months that it touched in the same transaction, so it takes the other rows of such
a month as right; `verify` reads all rows again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Table, delete, insert, select

from pipeline.io.store import tables
from pipeline.io.store.bulk import Rows, as_read, read_rows
from pipeline.io.store.queries import RowFilter, SessionLike, as_date
from pipeline.schemas import ROW

MONTHLY = (
    tables.bars, tables.actions, tables.indicators, tables.regimes, tables.labels, tables.signals,
)  # fmt: skip
"""Tables with digests; gaps and quarantined bars come again with each delivery."""

WHOLE = (tables.symbols, tables.changes, tables.builds)
"""Small tables, each with one digest."""

ALL = "all"
"""Stands for the month of these."""


@dataclass(frozen=True)
class Verification:
    """What reading everything again showed.

    Attributes
    ----------
    differing
        By table, the months whose rows are not those that were written.
    checked, unrecorded
        Number of months with a digest, and without: written before there were digests.
    """

    differing: dict[str, list[str]]
    checked: int
    unrecorded: int


def record_digests(
    connection: Connection,
    table: Table,
    first: SessionLike | None = None,
    last: SessionLike | None = None,
    held: pd.DataFrame | None = None,
) -> None:
    """Record the digests of the months from one session to another; None is no bound.

    Parameters
    ----------
    held
        All that these months hold, indexed by ``schemas.ROW``; None: they are read.
    """
    recorded = tables.digests.c
    span = [recorded.table == table.name]
    if first is not None:
        first = pd.Period(as_date(first), "M").start_time
        span.append(recorded.month >= f"{first:%Y-%m}")
    if last is not None:
        last = pd.Period(as_date(last), "M").end_time
        span.append(recorded.month <= f"{last:%Y-%m}")
    connection.execute(delete(tables.digests).where(*span))
    if held is None:
        months = _digests(connection, table, first, last)
    else:
        months = _by_month(_sorted_rows(table, held))
    rows = [{"table": table.name, "month": m, "digest": d} for m, d in months.items()]
    if rows:
        connection.execute(insert(tables.digests), rows)


def verify(connection: Connection, *, record: bool = False) -> Verification:
    """Compare all rows with their digests.

    Parameters
    ----------
    record
        Months without a digest get one; the connection may write.
    """
    differing: dict[str, list[str]] = {}
    checked = unrecorded = 0
    for table in (*MONTHLY, *WHOLE):
        statement = select(tables.digests.c.month, tables.digests.c.digest)
        of_table = statement.where(tables.digests.c.table == table.name)
        recorded = {row.month: row.digest for row in connection.execute(of_table)}
        current = _digests(connection, table)
        months = [month for month, digest in recorded.items() if current.get(month) != digest]
        if months:
            differing[table.name] = sorted(months)
        new = {month: digest for month, digest in current.items() if month not in recorded}
        checked, unrecorded = checked + len(recorded), unrecorded + len(new)
        if record and new:
            rows = [{"table": table.name, "month": m, "digest": d} for m, d in new.items()]
            connection.execute(insert(tables.digests), rows)
    return Verification(differing, checked, unrecorded)


def _digests(
    connection: Connection,
    table: Table,
    first: SessionLike | None = None,
    last: SessionLike | None = None,
) -> dict[str, str]:
    """By month, over the keys and values of its rows, bit for bit."""
    if table in WHOLE:
        return _digest_of_whole(connection, table)
    others = [column.name for column in table.columns if column.name not in ROW]
    statement = RowFilter(first, last).select(table, others).order_by(*table.primary_key)
    return _by_month(read_rows(connection, statement))


def _sorted_rows(table: Table, rows: pd.DataFrame) -> Rows:
    """Rows as reading them back gives them."""
    (sessions, session), (symbols, symbol) = (
        _ranked(rows.index.get_level_values(level)) for level in ROW
    )
    order = np.lexsort((symbol, session))
    others = [column for column in table.columns if column.name not in ROW]
    values = {c.name: as_read(rows[c.name].to_numpy()[order], c.type) for c in others}
    return Rows(pd.DatetimeIndex(sessions), symbols, session[order], symbol[order], values)


def _ranked(words: pd.Index) -> tuple[pd.Index, np.ndarray]:
    codes, uniques = pd.factorize(words, sort=True)
    return uniques, codes


def _by_month(rows: Rows) -> dict[str, str]:
    columns = _columns(rows)
    numbers = np.asarray(rows.sessions.year * 12 + rows.sessions.month)[rows.session_codes]
    starts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    names = rows.sessions.strftime("%Y-%m").to_numpy()
    return {
        str(names[rows.session_codes[start]]): _digest(values[start:end] for values in columns)
        for start, end in pairwise(starts)
        if end > start
    }


def _digest_of_whole(connection: Connection, table: Table) -> dict[str, str]:
    rows = connection.execute(select(table).order_by(*table.primary_key)).all()
    words = repr([tuple(row) for row in rows]).encode()
    return {ALL: blake2b(words, digest_size=16).hexdigest()} if rows else {}


def _columns(rows: Rows) -> list[np.ndarray]:
    """Keys and values of fixed width; a text counts by its own digest."""
    symbols = _words(rows.symbols.to_list())[rows.symbol_codes]
    columns = [rows.sessions.to_numpy()[rows.session_codes], symbols]
    for values in vars(rows)["values"].values():
        if values.dtype == object:
            codes, words = pd.factorize(values, use_na_sentinel=False)
            values = _words(list(words))[codes]
        elif values.dtype == np.float64:  # a database keeps no sign of zero, nor kinds of NaN
            values = np.where(np.isnan(values), np.nan, values + 0.0)
        columns.append(values)
    return columns


def _words(words: list[object]) -> np.ndarray:
    digests = [blake2b(repr(word).encode(), digest_size=8).digest() for word in words]
    return np.frombuffer(b"".join(digests), np.int64)


def _digest(columns: Iterable[np.ndarray]) -> str:
    digest = blake2b(digest_size=16)
    for values in columns:
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
