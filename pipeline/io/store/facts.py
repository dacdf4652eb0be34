"""Facts: symbols, bars, and the bars that a source lacks or that were quarantined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from sqlalchemy import Engine, delete, func, select

from pipeline.io.sources.protocol import Delivery
from pipeline.io.store import bar_writes, tables
from pipeline.io.store.bulk import WriteResult, compare, upsert
from pipeline.io.store.connection import StoreConnection
from pipeline.io.store.database import transaction
from pipeline.io.store.digests import record_digests
from pipeline.io.store.events import write_actions
from pipeline.io.store.queries import (
    STOCK,
    RowFilter,
    SessionLike,
    same_row,
    sessions_of,
    with_timestamps,
)
from pipeline.io.store.revisions import newest_revision, record_change
from pipeline.schemas import BAR_FIELDS, ROW, SESSION, SYMBOL, BarPanel


class Facts(StoreConnection):
    """The part of a store that a source fills."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._sessions: dict[Any, pd.DatetimeIndex] = {}

    def write_symbols(self, listed: pd.DataFrame) -> WriteResult:
        """Index symbol; columns exchange, sector, name, kind. Symbols not listed stay.

        Only another description of a symbol counts as a change: what a new one changes, its bars
        tell.
        """
        with transaction(self._engine) as connection:
            stored = pd.read_sql(select(tables.symbols), connection, index_col=SYMBOL)
            comparison = compare(tables.symbols, listed, stored)
            upsert(connection, tables.symbols, comparison)
            if comparison.is_changed.any():
                record_change(connection, tables.symbols, comparison.result)
            elif comparison.is_new.any():
                record_digests(connection, tables.symbols)
            return comparison.result

    def symbols(self, kind: str | None = None) -> pd.DataFrame:
        """Index symbol, sorted; columns exchange, sector, name (missing: NaN), kind.

        Parameters
        ----------
        kind
            "stock" or "index", None for both.
        """
        statement = select(tables.symbols).order_by(SYMBOL)
        if kind is not None:
            statement = statement.filter_by(kind=kind)
        return self._frame(statement).astype("str").set_index(SYMBOL)

    def write_bars(
        self,
        delivery: Delivery,
        replaced: Iterable[str] = (),
        withdrawn: pd.Index | None = None,
    ) -> WriteResult:
        """Write bars, what was quarantined, what is missing (a bar ends its gap), what goes ex.

        Parameters
        ----------
        delivery
            Prices in currency per share, volumes in shares.
        replaced
            Symbols of which every stored bar goes that is not delivered, with what was made of it.
        withdrawn
            Session and symbol of further bars that go.

        Raises
        ------
        InvalidData
            A bar's symbol is not among those of `write_symbols`.
        """
        left_out = {tables.quarantine: delivery.quarantine, tables.gaps: delivery.gaps}
        symbols = list(replaced)
        with transaction(self._engine) as connection:
            result = bar_writes.write_bars(connection, delivery.bars)
            if symbols:
                stored = bar_writes.stored_keys(connection, symbols)
                others = stored[~stored.isin(delivery.bars.index)]
                bar_writes.delete_bars(connection, others)
            if withdrawn is not None:
                bar_writes.delete_bars(connection, withdrawn)
            for table, rows in left_out.items():
                bar_writes.merge(connection, table, rows.set_index(ROW))
                connection.execute(delete(table).where(same_row(table, tables.bars)))
            write_actions(connection, delivery.actions, symbols)
            return result

    def bars(
        self,
        start: SessionLike | None = None,
        end: SessionLike | None = None,
        symbols: Iterable[str] | None = None,
        kind: str = STOCK,
    ) -> pd.DataFrame:
        """Bars, long, as in a `Delivery`."""
        fields = (*BAR_FIELDS, "final")
        return self._long(tables.bars, fields, RowFilter(start, end, symbols, kind))

    def bar_panel(
        self,
        start: SessionLike | None = None,
        end: SessionLike | None = None,
        symbols: Iterable[str] | None = None,
        kind: str = STOCK,
    ) -> BarPanel:
        """Bars, wide: float64 frames, sessions x symbols.

        Sessions are all in range on which the store has any bar of this kind; symbols are those
        given, sorted, or all that have a bar in range.
        """
        rows = RowFilter.wide(start, end, symbols, kind)
        return BarPanel(**self._wide(tables.bars, BAR_FIELDS, rows))

    def final_mask(
        self,
        start: SessionLike | None = None,
        end: SessionLike | None = None,
        symbols: Iterable[str] | None = None,
        kind: str = STOCK,
    ) -> pd.DataFrame:
        """Wide bool: the bar exists and was read after its session closed. Axes as `bar_panel`."""
        rows = RowFilter.wide(start, end, symbols, kind)
        return self._wide(tables.bars, ["final"], rows)["final"] == 1

    def sessions(self, kind: str = STOCK, symbols: Iterable[str] | None = None) -> pd.DatetimeIndex:
        """Sessions on which the store has any bar of this kind, by default of any symbol."""
        names = None if symbols is None else tuple(symbols)
        with self._engine.connect() as connection:
            key = (kind, names, newest_revision(connection))
            if key not in self._sessions:
                rows = RowFilter(kind=kind, symbols=names)
                self._sessions[key] = sessions_of(connection, rows)
        return self._sessions[key]

    def last_final_sessions(self, kind: str = STOCK) -> pd.Series:
        """By symbol, the newest session with a final bar; symbols without one are absent."""
        bar = tables.bars.c
        newest = select(bar.symbol, func.max(bar.session).label(SESSION)).group_by(bar.symbol)
        of_kind = RowFilter(kind=kind).conditions(tables.bars)
        rows = self._frame(newest.where(*of_kind, bar.final))
        return with_timestamps(rows, SESSION).astype({SYMBOL: "str"}).set_index(SYMBOL)[SESSION]

    def label_ready_sessions(self) -> pd.DatetimeIndex:
        """Sessions on which the final bar of at least one stock exists."""
        with self._engine.connect() as connection:
            return sessions_of(connection, RowFilter(kind=STOCK), tables.bars.c.final)

    def bar_count(
        self,
        kind: str = STOCK,
        start: SessionLike | None = None,
        symbols: Iterable[str] | None = None,
    ) -> int:
        """Number of bars."""
        rows = RowFilter(start, None, symbols, kind).select(tables.bars)
        with self._engine.connect() as connection:
            return int(connection.scalar(rows.with_only_columns(func.count())) or 0)

    def gaps(self) -> pd.DataFrame:
        """Bars the source lacks: session, symbol (``*``: all), reason."""
        return with_timestamps(self._frame(select(tables.gaps).order_by(*ROW)), SESSION)

    def quarantine(
        self,
        start: SessionLike | None = None,
        end: SessionLike | None = None,
        symbols: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Bars left out, as delivered: session, symbol, reason and their values."""
        conditions = RowFilter(start, end, symbols).conditions(tables.quarantine)
        rows = select(tables.quarantine).where(*conditions).order_by(*ROW)
        return with_timestamps(self._frame(rows), SESSION)

    def quarantine_by_rule(self) -> dict[str, int]:
        """How many bars each rule quarantined."""
        rule = tables.quarantine.c.reason
        counted = self._frame(select(rule, func.count().label("bars")).group_by(rule))
        return dict(zip(counted["reason"].astype("str"), counted["bars"].astype(int), strict=True))
