"""Faults of the machine and of MLflow: each kind in words, whatever it is wrapped in."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError, OperationalError

from pipeline.errors import Damaged, NotReady, PipelineError
from pipeline.io.lock import writer_lock
from pipeline.io.tracking import local_store, outside

SYSTEM = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full",
    errno.EROFS: "may not read or write",
    errno.EACCES: "may not read or write",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
    errno.ENOMEM: "no more memory",
    errno.EIO: "the disk does not read or write",
    errno.ECONNREFUSED: "no answer from the network",
    errno.ENOENT: "there is no file",
}
MLFLOW = {
    "API request to endpoint /x failed with error code 401 != 200": "asks for a login",
    "API request to endpoint /x failed with error code 403 != 200": "does not let this user",
    "API request failed: HTTPConnectionPool: Max retries exceeded with url": "does not answer",
    "Detected out-of-date database schema (found version a)": "another version of MLflow",
    "Can't locate revision identified by 'abc'": "another version of MLflow",
    "API request failed with error code 500 != 200": "the MLflow server failed",
    "No such artifact: 'features.json'": "a file of a run is missing",
    "The experiment 0 must be in the 'active' state": "an experiment was deleted",
    f"The run {'a' * 32} must be in the 'active' state": "was deleted",
    f"Run with id={'a' * 32} not found": "a run is gone",
}


def told(error: BaseException) -> PipelineError:
    known = outside.explained("retrain", error)
    assert known is not None, error
    lines = str(known).splitlines()
    assert lines[0].startswith("retrain: ")
    assert lines[1].startswith("  needed: ")
    return known


@pytest.mark.parametrize("number", SYSTEM, ids=errno.errorcode.get)
def test_each_fault_of_the_system_is_told_in_words(number: int) -> None:
    error = OSError(number, os.strerror(number), "/a/file")
    assert SYSTEM[number] in str(told(error))
    wrapped = RuntimeError("something else")
    wrapped.__cause__ = error
    assert SYSTEM[number] in str(told(wrapped))


@pytest.mark.parametrize("message", MLFLOW)
def test_each_fault_of_mlflow_is_told_in_words(message: str) -> None:
    assert MLFLOW[message] in str(told(MlflowException(message)))


def test_what_is_deleted_comes_with_the_command_that_restores_it() -> None:
    run = told(MlflowException(f"The run {'a' * 32} must be in the 'active' state"))
    assert str(run).endswith(f"mlflow runs restore --run-id {'a' * 32}")
    experiment = told(MlflowException("The experiment 7 must be in the 'active' state"))
    assert str(experiment).endswith("mlflow experiments restore --experiment-id 7")


def test_faults_of_sqlite_are_told_through_sqlalchemy_and_mlflow(tmp_path: Path) -> None:
    full, damaged = tmp_path / "full.db", tmp_path / "damaged.db"
    with sqlite3.connect(full) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as refused:
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert "the disk is full" in str(told(refused.value))
    damaged.write_bytes(b"no database, as long as it may be " * 100)
    engine = create_engine(f"sqlite:///{damaged}")
    with pytest.raises(DatabaseError) as broken, engine.connect() as opened:
        opened.execute(text("SELECT * FROM t"))
    through_mlflow = MlflowException(str(broken.value))
    through_mlflow.__cause__ = broken.value
    assert isinstance(told(through_mlflow), Damaged)


def test_a_damaged_database_is_named_with_the_command_that_heals_it(tmp_path: Path) -> None:
    damaged = tmp_path / "mlflow.db"
    damaged.write_bytes(b"no database, as long as it may be " * 100)
    engine = create_engine(f"sqlite:///{damaged}")
    with pytest.raises(DatabaseError) as by_engine, engine.connect() as opened:
        opened.execute(text("SELECT * FROM t"))
    with pytest.raises(sqlite3.DatabaseError) as by_hand:
        local_store.is_complete(damaged)
    for error in (by_engine.value, by_hand.value):
        said = str(told(error))
        assert f"the database {damaged} is damaged: file is not a database" in said
        assert said.endswith(f"backup restore backups/mlflow.db {damaged}")


def test_a_database_that_may_not_be_written_to_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    engine = create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(OperationalError) as refused, engine.begin() as opened:
        opened.execute(text("INSERT INTO t VALUES (1)"))
    assert str(path) in str(told(refused.value))


def test_faults_of_this_code_are_none_of_the_machine() -> None:
    for error in (ValueError("x"), KeyError("y"), MlflowException("odd"), AssertionError()):
        assert outside.explained("retrain", error) is None


def test_memory_that_is_used_up_is_told_with_a_smaller_command() -> None:
    assert "compute.workers=1" in str(told(MemoryError()))


def test_a_damaged_lock_file_is_told_with_the_command_that_removes_it(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    lock.write_bytes(b"garbage " * 1000)
    with pytest.raises(Damaged) as refused, writer_lock(lock, "ingest", 1):
        pass
    assert str(refused.value).endswith(f"rm {lock}")
    lock.unlink()
    with writer_lock(lock, "ingest", 1):
        pass


def test_a_server_that_is_not_there_is_told_within_seconds_and_without_its_password() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # bound, not listening
        started = time.monotonic()
        with pytest.raises(NotReady, match="does not answer") as refused:
            outside.require_answer(f"http://me:hunter2@127.0.0.1:{listener.getsockname()[1]}")
    assert time.monotonic() - started < 2 * outside.REACH_SECONDS
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_takes_calls_and_never_answers_is_told_within_seconds(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(outside, "REACH_SECONDS", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(NotReady, match=r"does not answer: .*timed out") as refused,
    ):
        outside.require_answer(f"{scheme}://me:hunter2@127.0.0.1:{silent.getsockname()[1]}/x")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 401 No\r\n\r\n", b"HTTP/1.1 404 No\r\n\r\n"])
def test_a_server_that_says_no_is_there(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answered() -> None:
            called, _ = server.accept()
            with called:
                called.recv(4096)
                called.sendall(answer)

        caller = threading.Thread(target=answered)
        caller.start()
        outside.require_answer(f"http://127.0.0.1:{server.getsockname()[1]}")
        caller.join()


def test_an_experiment_named_in_the_shell_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "another")
    outside.ignore_experiment_of_shell("daytrade")
    assert "MLFLOW_EXPERIMENT_NAME" not in os.environ
