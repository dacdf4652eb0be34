"""What changed in the store, and which result was built from which state of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, Table, delete, func, insert, select

from pipeline.io import tables
from pipeline.io.bulk import Written
from pipeline.io.database import writing
from pipeline.io.queries import Session, as_date, dated


@dataclass(frozen=True)
class Built:
    """A result that was built from the store as it was at `revision`."""

    name: str
    revision: int
    detail: Mapping[str, Any]


class Revisions:
    """The part of a store that numbers its changes and remembers builds."""

    _engine: Engine

    def revision(self) -> int:
        """Number of the newest change, 0 for an empty store."""
        return self.last_change()

    def last_change(
        self,
        kind: str | None = None,
        first_session: Session | None = None,
        last_session: Session | None = None,
        since_revision: int = 0,
    ) -> int:
        """Newest revision after `since_revision` that touched the range, 0 if there is none.

        Parameters
        ----------
        kind
            A table: symbols, bars, indicators, regimes, labels, signals. A change of symbols has no
            sessions and touches every range.
        """
        change = tables.changes.c
        newest = select(func.max(change.revision)).where(change.revision > since_revision)
        if kind is not None:
            newest = newest.where(change.kind == kind)
        if first_session is not None:
            reaches = change.last_session >= as_date(first_session)
            newest = newest.where(reaches | change.last_session.is_(None))
        if last_session is not None:
            begins = change.first_session <= as_date(last_session)
            newest = newest.where(begins | change.first_session.is_(None))
        with self._engine.connect() as connection:
            return connection.scalar(newest) or 0

    def changes(self, since_revision: int = 0) -> pd.DataFrame:
        """Index revision; columns kind, first_session, last_session, symbols (count), at (UTC)."""
        newer = select(tables.changes).where(tables.changes.c.revision > since_revision)
        with self._engine.connect() as connection:
            found = pd.read_sql(newer.order_by("revision"), connection, index_col="revision")
        return dated(found, "first_session", "last_session")

    def causes(self, since_revision: int = 0) -> pd.DataFrame:
        """Whose past changed: columns revision, symbol, what, first_session and bars (count)."""
        newer = select(tables.bar_changes).where(tables.bar_changes.c.revision > since_revision)
        with self._engine.connect() as connection:
            return dated(pd.read_sql(newer, connection), "first_session")

    def mark_built(self, name: str, revision: int, detail: Mapping[str, Any] | None = None) -> None:
        """Note that the result `name` stands as of `revision`; `detail` is kept as JSON."""
        row = {"name": name, "revision": revision, "detail": dict(detail or {})}
        with writing(self._engine) as connection:
            connection.execute(delete(tables.builds).filter_by(name=name))
            connection.execute(insert(tables.builds), row)

    def built(self, name: str) -> Built | None:
        """The newest mark of this name."""
        with self._engine.connect() as connection:
            row = connection.execute(select(tables.builds).filter_by(name=name)).first()
        return None if row is None else Built(row.name, row.revision, row.detail)


def counted(
    connection: Connection, table: Table, written: Written, causes: pd.DataFrame | None = None
) -> Written:
    """Count up the revision, unless nothing changed.

    Parameters
    ----------
    causes
        Index symbol; columns first_session, bars, what: whose past it changed.
    """
    if written.rows:
        change = {
            "kind": table.name,
            "first_session": None if written.first is None else as_date(written.first),
            "last_session": None if written.last is None else as_date(written.last),
            "symbols": written.symbols,
            "at": datetime.now(UTC).replace(tzinfo=None),
        }
        numbered = insert(tables.changes).returning(tables.changes.c.revision)
        revision = connection.scalar(numbered, change)
        if causes is not None and len(causes):
            days = causes["first_session"].dt.date
            listed = causes.assign(revision=revision, first_session=days).reset_index()
            rows: list[dict[str, Any]] = listed.to_dict("records")  # type: ignore[assignment]
            connection.execute(insert(tables.bar_changes), rows)
    return written
