"""A store in an SQLite file: for one machine, with nothing to set up."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Date, Engine, Select, Table, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from pipeline.errors import InvalidData, InvalidSettings, PipelineError
from pipeline.io.lock import BEGIN, writer_lock
from pipeline.io.outside import damaged_database, restore_command
from pipeline.io.store.protocol import BUSY_SECONDS, OPTION, READ_CHUNK
from pipeline.schemas import SESSION
from pipeline.secrets import masked

WRITE_CHUNK = 20_000


@dataclass(frozen=True)
class Sqlite:
    """The file `path`, with its locks beside it; see `protocol.Database`."""

    path: Path

    @classmethod
    def at(cls, where: str | Path) -> Sqlite:
        """In the file of a path or of a ``sqlite:///`` URL.

        Raises
        ------
        InvalidSettings
            The URL is one of another database.
        """
        if "://" not in str(where):
            return cls(Path(where))
        url = make_url(str(where))
        if url.get_backend_name() != "sqlite" or not url.database:
            needed = "a path or sqlite:///<path>; PostgreSQL by store=postgres"
            raise InvalidSettings("store", masked(f"{where}"), needed)
        return cls(Path(url.database))

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def folder(self) -> Path:
        """Where the file lies."""
        return self.path.parent

    def exists(self) -> bool:
        """Whether there is a file."""
        return self.path.exists()

    def make(self) -> None:
        """Make its folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def connect(self) -> Engine:
        """An engine whose transactions are SQLite's own, in WAL mode."""
        engine = create_engine(
            f"sqlite:///{self.path}",
            connect_args={"timeout": BUSY_SECONDS},
            execution_options={OPTION: self},
        )

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

    def lock(self, what: str, stage: str, timeout_seconds: float) -> AbstractContextManager[None]:
        """In a file of its own."""
        file = self.path.with_name(f"{self.path.name}.{what}")
        return writer_lock(file, stage, timeout_seconds)

    def is_busy(self, error: DBAPIError) -> bool:
        """Whether the file is locked."""
        return "locked" in str(error.orig)

    def unusable(self, error: DBAPIError) -> PipelineError:
        """The file is damaged, or something else."""
        if "malformed" in str(error.orig):
            return damaged_database("store", self.path, error.orig)
        found = f"{self.path} is not a store: {error.orig}"
        return InvalidData("store", found, "another store.path")

    def old_schema_commands(self) -> tuple[str, ...]:
        """The file gets another name."""
        return (shlex.join(["mv", str(self.path), f"{self.path}.old"]),)

    def restore_commands(self) -> tuple[str, ...]:
        """The project's own, which quarantines a damaged file."""
        return (restore_command(self.path),)

    def damage(self, connection: Connection) -> list[str]:
        """Pages that do not fit together."""
        listed = connection.exec_driver_sql("PRAGMA quick_check(5)").scalars().all()
        return [] if listed == ["ok"] else [" ".join(line.split()) for line in listed]

    def fetch(self, connection: Connection, statement: Select) -> Iterator[list[tuple]]:
        """Through the driver's own cursor: SQLAlchemy's row objects would double the time."""
        cursor = connection.execute(statement).cursor
        while chunk := cursor.fetchmany(READ_CHUNK):  # type: ignore[union-attr]
            yield chunk  # type: ignore[misc]

    def upsert(self, connection: Connection, table: Table, rows: pd.DataFrame) -> None:
        """One statement for many rows at a time."""
        statement = insert(table)
        others = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
        keyed = statement.on_conflict_do_update(index_elements=table.primary_key, set_=others)
        names = list(table.columns.keys())
        sql = str(keyed.compile(dialect=connection.dialect, column_keys=names))
        tuples = _tuples(table, rows)
        while batch := list(islice(tuples, WRITE_CHUNK)):
            connection.exec_driver_sql(sql, batch)


def _tuples(table: Table, rows: pd.DataFrame) -> Iterator[tuple]:
    columns: list[Iterable] = []
    for column in table.columns:
        if column.name not in rows.index.names:
            columns.append(_plain(rows[column.name]))
        elif isinstance(column.type, Date):
            columns.append(_dates(rows.index))
        else:
            columns.append(rows.index.get_level_values(column.name).to_list())
    return zip(*columns, strict=True)


def _plain(values: pd.Series) -> list:
    """Python scalars; the driver writes NaN in a float column as NULL, a missing text is None."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.tolist()
    return values.astype(object).where(values.notna(), None).tolist()


def _dates(index: pd.Index) -> list[str]:
    codes, sessions = pd.factorize(index.get_level_values(SESSION))
    days = pd.DatetimeIndex(sessions).strftime("%Y-%m-%d").to_numpy(object)
    return list(days[codes])
