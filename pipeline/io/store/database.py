"""The connection to the store's database: where it is, how it is opened, whose it is."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.schema import CreateColumn

from pipeline.commands import Command
from pipeline.errors import InvalidData, InvalidSettings, NotReady, StoreLocked, StoreTooOld
from pipeline.io.lock import BEGIN
from pipeline.io.store import tables
from pipeline.io.store.upgrades import UPGRADES, upgrade

BUSY_SECONDS = 30
"""How long a statement waits for another one's transaction; readers never wait in WAL mode."""

INGEST = Command("ingest")


def resolve_path(where: str | Path, create: bool) -> Path:
    """The database file of a path or a ``sqlite:///`` URL, its folder made if it may be created.

    Raises
    ------
    InvalidSettings
        The URL is one of another database.
    NotReady
        There is no such file and `create` is false.
    """
    path = Path(where)
    if "://" in str(where):
        url = make_url(str(where))
        if url.get_backend_name() != "sqlite" or not url.database:
            raise InvalidSettings("store", f"{where}", "a path or sqlite:///<path>")
        path = Path(url.database)
    if not path.exists():
        if not create:
            raise NotReady("store", f"there is no store at {path}", "prices", INGEST)
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


def connect(path: Path) -> Engine:
    """An engine whose transactions are SQLite's own, in WAL mode."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # else sqlite3 begins transactions on its own
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql(BEGIN if writes else "BEGIN")

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One write transaction: all of the block, or nothing.

    Raises
    ------
    StoreLocked
        Another connection kept writing for `BUSY_SECONDS`.
    """
    try:
        with engine.execution_options(writes=True).begin() as connection:
            yield connection
    except OperationalError as error:
        if "locked" not in str(error.orig):
            raise
        found = f"another process is writing to {engine.url.database}"
        raise StoreLocked("store", found, "wait for it, or stop that process") from None


def open_schema(engine: Engine, path: Path) -> str:
    """Make or complete the tables; give the store's id, random and made with it.

    Raises
    ------
    StoreTooOld
        A version of the schema wrote it that cannot be upgraded, or a newer one.
    InvalidData
        The file is no store.
    """
    try:
        if not inspect(engine).has_table(tables.meta.name):
            with transaction(engine) as connection:
                _create(connection, path)
        with engine.connect() as connection:
            row = connection.execute(select(tables.meta)).one()
    except DatabaseError as error:
        raise _not_a_store(path, str(error.orig)) from None
    if row.schema_version in UPGRADES:
        with transaction(engine) as connection:
            upgrade(connection)
    elif row.schema_version != tables.SCHEMA_VERSION:
        found = f"{path} has schema {row.schema_version}, this code {tables.SCHEMA_VERSION}"
        needed = "the matching version of the project, or the file moved away and read anew"
        move = shlex.join(["mv", str(path), f"{path}.old"])
        raise StoreTooOld("store", found, needed, (move, INGEST))
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


def _create(connection: Connection, path: Path) -> None:
    names = inspect(connection).get_table_names()
    if "meta" in names:
        return
    if names:
        raise _not_a_store(path, f"it holds the tables {', '.join(sorted(names)[:5])}")
    tables.metadata.create_all(connection)
    row = {"schema_version": tables.SCHEMA_VERSION, "store_id": str(uuid.uuid4())}
    connection.execute(insert(tables.meta), row)


def _not_a_store(path: Path, why: str) -> InvalidData:
    return InvalidData("store", f"{path} is not a store: {why}", "another store.path")
