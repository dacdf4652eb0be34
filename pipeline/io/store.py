"""The store: facts and narrow results of one data source in one SQL database.

Every write is one transaction and idempotent: rows that are already there with the same values are
not touched, and only a write that changed something counts up the revision. SQLite alone for now.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Engine, Select, Table, delete, func, insert, select

from pipeline.io import arrivals, tables
from pipeline.io.arrivals import merged
from pipeline.io.bulk import Written, compared, read, stacked, upsert
from pipeline.io.database import connected, identity, located, writing
from pipeline.io.lock import writer_lock
from pipeline.io.providers import Delivery
from pipeline.io.queries import STOCK, Session, Where, as_date, dated, extent, same_row, sessions_of
from pipeline.io.revisions import Revisions, counted
from pipeline.schemas import BAR_FIELDS, INDICATORS, LABELS, ROW, SESSION, SYMBOL, BarPanel, Panel


class Store(Revisions):
    """Facts and narrow results of one data source; open it with `Store.open`.

    Ranges are inclusive, None means no bound, and symbols default to all.
    """

    def __init__(self, path: Path, engine: Engine, store_id: str, lock_timeout: float) -> None:
        self.path = path
        self.store_id = store_id
        self._engine = engine
        self._lock_timeout = lock_timeout
        self._sessions: dict[Any, pd.DatetimeIndex] = {}

    @classmethod
    def open(cls, where: str | Path, *, create: bool = True, lock_timeout: float = 10.0) -> Store:
        """Open the store in a file, given as a path or as a ``sqlite:///`` URL.

        Parameters
        ----------
        lock_timeout
            Seconds that `writer` waits for another writer.

        Raises
        ------
        NotReady
            There is no store and `create` is false.
        StoreTooOld
            Another version of the schema wrote it.
        InvalidData
            The file is something else.
        """
        path = located(where, create)
        engine = connected(path)
        try:
            return cls(path, engine, identity(engine, path), lock_timeout)
        except BaseException:
            engine.dispose()
            raise

    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()

    def writer(self, stage: str) -> AbstractContextManager[None]:
        """Be the only writer of this store and its snapshots while the block runs.

        Raises
        ------
        StoreLocked
            Another process is writing; its stage and process id are named.
        """
        file = self.path.with_name(f"{self.path.name}.lock")
        return writer_lock(file, stage, self._lock_timeout)

    def write_symbols(self, listed: pd.DataFrame) -> Written:
        """Index symbol; columns exchange, sector, name, kind. Symbols not listed stay.

        Only another description of a symbol counts as a change: what a new one changes, its bars
        tell.
        """
        with writing(self._engine) as connection:
            stored = pd.read_sql(select(tables.symbols), connection, index_col=SYMBOL)
            found = compared(tables.symbols, listed, stored)
            upsert(connection, tables.symbols, found)
            if found.is_changed.any():
                counted(connection, tables.symbols, found.written)
            return found.written

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
        gone: pd.Index | None = None,
    ) -> Written:
        """Write bars, what was quarantined and what is missing; a bar that came ends its gap.

        Parameters
        ----------
        replaced
            Symbols of which every stored bar goes that is not delivered, with what was made of it.
        gone
            Session and symbol of further bars that go.

        Raises
        ------
        InvalidData
            A bar's symbol is not among those of `write_symbols`.
        """
        left_out = {tables.quarantine: delivery.quarantine, tables.gaps: delivery.gaps}
        symbols = list(replaced)
        with writing(self._engine) as connection:
            written = arrivals.write_bars(connection, delivery.bars)
            if symbols:
                stored = arrivals.stored_keys(connection, symbols)
                others = stored[~stored.isin(delivery.bars.index)]
                arrivals.drop(connection, others)
            if gone is not None:
                arrivals.drop(connection, gone)
            for table, rows in left_out.items():
                merged(connection, table, rows.set_index(ROW))
                connection.execute(delete(table).where(same_row(table, tables.bars)))
            return written

    def bars(
        self,
        start: Session | None = None,
        end: Session | None = None,
        symbols: Iterable[str] | None = None,
        kind: str = STOCK,
    ) -> pd.DataFrame:
        """Bars, long, as in a `Delivery`."""
        fields = (*BAR_FIELDS, "final")
        return self._long(tables.bars, fields, Where(start, end, symbols, kind))

    def bar_panel(
        self,
        start: Session | None = None,
        end: Session | None = None,
        symbols: Iterable[str] | None = None,
        kind: str = "stock",
    ) -> BarPanel:
        """Bars, wide.

        Sessions are all in range on which the store has any bar of this kind; symbols are those
        given, sorted, or all that have a bar in range.
        """
        return BarPanel(**self._wide(tables.bars, BAR_FIELDS, start, end, symbols, kind))

    def final_mask(
        self,
        start: Session | None = None,
        end: Session | None = None,
        symbols: Iterable[str] | None = None,
        kind: str = "stock",
    ) -> pd.DataFrame:
        """Wide bool: the bar exists and was read after its session closed. Axes as `bar_panel`."""
        return self._wide(tables.bars, ["final"], start, end, symbols, kind)["final"] == 1

    def sessions(
        self, kind: str = "stock", symbols: Iterable[str] | None = None
    ) -> pd.DatetimeIndex:
        """Sessions on which the store has any bar of this kind, by default of any symbol."""
        names = None if symbols is None else tuple(symbols)
        asked = (kind, names, self.revision())
        if asked not in self._sessions:
            with self._engine.connect() as connection:
                found = sessions_of(connection, Where(kind=kind, symbols=names))
            self._sessions[asked] = found
        return self._sessions[asked]

    def last_final_sessions(self, kind: str = "stock") -> pd.Series:
        """By symbol, the newest session with a final bar; symbols without one are absent."""
        bar = tables.bars.c
        newest = select(bar.symbol, func.max(bar.session).label(SESSION)).group_by(bar.symbol)
        of_kind = Where(kind=kind).conditions(tables.bars)
        found = self._frame(newest.where(*of_kind, bar.final))
        return dated(found, SESSION).astype({SYMBOL: "str"}).set_index(SYMBOL)[SESSION]

    def gaps(self) -> pd.DataFrame:
        """Bars the source lacks: session, symbol (``*``: all), reason."""
        return dated(self._frame(select(tables.gaps).order_by(*ROW)), SESSION)

    def quarantine(self) -> pd.DataFrame:
        """Bars left out, as delivered: session, symbol, reason and their values."""
        return dated(self._frame(select(tables.quarantine).order_by(*ROW)), SESSION)

    def write_indicators(self, panel: Panel, only: pd.DataFrame | None = None) -> Written:
        """Wide frames by the names of ``schemas.INDICATORS``; `only` masks the cells to write."""
        return self._write(tables.indicators, stacked(panel, only))

    def indicator_panel(
        self,
        start: Session | None = None,
        end: Session | None = None,
        symbols: Iterable[str] | None = None,
        fields: Iterable[str] = INDICATORS,
    ) -> dict[str, pd.DataFrame]:
        """Indicators, wide, on the sessions of `bar_panel`."""
        return self._wide(tables.indicators, fields, start, end, symbols, "stock")

    def write_regimes(
        self,
        states: pd.DataFrame,
        index_symbol: str,
        *,
        whole: bool = False,
        switched: bool = False,
    ) -> Written:
        """Index session; columns ``tables.REGIME_FLOATS`` and regime.

        Parameters
        ----------
        whole
            States of later sessions than the first one that are not given go.
        switched
            Another index's states were used before: all of these count as changed.
        """
        table, key = tables.regimes, tables.regimes.c
        keyed = pd.concat({index_symbol: states}, names=[SYMBOL]).swaplevel().rename_axis(ROW)
        with writing(self._engine) as connection:
            if whole:
                days = [as_date(session) for session in states.index]
                later = delete(table).where(key.symbol == index_symbol, key.session >= days[0])
                connection.execute(later.where(key.session.not_in(days)))
            written = merged(connection, table, keyed)
            if switched:
                first, last = states.index[0], states.index[-1]
                written = Written(0, len(states), 0, 1, first, last)
            return counted(connection, table, written)

    def regimes(self, index_symbol: str) -> pd.DataFrame:
        """States known at the open of each session, as given to `write_regimes`."""
        fields = (*tables.REGIME_FLOATS, "regime")
        return self._long(tables.regimes, fields, Where(symbols=[index_symbol])).droplevel(SYMBOL)

    def write_labels(self, panel: Panel) -> Written:
        """Wide frames by the names of ``schemas.LABELS``."""
        return self._write(tables.labels, stacked(panel))

    def labels(
        self,
        start: Session | None = None,
        end: Session | None = None,
        symbols: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Labels, long, float64."""
        return self._long(tables.labels, LABELS, Where(start, end, symbols))

    def label_ready_sessions(self) -> pd.DatetimeIndex:
        """Sessions on which the final bar of at least one stock exists."""
        with self._engine.connect() as connection:
            return sessions_of(connection, Where(kind=STOCK), tables.bars.c.final)

    def bar_count(
        self,
        kind: str = STOCK,
        start: Session | None = None,
        symbols: Iterable[str] | None = None,
    ) -> int:
        """Number of bars."""
        rows = Where(start, None, symbols, kind).rows(tables.bars)
        rows = rows.with_only_columns(func.count())
        with self._engine.connect() as connection:
            return int(connection.scalar(rows) or 0)

    def write_signals(
        self, orders: pd.DataFrame, session: Session, model_version: str | int
    ) -> None:
        """Replace the signals of one model version for one session; none is an answer too.

        Parameters
        ----------
        orders
            Columns symbol, rank, side and ``tables.SIGNAL_FLOATS``.
        """
        key = {"session": as_date(session), "model_version": str(model_version)}
        columns = [column.name for column in tables.signals.columns if column.name not in key]
        listed = zip(*(orders[name].tolist() for name in columns), strict=True)
        rows = [key | dict(zip(columns, row, strict=True)) for row in listed]
        span = pd.Timestamp(session)
        with writing(self._engine) as connection:
            connection.execute(delete(tables.signals).filter_by(**key))
            if rows:
                connection.execute(insert(tables.signals), rows)
            written = Written(len(rows), 0, 0, len(rows), span, span)
            counted(connection, tables.signals, written)

    def signals(
        self, session: Session | None = None, model_version: str | int | None = None
    ) -> pd.DataFrame:
        """Signals by session, model version and rank; both arguments narrow them down."""
        statement = select(tables.signals).order_by(SESSION, "model_version", "rank")
        if session is not None:
            statement = statement.filter_by(session=as_date(session))
        if model_version is not None:
            statement = statement.filter_by(model_version=str(model_version))
        return dated(self._frame(statement), SESSION)

    def counts(self) -> dict[str, dict[str, Any]]:
        """Rows of each table; for those by session also sessions, symbols, first and last."""
        counted_tables = [t for t in tables.metadata.sorted_tables if t is not tables.meta]
        with self._engine.connect() as connection:
            found = {t.name: connection.execute(extent(t)).mappings().one() for t in counted_tables}
        return {name: dict(row) for name, row in found.items()}

    def _frame(self, statement: Select) -> pd.DataFrame:
        with self._engine.connect() as connection:
            return pd.read_sql(statement, connection)

    def _long(self, table: Table, fields: Iterable[str], where: Where) -> pd.DataFrame:
        with self._engine.connect() as connection:
            return read(connection, where.rows(table, fields)).long()

    def _wide(
        self,
        table: Table,
        fields: Iterable[str],
        start: Session | None,
        end: Session | None,
        symbols: Iterable[str] | None,
        kind: str,
    ) -> dict[str, pd.DataFrame]:
        names = None if symbols is None else sorted(set(symbols))
        where = Where(start, end, names, kind)
        with self._engine.connect() as connection:
            rows = read(connection, where.rows(table, fields))
            return rows.wide(*where.axes(connection, rows))

    def _write(self, table: Table, rows: pd.DataFrame) -> Written:
        with writing(self._engine) as connection:
            return counted(connection, table, merged(connection, table, rows))
