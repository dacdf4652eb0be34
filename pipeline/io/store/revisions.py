"""What changed in the store, and which result was built from which state of it.

A state of the store is known by the revision of its newest change: a random text, so that two
states are the same exactly if their revisions are. A number would not do: put a backup back, and
the next change has a number that results on disk already name. Which of two states is the later one
is a question to the store alone, and it answers only for revisions of its own past.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select

from pipeline.io.store import tables
from pipeline.io.store.bulk import WriteResult
from pipeline.io.store.connection import StoreConnection
from pipeline.io.store.database import transaction
from pipeline.io.store.digests import record_digests
from pipeline.io.store.queries import as_date, next_number, with_timestamps

EMPTY = ""
"""Revision of a store in which nothing changed yet."""


@dataclass(frozen=True)
class BuildMark:
    """A result that was built from the store as it was at `revision`."""

    name: str
    revision: str
    detail: Mapping[str, Any]


class Revisions(StoreConnection):
    """The part of a store that lists its changes and remembers builds."""

    def revision(self) -> str:
        """Of the newest change, `EMPTY` where there is none; equal revisions are equal states."""
        with self._engine.connect() as connection:
            return newest_revision(connection)

    def changes(self, since_revision: str | None = None) -> pd.DataFrame:
        """Changes after a revision, by default all; also all where it is none of the store's past.

        Index number, ascending; columns revision, kind, first_session, last_session, symbols
        (count), at (UTC). The kind is a table: symbols, bars, actions, indicators, regimes,
        labels, signals; or splits: those of the actions, which change all quotes before them.
        A change of symbols has no sessions and concerns all of them.
        """
        with self._engine.connect() as connection:
            newer = select(tables.changes).where(_after(connection, tables.changes, since_revision))
            changes = pd.read_sql(newer.order_by("number"), connection, index_col="number")
        return with_timestamps(changes, "first_session", "last_session")

    def causes(self, since_revision: str | None = None) -> pd.DataFrame:
        """Whose past changed: columns number, symbol, what, first_session and bars (count).

        Since when: as in `changes`.
        """
        table = tables.bar_changes
        with self._engine.connect() as connection:
            newer = select(table).where(_after(connection, table, since_revision))
            causes = pd.read_sql(newer.order_by("number", "symbol", "what"), connection)
        return with_timestamps(causes, "first_session")

    def mark_built(self, name: str, revision: str, detail: Mapping[str, Any] | None = None) -> None:
        """Note that the result `name` stands as of `revision`; `detail` is kept as JSON."""
        row = {"name": name, "revision": revision, "detail": dict(detail or {})}
        with transaction(self._engine) as connection:
            connection.execute(delete(tables.builds).filter_by(name=name))
            connection.execute(insert(tables.builds), row)
            record_digests(connection, tables.builds)

    def built(self, name: str) -> BuildMark | None:
        """The newest mark of this name."""
        with self._engine.connect() as connection:
            row = connection.execute(select(tables.builds).filter_by(name=name)).first()
        return None if row is None else BuildMark(row.name, row.revision, row.detail)


def numbers_in(history: pd.DataFrame, revisions: Iterable[str]) -> np.ndarray:
    """Place of each revision in the store's past (int64), 0 for `EMPTY`.

    -1 stands for one that is not in it: of a state that a restored backup does not know.

    Parameters
    ----------
    history
        All changes, as `Revisions.changes` gives them.
    """
    known = dict(zip(history["revision"], history.index, strict=True))
    known[EMPTY] = 0
    return np.array([known.get(name, -1) for name in revisions], dtype=np.int64)


def newest_revision(connection: Connection) -> str:
    """Revision of the newest change, `EMPTY` where there is none."""
    changes = tables.changes.c
    newest = select(changes.revision).order_by(changes.number.desc()).limit(1)
    return connection.scalar(newest) or EMPTY


def record_change(
    connection: Connection,
    table: Table,
    result: WriteResult,
    causes: pd.DataFrame | None = None,
    held: pd.DataFrame | None = None,
    kind: str | None = None,
) -> WriteResult:
    """Give the store another revision and record digests, unless nothing changed.

    Parameters
    ----------
    causes
        Index symbol; columns first_session, bars, what: whose past it changed.
    held
        All that the months of the change hold, as in ``digests.record_digests``.
    kind
        Of the change, by default the table's name.
    """
    if result.rows:
        change = {
            "number": next_number(tables.changes),
            "revision": secrets.token_hex(8),
            "kind": kind or table.name,
            "first_session": None if result.first is None else as_date(result.first),
            "last_session": None if result.last is None else as_date(result.last),
            "symbols": result.symbols,
            "at": datetime.now(UTC).replace(tzinfo=None),
        }
        record_digests(connection, table, result.first, result.last, held)
        number = connection.scalar(
            insert(tables.changes).values(change).returning(tables.changes.c.number)
        )
        record_digests(connection, tables.changes)
        if causes is not None and len(causes):
            days = causes["first_session"].dt.date
            listed = causes.assign(number=number, first_session=days).reset_index()
            rows: list[dict[str, Any]] = listed.to_dict("records")  # type: ignore[assignment]
            connection.execute(insert(tables.bar_changes), rows)
    return result


def _after(connection: Connection, table: Table, revision: str | None) -> ColumnElement[bool]:
    changes = tables.changes.c
    number = connection.scalar(select(changes.number).where(changes.revision == revision)) or 0
    return table.c.number > number
