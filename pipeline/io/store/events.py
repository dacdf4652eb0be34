"""Dates of companies as a source lists them: splits, and when earnings are announced.

They are there to be looked at; bars, features and forecasts are made without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
from sqlalchemy import Connection, Table, delete, select

from pipeline.io.sources.protocol import Earnings
from pipeline.io.store import bar_writes, tables
from pipeline.io.store.bulk import WriteResult, read_rows
from pipeline.io.store.connection import StoreConnection
from pipeline.io.store.database import transaction
from pipeline.io.store.queries import RowFilter, SessionLike, with_timestamps
from pipeline.schemas import ROW, SESSION, SYMBOL


class Events(StoreConnection):
    """The part of a store that knows dates of companies."""

    def splits(
        self,
        start: SessionLike | None = None,
        end: SessionLike | None = None,
        symbols: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Splits: session, symbol, ratio (new shares for one old one, from this session on)."""
        return self._listed(tables.splits, RowFilter(start, end, symbols))

    def earnings(
        self,
        start: SessionLike | None = None,
        end: SessionLike | None = None,
        symbols: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Earnings dates: columns of ``tables.earnings``; known from ``first_known`` on only."""
        return self._listed(tables.earnings, RowFilter(start, end, symbols))

    def write_earnings(self, given: Earnings) -> WriteResult:
        """Keep dates; one that is known already stays known since then, with the newer numbers."""
        if given.rows.empty:
            return WriteResult.empty()
        downloaded_at = given.downloaded_at.isoformat()
        rows = given.rows.assign(first_known=downloaded_at, last_known=downloaded_at).set_index(ROW)
        of_symbols = RowFilter(symbols=list(rows.index.unique(SYMBOL)))
        known = of_symbols.select(tables.earnings, ["first_known"])
        with transaction(self._engine) as connection:
            before = read_rows(connection, known).long()["first_known"].reindex(rows.index)
            rows["first_known"] = before.fillna(rows["first_known"])
            return bar_writes.merge(connection, tables.earnings, rows)

    def _listed(self, table: Table, rows: RowFilter) -> pd.DataFrame:
        statement = select(table).where(*rows.conditions(table)).order_by(*ROW)
        return with_timestamps(self._frame(statement), SESSION)


def write_splits(connection: Connection, actions: pd.DataFrame, replaced: Sequence[str]) -> None:
    """Merge splits; those of symbols whose whole history was read again take the place of all.

    Parameters
    ----------
    actions
        Of ``protocol.Delivery``.
    """
    splits = actions[actions["split"].notna()].rename(columns={"split": "ratio"})
    if replaced:
        connection.execute(delete(tables.splits).where(tables.splits.c.symbol.in_(replaced)))
    bar_writes.merge(connection, tables.splits, splits.set_index(ROW)[["ratio"]])
