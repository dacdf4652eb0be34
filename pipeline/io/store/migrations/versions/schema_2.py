"""Revisions become texts."""

from __future__ import annotations

from alembic import op
from sqlalchemy import inspect, text

from pipeline.io.store import tables

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Let the number by which version 1 knew a change be its revision.

    No change that comes later has such a revision, so results of version 1 stay what they were,
    and those that are newer than a backup put back later are distinguished from its own.
    """
    connection = op.get_bind()
    names = inspect(connection).get_table_names()
    copied = {
        tables.changes: "number, revision, kind, first_session, last_session, symbols, at "
        "SELECT revision, CAST(revision AS TEXT), kind, first_session, last_session, symbols, at",
        tables.bar_changes: "number, symbol, what, first_session, bars "
        "SELECT revision, symbol, what, first_session, bars",
        tables.builds: "name, revision, detail "
        "SELECT name, CASE revision WHEN 0 THEN '' ELSE CAST(revision AS TEXT) END, detail",
    }
    for table, columns in copied.items():
        if table.name not in names:
            continue
        connection.execute(text(f"ALTER TABLE {table.name} RENAME TO old_{table.name}"))
        table.create(connection)
        into, _, source = columns.partition(" SELECT ")
        rows = f"INSERT INTO {table.name} ({into}) SELECT {source} FROM old_{table.name}"
        connection.execute(text(rows))
        connection.execute(text(f"DROP TABLE old_{table.name}"))
