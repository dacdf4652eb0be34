"""A PostgreSQL server of the tests' own: in a temporary folder, on a free port of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg

from pipeline.io.store.postgres import Postgres
from tests.ports import free_port

REQUIRED = "DAYTRADE_TEST_POSTGRES"
"""Set to 1, a machine without the server's programs fails the tests that need them."""

OWNER = "postgres"
"""Whom root lets run the server; its package makes this user."""

USER, PASSWORD, DATABASE = "trader", "s3cret:p@ss", "daytrade"
FOLDERS = (
    "usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql*/bin",
)  # fmt: skip
"""Where Debian, Red Hat and Homebrew put them."""


def programs() -> Path | None:
    """Folder of the server's programs, the newest where there are several; None: not installed."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = [
        folder
        for pattern in FOLDERS
        for folder in Path("/").glob(pattern)
        if (folder / "initdb").exists()
    ]
    return max(found, default=None)


@dataclass(frozen=True)
class Server:
    """A server that runs, and how it is reached."""

    bin: Path
    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Of its database, without a password."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to reach it."""
        return {"PGPASSWORD": PASSWORD}

    def schema(self, folder: Path, name: str | None = None) -> Postgres:
        """A place for a store that no other test uses."""
        return Postgres(self.url, name or f"t_{uuid4().hex[:12]}", folder)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = str(self.folder / "log")
        self._call("pg_ctl", "start", "-w", "-s", "-D", str(self.data), "-l", log)

    def stop(self, how: str = "fast") -> None:
        """Stop it; `immediate` is a crash."""
        self._call("pg_ctl", "stop", "-w", "-s", "-D", str(self.data), "-m", how)

    def execute(self, sql: str) -> list[tuple]:
        """Run a statement as the owner of the database; its rows."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=DATABASE,
            autocommit=True,
        ) as connection:  # fmt: skip
            cursor = connection.execute(sql)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def client(self, program: str, *words: str) -> None:
        """Run pg_dump or another client on the database."""
        named = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER]
        place = ["-d", DATABASE] if "-d" not in words else []
        done = subprocess.run(
            [str(self.bin / program), *named, *place, *words],
            env=os.environ | self.environment, text=True, capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    @property
    def data(self) -> Path:
        """Its files."""
        return self.folder / "data"

    def _call(self, program: str, *words: str) -> None:
        """Its programs refuse to run as root."""
        user = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups"]
        who = user if os.geteuid() == 0 else []
        done = subprocess.run(
            [*who, str(self.bin / program), *words],
            cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


@contextmanager
def running_server(*settings: str) -> Iterator[Server]:
    """A server with a password, whose database sorts texts as a dictionary does.

    Parameters
    ----------
    settings
        Lines of ``postgresql.conf``.
    """
    bin_folder = programs()
    assert bin_folder, (
        "no PostgreSQL server on this machine: these tests need its programs "
        "(Debian and Ubuntu: apt-get install postgresql)"
    )
    folder = Path(tempfile.mkdtemp(prefix="daytrade-postgres-"))
    server = Server(bin_folder, folder, free_port())
    (folder / "password").write_text(PASSWORD)
    if os.geteuid() == 0:
        for path in (folder, folder / "password"):
            shutil.chown(path, OWNER, OWNER)
    try:
        server._call(
            "initdb", "-D", str(server.data), "-U", USER, "-A", "scram-sha-256", "--no-sync",
            f"--pwfile={folder / 'password'}", "-E", "UTF8", "--locale=C",
            "--locale-provider=icu", "--icu-locale=en-US",
        )  # fmt: skip
        lines = [f"port = {server.port}", "listen_addresses = '127.0.0.1'",
                 f"unix_socket_directories = '{folder}'", *settings]  # fmt: skip
        with (server.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(["", *lines, ""]))
        server.start()
        try:
            _make_database(server)
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_database(server: Server) -> None:
    with psycopg.connect(
        host="127.0.0.1", port=server.port, user=USER, password=PASSWORD, dbname="postgres",
        autocommit=True,
    ) as connection:  # fmt: skip
        connection.execute(f"CREATE DATABASE {DATABASE}")
