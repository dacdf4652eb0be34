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
from pipeline.io.queries import as_date, dated


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
        with self._engine.connect() as connection:
            return connection.scalar(select(func.max(tables.changes.c.revision))) or 0

    def changes(self, since_revision: int = 0) -> pd.DataFrame:
        """Index revision; columns kind, first_session, last_session, symbols (count), at (UTC).

        The kind is a table: symbols, bars, indicators, regimes, labels, signals. A change of
        symbols has no sessions and concerns all of them.
        """
        newer = select(tables.changes).where(tables.changes.c.revision > since_revision)
        with self._engine.connect() as connection:
            found = pd.read_sql(newer.order_by("revision"), connection, index_col="revision")
        return dated(found, "first_session", "last_session")

    def causes(self, since_revision: int = 0) -> pd.DataFrame:
        """Whose past changed: columns revision, symbol, what, first_session and bars (count)."""
        newer = select(tables.bar_changes).where(tables.bar_changes.c.revision > since_revision)
        with self._engine.connect() as connection:
            found = pd.read_sql(newer.order_by("revision", "symbol", "what"), connection)
        return dated(found, "first_session")

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
