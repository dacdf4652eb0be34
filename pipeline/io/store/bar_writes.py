"""Bars that come and go: what a write changes of each symbol's past, beside adding new sessions.

A new session is the ordinary case and needs no word. Everything else makes results of sessions
stale that were complete before: a symbol that is new, an old bar with other values or one that came
late, a bar that is gone. Which symbols, and from which session on, is kept for each change.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Table, bindparam, delete, func, select

from pipeline.errors import Fault, InvalidData
from pipeline.io.store import tables
from pipeline.io.store.bulk import Comparison, WriteResult, compare, read_rows, upsert
from pipeline.io.store.digests import record_digests
from pipeline.io.store.month_digests import month_runs
from pipeline.io.store.queries import RowFilter, as_date
from pipeline.io.store.revisions import record_change
from pipeline.schemas import ROW, SESSION, SYMBOL

NEW, CHANGED, LATE, GONE = "new symbol", "changed", "came late", "gone"
FEW_SYMBOLS = 100
FEW_PER_NEW = 10
"""With fewer rows than one to so many that come, a month is worth reading before a write."""
RECENT = pd.Timedelta(days=30)


def merge(connection: Connection, table: Table, rows: pd.DataFrame) -> WriteResult:
    """Merge long rows into the table; only the range that they span is read for it."""
    if rows.empty:
        return WriteResult.empty()
    comparison = compare(table, rows, _stored(connection, table, rows))
    upsert(connection, table, comparison)
    return comparison.result


def merge_results(connection: Connection, table: Table, rows: pd.DataFrame) -> WriteResult:
    """Merge long rows into the table, and record the change."""
    if rows.empty:
        return WriteResult.empty()
    return _put(connection, table, compare(table, rows, _stored(connection, table, rows)))


def write_bars(connection: Connection, bars: pd.DataFrame) -> WriteResult:
    """Merge bars, each run of months as a change of its own.

    Raises
    ------
    InvalidData
        A bar's symbol is not among those listed.
    """
    _check_listed(connection, bars)
    if bars.empty:
        return WriteResult.empty()
    newest = _newest(connection, bars.index[0][1])
    sessions = bars.index.get_level_values(SESSION)
    parts = []
    for first, last in month_runs(pd.DatetimeIndex(bars.index.unique(SESSION))):
        run = bars[np.asarray((sessions >= first) & (sessions <= last))]
        comparison = compare(tables.bars, run, _stored(connection, tables.bars, run))
        causes = _causes(connection, comparison, newest)
        parts.append(_put(connection, tables.bars, comparison, causes))
    return WriteResult.combine(parts)


def _put(
    connection: Connection,
    table: Table,
    comparison: Comparison,
    causes: pd.DataFrame | None = None,
) -> WriteResult:
    """Write what is new or changed, and record the change."""
    held = _held(connection, table, comparison)
    upsert(connection, table, comparison)
    return record_change(connection, table, comparison.result, causes, held)


def _held(connection: Connection, table: Table, comparison: Comparison) -> pd.DataFrame | None:
    """All that the months of a change will hold; None where more is in them than comes."""
    result, rows = comparison.result, comparison.rows
    if result.first is None or result.last is None:
        return None
    first = pd.Period(result.first, "M").start_time
    last = pd.Period(result.last, "M").end_time
    fields = [column.name for column in table.columns if not column.primary_key]
    of_months = RowFilter(first, last).select(table, fields)
    count = connection.scalar(select(func.count()).select_from(of_months.subquery())) or 0
    if count > len(rows) // FEW_PER_NEW:
        return None
    others = read_rows(connection, of_months).long()
    sessions = rows.index.get_level_values(SESSION)
    rows = rows[np.asarray((sessions >= first) & (sessions <= last))]
    return pd.concat([others[~others.index.isin(rows.index)], rows]) if count else rows


def delete_bars(connection: Connection, keys: pd.Index) -> None:
    """Delete these bars, and what was made of them alone."""
    if keys.empty:
        return
    for table in (tables.bars, tables.indicators, tables.labels):
        result = _delete(connection, table, keys)
        record_digests(connection, table, result.first, result.last)
    record_change(connection, tables.bars, result, _listed(keys, GONE))


def delete_actions(connection: Connection, keys: pd.Index) -> None:
    """Delete these splits and dividends."""
    if not keys.empty:
        record_change(connection, tables.actions, _delete(connection, tables.actions, keys))


def _delete(connection: Connection, table: Table, keys: pd.Index) -> WriteResult:
    """Delete the rows of these sessions and symbols; each counts as changed."""
    sessions, symbols = (keys.get_level_values(level) for level in ROW)
    rows = [{"s": as_date(s), "n": n} for s, n in zip(sessions, symbols, strict=True)]
    is_one = (table.c.session == bindparam("s"), table.c.symbol == bindparam("n"))
    connection.execute(delete(table).where(*is_one), rows)
    names = symbols.nunique()
    return WriteResult(0, len(keys), 0, names, sessions.min(), sessions.max())


def stored_keys(
    connection: Connection,
    symbols: Iterable[str],
    table: Table = tables.bars,
    start: pd.Timestamp | None = None,
) -> pd.Index:
    """Session and symbol of every row of these symbols, from a session on."""
    field = next(column.name for column in table.columns if not column.primary_key)
    of_symbols = RowFilter(start, symbols=list(symbols)).select(table, [field])
    return read_rows(connection, of_symbols).long().index


def _stored(connection: Connection, table: Table, rows: pd.DataFrame) -> pd.DataFrame:
    sessions, names = (rows.index.get_level_values(level) for level in ROW)
    symbols = names.unique() if len(names.unique()) <= FEW_SYMBOLS else None
    rows_in_range = RowFilter(sessions.min(), sessions.max(), symbols)
    fields = [column.name for column in table.columns if not column.primary_key]
    return read_rows(connection, rows_in_range.select(table, fields)).long()


def _causes(
    connection: Connection, comparison: Comparison, newest: pd.Timestamp | None
) -> pd.DataFrame | None:
    """What this write changes of the past, by symbol; None where there was no bar before."""
    if newest is None:
        return None
    index = comparison.rows.index
    new, changed = index[comparison.is_new], index[comparison.is_changed]
    names = new.get_level_values(SYMBOL)
    new_symbols = names.unique().difference(list(_with_bars(connection, names.unique(), newest)))
    is_new_symbol = names.isin(new_symbols)
    is_late = (new.get_level_values(SESSION) <= newest) & ~is_new_symbol
    is_old = np.asarray(changed.get_level_values(SESSION) < newest)
    listed = {NEW: new[is_new_symbol], LATE: new[is_late], CHANGED: changed[is_old]}
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
    session = connection.scalar(of_kind.order_by(bars.session.desc()).limit(1))
    return None if session is None else pd.Timestamp(session)


def _with_bars(connection: Connection, names: pd.Index, newest: pd.Timestamp) -> set[str]:
    """Those of the symbols that have any bar; most have one of late, which is found at once."""
    bar = tables.bars.c
    recent = bar.session >= as_date(newest - RECENT)
    recent_symbols = set(connection.scalars(select(bar.symbol).where(recent).distinct()))
    others = list(names.difference(list(recent_symbols)))
    older = select(bar.symbol).where(bar.symbol.in_(others)).distinct()
    return recent_symbols | (set(connection.scalars(older)) if others else set())


def _check_listed(connection: Connection, bars: pd.DataFrame) -> None:
    listed = pd.Index(connection.scalars(select(tables.symbols.c.symbol)).all(), dtype="str")
    unknown = bars.index.unique(SYMBOL).difference(listed)
    if len(unknown):
        found = f"bars of {len(unknown)} symbols that are not listed: {', '.join(unknown[:10])}"
        faults = [Fault(name, "is not listed") for name in unknown]
        raise InvalidData("store", found, "the source's list of symbols first", faults=faults)
