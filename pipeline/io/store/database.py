"""The store's database: its tables, their version, and its write transactions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Column, Connection, Engine, insert, inspect, select
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.schema import CreateColumn

from pipeline.commands import Command
from pipeline.errors import InvalidData, StoreLocked, StoreTooOld
from pipeline.io.store import tables
from pipeline.io.store.protocol import database_of
from pipeline.io.store.upgrades import upgrade

INGEST = Command("ingest")


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One write transaction: all of the block, or nothing.

    Raises
    ------
    StoreLocked
        Another connection kept writing for `BUSY_SECONDS`.
    """
    database = database_of(engine)
    try:
        with engine.execution_options(writes=True).begin() as connection:
            yield connection
    except OperationalError as error:
        if not database.is_busy(error):
            raise
        found = f"another process is writing to {database.name}"
        raise StoreLocked("store", found, "wait for it, or stop that process") from None


def open_schema(engine: Engine) -> str:
    """Make or complete the tables; give the store's id, random and made with it.

    Raises
    ------
    StoreTooOld
        A version of the schema wrote it that cannot be upgraded, or a newer one.
    InvalidData
        It is no store.
    NotReady
        The database does not answer.
    """
    database = database_of(engine)
    try:
        if not inspect(engine).has_table(tables.meta.name):
            with transaction(engine) as connection:
                _create(connection)
        with engine.connect() as connection:
            row = connection.execute(select(tables.meta)).one()
    except DatabaseError as error:
        raise database.unusable(error) from None
    if 1 <= row.schema_version < tables.SCHEMA_VERSION:
        with transaction(engine) as connection:
            upgrade(connection)
    elif row.schema_version != tables.SCHEMA_VERSION:
        has, knows = row.schema_version, tables.SCHEMA_VERSION
        found = f"{database.name} has schema {has}, this code {knows}"
        needed = "the matching version of the project, or the store moved away and ingested again"
        raise StoreTooOld("store", found, needed, (*database.old_schema_commands(), INGEST))
    _complete(engine)
    return str(row.store_id)


def _complete(engine: Engine) -> None:
    """Make the tables, and the columns of tables, that came after this store.

    Columns are looked for again inside the transaction: another process may be quicker.
    """
    if not set(tables.metadata.tables).issubset(inspect(engine).get_table_names()):
        with transaction(engine) as connection:
            tables.metadata.create_all(connection)
    with engine.connect() as connection:
        is_complete = not _missing_columns(connection)
    if not is_complete:
        with transaction(engine) as connection:
            for column in _missing_columns(connection):
                added = CreateColumn(column).compile(dialect=engine.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {column.table.name} ADD COLUMN {added}")


def _missing_columns(connection: Connection) -> list[Column]:
    """Columns that the store's tables lack, all of which may be empty."""
    there = inspect(connection).get_multi_columns()
    names = {table: {column["name"] for column in columns} for (_, table), columns in there.items()}
    return [
        column
        for table in tables.metadata.sorted_tables
        for column in table.columns
        if column.name not in names[table.name]
    ]


def _create(connection: Connection) -> None:
    names = inspect(connection).get_table_names()
    if "meta" in names:
        return
    if names:
        found = f"it holds the tables {', '.join(sorted(names)[:5])}"
        name = database_of(connection).name
        raise InvalidData("store", f"{name} is not a store: {found}", "another place for it")
    tables.metadata.create_all(connection)
    row = {"schema_version": tables.SCHEMA_VERSION, "store_id": str(uuid.uuid4())}
    connection.execute(insert(tables.meta), row)
