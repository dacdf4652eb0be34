"""Faults from outside through the real commands: told in four parts, soon, with a code."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.stages.conftest import ROOT, Project

SECRET = "hunter2"
SECONDS = 120
"""Of a slow machine; the promise is half a minute beside the start of Python."""


@dataclass(frozen=True)
class Fault:
    """What a command meets, and what it says of it."""

    says: str
    code: int
    overrides: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


def status(project: Project, fault: Fault) -> subprocess.CompletedProcess[str]:
    """Python anew where the environment is the subject: some of it is read as it starts."""
    if not fault.environment:
        return project.python("status", *fault.overrides, code=None)
    words = [sys.executable, "-m", "pipeline.stages.status", *project.own(fault.overrides)]
    return subprocess.run(
        words, cwd=ROOT, env=project.environment | fault.environment, timeout=SECONDS,
        text=True, capture_output=True, errors="replace",
    )  # fmt: skip


def assert_told(project: Project, fault: Fault) -> None:
    started = time.monotonic()
    done = status(project, fault)
    print(f"{fault.says!r}: code {done.returncode}, {time.monotonic() - started:.0f} s")
    said = done.stdout + done.stderr
    assert done.returncode == fault.code, said
    assert fault.says in said
    assert "  needed: " in said
    assert "Traceback" not in said
    assert SECRET not in said


@pytest.fixture
def silent() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://me:{SECRET}@127.0.0.1:{bound.getsockname()[1]}"


@contextlib.contextmanager
def answering(code: int) -> Iterator[str]:
    """A server with one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(code)
            self.end_headers()

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://me:{SECRET}@127.0.0.1:{server.server_port}"
    server.shutdown()


def test_servers_that_are_silent_or_refuse_are_told_soon(project: Project, silent: str) -> None:
    assert_told(project, Fault("does not answer", 1, environment={"MLFLOW_TRACKING_URI": silent}))
    for code, says in ((401, "asks for a login"), (403, "does not let this user")):
        with answering(code) as address:
            assert_told(project, Fault(says, 2, environment={"MLFLOW_TRACKING_URI": address}))


def test_a_broken_project_is_told_and_nothing_of_a_shell_breaks_one(project: Project) -> None:
    ready = Fault("there is no store", 1)
    odd = {"MLFLOW_EXPERIMENT_NAME": "another", "PYTHONIOENCODING": "ascii", "LANG": "C"}
    assert_told(project, Fault(ready.says, 1, environment=odd))
    assert [run.info.experiment_id for run in project.runs("status")] == ["0"]

    table = project.folder / "\u00fcniverse.csv"
    table.write_text("shares\nA\n")
    path = f"universe.path='{table}'"
    assert_told(project, Fault("no column symbol", 2, (path,), {"PYTHONIOENCODING": "ascii"}))
    table.unlink()
    assert_told(project, Fault("No such file", 2, (path,)))
    address = f"store.path='postgresql://me:{SECRET}@host/db'"
    assert_told(project, Fault("is an address", 1, (address,)))
    assert not (ROOT / "postgresql:").exists()

    database = project.folder / "mlflow.db"
    with changed(database, "UPDATE experiments SET lifecycle_stage = 'deleted'"):
        assert_told(project, Fault("mlflow experiments restore --experiment-id 0", 1))
    with changed(database, "UPDATE alembic_version SET version_num = '0a8213491aaa'"):
        assert_told(project, Fault("mlflow db upgrade", 2))
    lock = project.folder / "mlflow.db.prepare"
    lock.write_bytes(b"garbage " * 1000)
    assert_told(project, Fault(f"rm {lock}", 2))
    lock.unlink()
    assert_told(project, ready)


@contextlib.contextmanager
def changed(database: Path, statement: str) -> Iterator[None]:
    kept = shutil.copy(database, database.with_name("kept"))
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    yield
    for ending in ("-wal", "-shm"):
        database.with_name(f"{database.name}{ending}").unlink(missing_ok=True)
    shutil.copy(kept, database)
