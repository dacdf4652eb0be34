"""Stores of an older schema, brought to the present one in place: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, inspect, select, text, update

from pipeline.io.store import tables


def upgrade(connection: Connection) -> None:
    """Go from the store's schema to the present one, step by step, in the caller's transaction.

    Another process may have been quicker: the version is read inside the transaction.
    """
    version = connection.scalars(select(tables.meta.c.schema_version)).one()
    while version in UPGRADES:
        UPGRADES[version](connection)
        version += 1
        connection.execute(update(tables.meta).values(schema_version=version))


def _revisions_become_texts(connection: Connection) -> None:
    """Version 1 knew a change by its number alone, which becomes its revision.

    No change that comes later has such a revision, so results of version 1 stay what they were,
    and those that are newer than a backup put back later are distinguished from its own.
    """
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


UPGRADES: Mapping[int, Callable[[Connection], None]] = {1: _revisions_become_texts}
"""By version, the step to the next one."""
