"""Stores of an older schema, brought to the present one in place: all of it, or nothing.

Alembic runs the steps, in the caller's transaction. The number in ``meta`` is what counts: it is
read without Alembic at every start, and by older versions of the project.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, select, update

from pipeline.io.store import tables

FOLDER = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Go from the store's schema to the present one, step by step, in the caller's transaction.

    Another process may have been quicker: the version is read inside the transaction.
    """
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    version = connection.scalars(select(tables.meta.c.schema_version)).one()
    if version == tables.SCHEMA_VERSION:
        return
    scripts = ScriptDirectory(str(FOLDER))
    with EnvironmentContext(
        Config(), scripts, fn=lambda heads, _: scripts._upgrade_revs("head", heads)
    ) as environment:
        environment.configure(connection=connection, target_metadata=tables.metadata)
        environment.get_context().stamp(scripts, str(version))
        environment.run_migrations()
    _number(connection, tables.SCHEMA_VERSION)


def _number(connection: Connection, version: int) -> None:
    connection.execute(update(tables.meta).values(schema_version=version))
