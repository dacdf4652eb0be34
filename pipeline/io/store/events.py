"""Dates of companies as a source lists them: what goes ex, and when earnings are announced.

Bars, features and forecasts are made without them. What goes ex is not traded on its gap; splits
lead from the store's prices back to those that were quoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Table, select

from pipeline.io.sources.protocol import Delivery, Earnings
from pipeline.io.store import bar_writes, tables
from pipeline.io.store.bulk import WriteResult, read_rows
from pipeline.io.store.connection import StoreConnection
from pipeline.io.store.database import transaction
from pipeline.io.store.queries import STOCK, RowFilter, SessionLike, with_timestamps
from pipeline.io.store.revisions import record_change
from pipeline.schemas import ROW, SESSION, SYMBOL

SPLITS = "splits"
"""Kind of a change of splits."""


class Events(StoreConnection):
    """The part of a store that knows dates of companies."""

    def splits(
        self,
        start: SessionLike | None = None,
        end: SessionLike | None = None,
        symbols: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Splits: session, symbol, ratio (new shares for one old one, from this session on)."""
        listed = self._listed(tables.actions, RowFilter(start, end, symbols))
        splits = listed[listed["split"].notna()].drop(columns="dividend")
        return splits.rename(columns={"split": "ratio"}).reset_index(drop=True)

    def goes_ex(
        self,
        start: SessionLike | None = None,
        end: SessionLike | None = None,
        symbols: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Wide bool: a split or a dividend goes ex, as far as the source reports it.

        Sessions as in `Facts.bar_panel`; symbols are those given, sorted, or all that have one.
        """
        rows = RowFilter.wide(start, end, symbols, STOCK)
        wide = self._wide(tables.actions, ("split", "dividend"), rows)
        return wide["split"].notna() | wide["dividend"].notna()

    def price_factor(self, sessions: pd.DatetimeIndex) -> pd.DataFrame | None:
        """What stored prices of these sessions are multiplied by, see `price_factor`."""
        return price_factor(self.splits(), sessions)

    def withdraw_actions(self, whole: Delivery) -> None:
        """Of all that a source has: what it no longer reports goes, from its first bar on."""
        if whole.bars.empty:
            return
        days, names = (whole.bars.index.unique(level) for level in ROW)
        reported = pd.MultiIndex.from_frame(whole.actions[list(ROW)])
        with transaction(self._engine) as connection, _splits_recorded(connection):
            stored = bar_writes.stored_keys(connection, names, tables.actions, days.min())
            bar_writes.delete_actions(connection, stored[~stored.isin(reported)])

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


def write_actions(connection: Connection, actions: pd.DataFrame, replaced: Sequence[str]) -> None:
    """Merge splits and dividends; of symbols whose whole history was read again they are all.

    Parameters
    ----------
    actions
        Of ``protocol.Delivery``.
    """
    reported = actions.groupby(ROW).first()
    with _splits_recorded(connection):
        if replaced:
            stored = bar_writes.stored_keys(connection, replaced, tables.actions)
            bar_writes.delete_actions(connection, stored[~stored.isin(reported.index)])
        bar_writes.merge_results(connection, tables.actions, reported)


def price_factor(splits: pd.DataFrame, sessions: pd.DatetimeIndex) -> pd.DataFrame | None:
    """What a stored price of each session is multiplied by to get the one quoted then.

    The product of all ratios after the session: that of the session itself is in its quotes.

    Parameters
    ----------
    splits
        Session, symbol and ratio.

    Returns
    -------
    pd.DataFrame
        Sessions x the symbols that were split, sorted; None where none was.

    Examples
    --------
    >>> days = pd.date_range("2020-01-01", periods=3)
    >>> split = pd.DataFrame({"session": days[1:2], "symbol": "A", "ratio": 4.0})
    >>> price_factor(split, days)["A"].to_list()
    [4.0, 1.0, 1.0]
    """
    if splits.empty:
        return None
    names = pd.Index(sorted(splits[SYMBOL].unique()), name=SYMBOL, dtype="str")
    factor = np.ones((len(sessions), len(names)))
    places = sessions.searchsorted(pd.DatetimeIndex(splits[SESSION]))
    columns = names.get_indexer(splits[SYMBOL])
    for end, column, ratio in zip(places, columns, splits["ratio"], strict=True):
        factor[:end, column] *= ratio
    return pd.DataFrame(factor, sessions, names)


@contextmanager
def _splits_recorded(connection: Connection) -> Iterator[None]:
    """Record a change of splits beside that of actions: it changes all quoted prices before it."""
    actions = tables.actions.c
    statement = select(*(actions[name] for name in (*ROW, "split"))).where(
        actions.split.is_not(None)
    )
    before = set(map(tuple, connection.execute(statement)))
    yield
    changed = before.symmetric_difference(map(tuple, connection.execute(statement)))
    if changed:
        days, names, _ = zip(*changed, strict=True)
        last = pd.Timestamp(max(days))
        result = WriteResult(0, len(changed), 0, len(set(names)), None, last)
        record_change(connection, tables.actions, result, kind=SPLITS)
