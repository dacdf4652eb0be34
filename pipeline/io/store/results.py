"""Narrow results: indicators, regimes, labels and signals, each beside the bars it was made of."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from sqlalchemy import Table, delete, insert, select

from pipeline.io.store import tables
from pipeline.io.store.bar_writes import merge, merge_results
from pipeline.io.store.bulk import WriteResult, stacked
from pipeline.io.store.connection import StoreConnection
from pipeline.io.store.database import transaction
from pipeline.io.store.digests import record_digests
from pipeline.io.store.queries import STOCK, RowFilter, SessionLike, as_date, with_timestamps
from pipeline.io.store.revisions import record_change
from pipeline.schemas import INDICATORS, LABELS, ROW, SESSION, SYMBOL, Panel


class Results(StoreConnection):
    """The part of a store that the stages fill."""

    def write_indicators(self, panel: Panel, only: pd.DataFrame | None = None) -> WriteResult:
        """Wide frames by the names of ``schemas.INDICATORS``; `only` masks the cells to write."""
        return self._merge(tables.indicators, stacked(panel, only))

    def indicator_panel(
        self,
        start: SessionLike | None = None,
        end: SessionLike | None = None,
        symbols: Iterable[str] | None = None,
        fields: Iterable[str] = INDICATORS,
    ) -> dict[str, pd.DataFrame]:
        """Indicators, wide, on the sessions of `Store.bar_panel`."""
        return self._wide(tables.indicators, fields, RowFilter.wide(start, end, symbols, STOCK))

    def write_regimes(
        self,
        states: pd.DataFrame,
        index_symbol: str,
        *,
        whole: bool = False,
        switched: bool = False,
    ) -> WriteResult:
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
        with transaction(self._engine) as connection:
            if whole:
                days = [as_date(session) for session in states.index]
                later = delete(table).where(key.symbol == index_symbol, key.session >= days[0])
                connection.execute(later.where(key.session.not_in(days)))
            result = merge(connection, table, keyed)
            if whole:
                record_digests(connection, table, days[0])
            if switched:
                first, last = states.index[0], states.index[-1]
                result = WriteResult(0, len(states), 0, 1, first, last)
            return record_change(connection, table, result)

    def regimes(self, index_symbol: str) -> pd.DataFrame:
        """States known at the open of each session, as given to `write_regimes`."""
        fields = (*tables.REGIME_FLOATS, "regime")
        rows = RowFilter(symbols=[index_symbol])
        return self._long(tables.regimes, fields, rows).droplevel(SYMBOL)

    def write_labels(self, panel: Panel) -> WriteResult:
        """Wide frames by the names of ``schemas.LABELS``."""
        return self._merge(tables.labels, stacked(panel))

    def labels(
        self,
        start: SessionLike | None = None,
        end: SessionLike | None = None,
        symbols: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Labels, long, float64: simple returns from a session's open."""
        return self._long(tables.labels, LABELS, RowFilter(start, end, symbols))

    def write_signals(
        self, orders: pd.DataFrame, session: SessionLike, model_version: str | int
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
        with transaction(self._engine) as connection:
            connection.execute(delete(tables.signals).filter_by(**key))
            if rows:
                connection.execute(insert(tables.signals), rows)
            result = WriteResult(len(rows), 0, 0, len(rows), span, span)
            record_digests(connection, tables.signals, session, session)
            record_change(connection, tables.signals, result)

    def signals(
        self, session: SessionLike | None = None, model_version: str | int | None = None
    ) -> pd.DataFrame:
        """Signals by session, model version and rank; both arguments narrow them down."""
        statement = select(tables.signals).order_by(SESSION, "model_version", "rank")
        if session is not None:
            statement = statement.filter_by(session=as_date(session))
        if model_version is not None:
            statement = statement.filter_by(model_version=str(model_version))
        return with_timestamps(self._frame(statement), SESSION)

    def _merge(self, table: Table, rows: pd.DataFrame) -> WriteResult:
        """Merge long rows and record the change."""
        with transaction(self._engine) as connection:
            return merge_results(connection, table, rows)
