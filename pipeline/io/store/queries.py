"""Which rows of the store's tables are meant: ranges, symbols, kinds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd
from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, Table, func, select

from pipeline.io.store import tables
from pipeline.io.store.bulk import Rows
from pipeline.schemas import ROW, SESSION, SYMBOL

SessionLike = pd.Timestamp | date | str
"""Anything pandas reads as a day."""

STOCK = "stock"


@dataclass(frozen=True)
class RowFilter:
    """Rows of a table keyed by session and symbol; bounds are inclusive, None is no bound."""

    start: SessionLike | None = None
    end: SessionLike | None = None
    symbols: Iterable[str] | None = None
    kind: str | None = None

    @classmethod
    def wide(
        cls,
        start: SessionLike | None,
        end: SessionLike | None,
        symbols: Iterable[str] | None,
        kind: str,
    ) -> RowFilter:
        """Rows of a wide frame: its columns are sorted, and each symbol is one of them."""
        return cls(start, end, None if symbols is None else sorted(set(symbols)), kind)

    def select(self, table: Table, fields: Iterable[str] = ()) -> Select:
        """Session, symbol and the fields."""
        return select(*(table.c[name] for name in (*ROW, *fields))).where(*self.conditions(table))

    def conditions(self, table: Table) -> list[ColumnElement[bool]]:
        """For the ``where`` of a statement on this table."""
        conditions: list[ColumnElement[bool]] = []
        if self.start is not None:
            conditions.append(table.c.session >= as_date(self.start))
        if self.end is not None:
            conditions.append(table.c.session <= as_date(self.end))
        if self.symbols is not None:
            conditions.append(table.c.symbol.in_(list(self.symbols)))
        if self.kind is not None:
            of_kind = select(tables.symbols.c.symbol).where(tables.symbols.c.kind == self.kind)
            conditions.append(table.c.symbol.in_(of_kind))
        return conditions

    def axes(self, connection: Connection, rows: Rows) -> tuple[pd.DatetimeIndex, pd.Index]:
        """All sessions in range with any bar of the kind; the symbols given, else the rows' own."""
        symbols = rows.symbols
        if self.symbols is not None:
            symbols = pd.Index(list(self.symbols), name=SYMBOL, dtype="str")
        return sessions_of(connection, replace(self, symbols=None)), symbols


def sessions_of(
    connection: Connection, where: RowFilter, *conditions: ColumnElement[bool]
) -> pd.DatetimeIndex:
    """Sessions in range with a bar of the kind that meets the conditions, sorted.

    Goes from each session to the next one by the table's key: asking for distinct sessions reads
    every bar.
    """
    bars, session = tables.bars, tables.bars.c.session
    in_range = RowFilter(where.start, where.end).conditions(bars)
    walk = select(func.min(session).label(SESSION)).where(*in_range).cte("walk", recursive=True)
    following = select(func.min(session)).where(session > walk.c.session, *in_range)
    walk = walk.union_all(
        select(following.correlate(walk).scalar_subquery()).where(walk.c.session.is_not(None))
    )
    any_bar = select(bars.c.symbol).where(session == walk.c.session, *conditions)
    matches = replace(where, start=None, end=None).conditions(bars)  # quick for few symbols
    if where.kind == STOCK and where.symbols is None:  # one of a session's first bars is a stock's
        matches = [tables.symbols.c.kind == STOCK, tables.symbols.c.symbol == bars.c.symbol]
    matching = select(walk.c.session).where(any_bar.where(*matches).correlate(walk).exists())
    listed = connection.scalars(matching.order_by(walk.c.session)).all()
    return pd.DatetimeIndex(pd.to_datetime(listed), name=SESSION).as_unit("us")


def same_row(one: Table, other: Table) -> ColumnElement[bool]:
    """True where `other` has a row of the session and symbol of `one`."""
    equal = (other.c.session == one.c.session, other.c.symbol == one.c.symbol)
    return select(other.c.symbol).where(*equal).correlate(one).exists()


def next_number(table: Table) -> ScalarSelect:
    """One more than the table's highest, in a statement of a write transaction.

    A database's own counters leave out those of transactions that failed.
    """
    return select(func.coalesce(func.max(table.c.number), 0) + 1).scalar_subquery()


def with_timestamps(rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The same rows with these columns, dates as the database gave them, as timestamps."""
    stamps = {name: pd.DatetimeIndex(pd.to_datetime(rows[name])).as_unit("us") for name in columns}
    return rows.assign(**stamps)


def as_date(session: SessionLike) -> date:
    """The day of a session."""
    return pd.Timestamp(session).date()
