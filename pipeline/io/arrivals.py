"""Bars that come and go: what a write changes of each symbol's past, beside adding new sessions.

A new session is the ordinary case and needs no word. Everything else makes results of sessions
stale that were complete before: a symbol that is new, an old bar with other values or one that came
late, a bar that is gone. Which symbols, and from which session on, is kept for each change.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Table, bindparam, delete, select

from pipeline.errors import InvalidData
from pipeline.io import months, tables
from pipeline.io.bulk import Compared, Written, compared, read, upsert
from pipeline.io.queries import Where, as_date
from pipeline.io.revisions import counted
from pipeline.schemas import ROW, SESSION, SYMBOL

NEW, CHANGED, LATE, GONE = "new symbol", "changed", "came late", "gone"
FEW_SYMBOLS = 100
RECENT = pd.Timedelta(days=30)


def merged(connection: Connection, table: Table, rows: pd.DataFrame) -> Written:
    """Merge long rows into the table; only the range that they span is read for it."""
    if rows.empty:
        return Written.nothing()
    found = compared(table, rows, _stored(connection, table, rows))
    upsert(connection, table, found)
    return found.written


def write_bars(connection: Connection, bars: pd.DataFrame) -> Written:
    """Merge bars, each run of months as a change of its own.

    Raises
    ------
    InvalidData
        A bar's symbol is not among those listed.
    """
    _check_listed(connection, bars)
    if bars.empty:
        return Written.nothing()
    newest = _newest(connection, bars.index[0][1])
    sessions = bars.index.get_level_values(SESSION)
    parts = []
    for first, last in months.spans(pd.DatetimeIndex(bars.index.unique(SESSION))):
        run = bars[np.asarray((sessions >= first) & (sessions <= last))]
        found = compared(tables.bars, run, _stored(connection, tables.bars, run))
        causes = _causes(connection, found, newest)
        upsert(connection, tables.bars, found)
        parts.append(counted(connection, tables.bars, found.written, causes))
    return Written.together(parts)


def drop(connection: Connection, keys: pd.Index) -> None:
    """Drop these bars, and what was made of them alone."""
    if keys.empty:
        return
    sessions, symbols = (keys.get_level_values(level) for level in ROW)
    rows = [{"s": as_date(s), "n": n} for s, n in zip(sessions, symbols, strict=True)]
    for table in (tables.bars, tables.indicators, tables.labels):
        gone = delete(table).where(
            table.c.session == bindparam("s"), table.c.symbol == bindparam("n")
        )
        connection.execute(gone, rows)
    names = symbols.unique()
    dropped = Written(0, len(keys), 0, len(names), sessions.min(), sessions.max())
    counted(connection, tables.bars, dropped, _listed(keys, GONE))


def stored_keys(connection: Connection, symbols: Iterable[str]) -> pd.Index:
    """Session and symbol of every bar of these symbols."""
    of_symbols = Where(symbols=list(symbols)).rows(tables.bars, ["close"])
    return read(connection, of_symbols).long().index


def _stored(connection: Connection, table: Table, rows: pd.DataFrame) -> pd.DataFrame:
    sessions, names = (rows.index.get_level_values(level) for level in ROW)
    few = names.unique()
    where = Where(sessions.min(), sessions.max(), few if len(few) <= FEW_SYMBOLS else None)
    fields = [column.name for column in table.columns if not column.primary_key]
    return read(connection, where.rows(table, fields)).long()


def _causes(
    connection: Connection, found: Compared, newest: pd.Timestamp | None
) -> pd.DataFrame | None:
    """What this write changes of the past, by symbol; None where there was no bar before."""
    if newest is None:
        return None
    fresh, other = found.rows.index[found.is_new], found.rows.index[found.is_changed]
    names = fresh.get_level_values(SYMBOL)
    strangers = names.unique().difference(list(_with_bars(connection, names.unique(), newest)))
    is_strange = names.isin(strangers)
    is_late = (fresh.get_level_values(SESSION) <= newest) & ~is_strange
    is_old = np.asarray(other.get_level_values(SESSION) < newest)
    listed = {NEW: fresh[is_strange], LATE: fresh[is_late], CHANGED: other[is_old]}
    return pd.concat([_listed(keys, what) for what, keys in listed.items()])


def _listed(keys: pd.Index, what: str) -> pd.DataFrame:
    """First session and number of these bars, by symbol."""
    rows = pd.DataFrame({name: keys.get_level_values(name) for name in ROW})
    by_symbol = rows.groupby(SYMBOL, observed=True)[SESSION].agg(["min", "size"])
    return by_symbol.set_axis(["first_session", "bars"], axis=1).assign(what=what)


def _newest(connection: Connection, symbol: str) -> pd.Timestamp | None:
    """The last session on which the store has a bar of this symbol's kind."""
    bars, listed = tables.bars.c, tables.symbols.c
    kind = select(listed.kind).where(listed.symbol == symbol).scalar_subquery()
    of_kind = select(bars.session).where(listed.symbol == bars.symbol, listed.kind == kind)
    found = connection.scalar(of_kind.order_by(bars.session.desc()).limit(1))
    return None if found is None else pd.Timestamp(found)


def _with_bars(connection: Connection, names: pd.Index, newest: pd.Timestamp) -> set[str]:
    """Those of the symbols that have any bar; most have one of late, which is found at once."""
    bar = tables.bars.c
    recent = bar.session >= as_date(newest - RECENT)
    held = set(connection.scalars(select(bar.symbol).where(recent).distinct()))
    others = list(names.difference(list(held)))
    older = select(bar.symbol).where(bar.symbol.in_(others)).distinct()
    return held | (set(connection.scalars(older)) if others else set())


def _check_listed(connection: Connection, bars: pd.DataFrame) -> None:
    listed = pd.Index(connection.scalars(select(tables.symbols.c.symbol)).all(), dtype="str")
    unknown = bars.index.unique(SYMBOL).difference(listed)
    if len(unknown):
        found = f"bars of {len(unknown)} symbols that are not listed: {', '.join(unknown[:10])}"
        raise InvalidData("store", found, "the source's list of symbols first")
