"""A store in one schema of a PostgreSQL database: for several machines, or many readers.

Who gives no password in the address is asked by libpq's own rules: PGPASSWORD, then ``~/.pgpass``.
Reads come in binary form, so every float is the one that was written, bit for bit. A session that
ends, for whatever reason, frees its locks.
"""

from __future__ import annotations

import os
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
from psycopg.types.numeric import FloatDumper
from sqlalchemy import URL, Connection, Engine, Select, Table, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pipeline.commands import Command
from pipeline.errors import InvalidSettings, NotReady, PipelineError, StoreLocked
from pipeline.io.store.csv_rows import as_csv
from pipeline.io.store.postgres_statements import HOLDER, LONG_LIVED, READS, WRITES
from pipeline.io.store.protocol import BUSY_SECONDS, OPTION, READ_CHUNK

CONNECT_SECONDS = 10
BUSY_MILLISECONDS = 1000 * BUSY_SECONDS
ANALYSE_ROWS = 10_000
"""Rows of a write from which on the planner learns of them at once, not minutes later."""


class _AsInSqlite(FloatDumper):
    """A float that is not a number is NULL, and zero has no sign."""

    def dump(self, obj: Any) -> Any:
        return None if obj != obj else super().dump(obj + 0.0)


@dataclass(frozen=True)
class Postgres:
    """A schema of a database; see `protocol.Database`.

    Attributes
    ----------
    address
        ``postgresql://[user[:password]@][host][:port]/database``; what it lacks, libpq knows by
        PGHOST, PGPORT, PGUSER, PGPASSWORD and ``~/.pgpass``.
    schema
        Whose tables are the store's.
    """

    address: str = field(repr=False)
    schema: str
    folder: Path
    _held: list[psycopg.Connection] = field(default_factory=list, repr=False, compare=False)

    @cached_property
    def _url(self) -> URL:
        try:
            url = make_url(self.address.replace("postgres://", "postgresql://", 1))
        except (SQLAlchemyError, ValueError):
            url = None  # raised below, since their texts may hold the password
        if url is None or url.get_backend_name() != "postgresql":
            found = "store.url is no address of PostgreSQL"
            raise InvalidSettings("store", found, "postgresql://[user@]host[:port]/database")
        return url.set(drivername="postgresql+psycopg")

    @property
    def name(self) -> str:
        """The address without user, password and options."""
        return f"{self._shown()} (schema {self.schema})"

    def exists(self) -> bool:
        """Whether the schema has a store's tables.

        Raises
        ------
        NotReady
            The server does not answer, or lets this user not in.
        """
        with self._session() as session:
            table = session.execute("SELECT to_regclass(%s)", (f'"{self.schema}".meta',)).fetchone()
        return table is not None and table[0] is not None

    def make(self) -> None:
        """Make the schema and the folder.

        Raises
        ------
        NotReady
            The server does not answer, or does not let this user make a schema.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._session() as session, session.transaction():
            session.execute("SELECT pg_advisory_xact_lock(%s)", (self._key("make"),))
            there = session.execute("SELECT to_regnamespace(%s)", (f'"{self.schema}"',)).fetchone()
            if there != (None,):
                return  # an administrator's, perhaps: this user may have no right to make any
            try:
                session.execute(f'CREATE SCHEMA "{self.schema}"')  # type: ignore[arg-type]
            except psycopg.errors.InsufficientPrivilege as error:
                raise self._no_answer(error) from None

    def connect(self) -> Engine:
        """An engine whose writing transactions follow one another."""
        engine = create_engine(
            self._url,
            connect_args={"connect_timeout": CONNECT_SECONDS, "client_encoding": "utf8"},
            execution_options={OPTION: self},
            pool_pre_ping=True,
        )

        @event.listens_for(engine, "connect")
        def _prepare(connection: psycopg.Connection, _: object) -> None:
            for kind in (float, "numpy.float64"):
                connection.adapters.register_dumper(kind, _AsInSqlite)
            connection.autocommit = True  # what is set stays after a rollback
            connection.execute(
                f'SET search_path = "{self.schema}"; SET extra_float_digits = 1; '  # type: ignore[arg-type]
                "SET datestyle = ISO"
            )
            connection.autocommit = False

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            if not connection.get_execution_options().get("writes"):
                connection.exec_driver_sql(READS)
                return
            self._require_held_locks()
            statement = WRITES.format(busy=BUSY_MILLISECONDS, key=self._key("write"))
            connection.exec_driver_sql(statement)

        return engine

    @contextmanager
    def lock(self, what: str, stage: str, timeout_seconds: float) -> Iterator[None]:
        """An advisory lock; the name of its session tells who holds it.

        Raises
        ------
        StoreLocked
            Another process held it for longer than the timeout, which is in seconds.
        NotReady
            The server does not answer.
        """
        since = datetime.now(UTC).isoformat(" ", "seconds").partition("+")[0]
        who = f"{stage}|{os.getpid()}|{since}|{socket.gethostname()}"
        key = self._key(what)
        with self._session(who[:63]) as session:  # a longer name is cut with a warning
            session.execute(LONG_LIVED)
            limit = f"{max(1, round(1000 * timeout_seconds))}ms"
            session.execute("SELECT set_config('lock_timeout', %s, false)", (limit,))
            try:
                session.execute("SELECT pg_advisory_lock(%s)", (key,))
            except psycopg.errors.LockNotAvailable:
                raise self._locked(stage, session.execute(HOLDER, (key,)).fetchone()) from None
            self._held.append(session)
            try:
                yield
            finally:
                self._held.remove(session)

    def is_busy(self, error: DBAPIError) -> bool:
        """Whether a lock was not given in time."""
        return isinstance(error.orig, psycopg.errors.LockNotAvailable)

    def unusable(self, error: DBAPIError) -> PipelineError:
        """The server does not answer, or does not let this user do what is needed."""
        return self._no_answer(error.orig or error)

    def old_schema_commands(self) -> tuple[str, ...]:
        """The schema gets another name."""
        rename = f'ALTER SCHEMA "{self.schema}" RENAME TO "{self.schema}_old"'
        return (shlex.join(["psql", self._shown(), "-c", rename]),)

    def restore_commands(self) -> tuple[str, ...]:
        """PostgreSQL's own program."""
        options = ("--clean", "--single-transaction", "-d", self._shown())
        return (shlex.join(["pg_restore", *options, f"{self.schema}.dump"]),)

    def damage(self, connection: Connection) -> list[str]:
        """Pages whose checksum was wrong when they were read, where the server keeps checksums."""
        sql = "SELECT checksum_failures FROM pg_stat_database WHERE datname = current_database()"
        failures = connection.exec_driver_sql(sql).scalar()
        return [f"{failures} pages failed their checksum when they were read"] if failures else []

    def fetch(self, connection: Connection, statement: Select) -> Iterator[list[tuple]]:
        """In binary form, a few at a time: a cursor of the server's, or all at once, are slower."""
        if not connection.in_transaction():
            connection.begin()
        options = {"render_postcompile": True}
        compiled = statement.compile(dialect=connection.dialect, compile_kwargs=options)
        cursor = _driver(connection).cursor()
        sql: Any = str(compiled)
        rows = cursor.stream(sql, compiled.params, binary=True, size=READ_CHUNK)
        while chunk := list(islice(rows, READ_CHUNK)):
            yield chunk

    def upsert(self, connection: Connection, table: Table, rows: pd.DataFrame) -> None:
        """Copied into a temporary table, and from there by one statement."""
        if rows.empty:
            return
        quote = connection.dialect.identifier_preparer.quote
        names = [quote(column.name) for column in table.columns]
        key = ", ".join(quote(column.name) for column in table.primary_key)
        others = [quote(column.name) for column in table.columns if not column.primary_key]
        changed = ", ".join(f"{name} = excluded.{name}" for name in others)
        into, came = quote(table.name), quote(f"came_{table.name}")
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {came} (LIKE {into}) ON COMMIT DROP")
        copy = f"COPY {came} ({', '.join(names)}) FROM STDIN (FORMAT csv)"
        with _driver(connection).cursor().copy(copy) as target:  # type: ignore[arg-type]
            for block in as_csv(table, rows):
                target.write(block)
        connection.exec_driver_sql(
            f"INSERT INTO {into} ({', '.join(names)}) SELECT {', '.join(names)} FROM {came} "
            f"ON CONFLICT ({key}) DO UPDATE SET {changed}"
        )
        connection.exec_driver_sql(f"DROP TABLE {came}")
        if len(rows) >= ANALYSE_ROWS:
            connection.exec_driver_sql(f"ANALYZE {into}")

    @contextmanager
    def _session(self, name: str = "daytrade") -> Iterator[psycopg.Connection]:
        """A connection of its own, which ends with the block."""
        _, options = self._url.get_dialect()().create_connect_args(self._url)
        chosen = {"application_name": name, "connect_timeout": CONNECT_SECONDS}
        try:
            session = psycopg.connect(**{**options, **chosen}, autocommit=True)
        except psycopg.Error as error:
            raise self._no_answer(error) from None
        with session:
            yield session

    def _shown(self) -> str:
        """The address without user, password and options."""
        url = self._url
        plain = URL.create("postgresql", host=url.host, port=url.port, database=url.database)
        return plain.render_as_string()

    def _key(self, what: str) -> int:
        """Of a lock of this schema; one database may hold many stores."""
        digest = blake2b(f"daytrade/{self.schema}/{what}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, signed=True)

    def _require_held_locks(self) -> None:
        """Write nothing once a session that held a lock is gone: another process may have it."""
        for session in self._held:
            try:
                session.execute("SELECT 1")
            except psycopg.OperationalError:
                found = f"the connection that held the lock of {self.name} is gone"
                raise StoreLocked("store", found, "the same command again") from None

    def _locked(self, stage: str, holder: tuple | None) -> StoreLocked:
        words = (holder[0] if holder else "?").split("|")
        other, pid, since, host = [*words, "?", "?", "?"][:4]
        who = f"'{other}' (process {pid} on {host}, since {since} UTC)"
        return StoreLocked(
            stage,
            f"{who} is writing to {self.name}",
            "one writer at a time: wait for it, or stop that process",
            Command("status"),
        )

    def _no_answer(self, error: BaseException) -> NotReady:
        why = " ".join(str(error).split())[:300]
        return NotReady(
            "store",
            f"{self.name} cannot be used: {why}",
            "a server that runs, a database on it (`createdb`), and a user who may make a schema "
            "there; the password in PGPASSWORD, ~/.pgpass or DAYTRADE_DATABASE_URL",
            Command("status"),
        )


def _driver(connection: Connection) -> psycopg.Connection:
    driver: Any = connection.connection.driver_connection
    return driver  # type: ignore[no-any-return]
