"""One writer at a time, across processes, on any file system SQLite works on.

The lock is an open write transaction on a file of its own. The operating system ends it with the
process that holds it, so a killed writer never leaves a stale lock behind.
"""

from __future__ import annotations

import os
import shlex
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pipeline.commands import Command
from pipeline.errors import Damaged, StoreLocked
from pipeline.io.outside import of_database

BEGIN = "BEGIN IMMEDIATE"


@contextmanager
def writer_lock(path: Path, stage: str, timeout_seconds: float) -> Iterator[None]:
    """Hold the lock in the file `path` while the block runs. Not re-entrant.

    Raises
    ------
    StoreLocked
        Another writer held it for `timeout_seconds`; the message names it.
    """
    with of_database(path):
        opened = sqlite3.connect(path, timeout=timeout_seconds, isolation_level=None)
    with closing(opened) as file:
        me = (os.getpid(), socket.gethostname(), stage, datetime.now(UTC).isoformat(" ", "seconds"))
        try:
            with of_database(path):
                _acquire(file, me)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise _locked(path, stage, _holder(file)) from None
        except sqlite3.DatabaseError as error:
            raise Damaged(
                stage,
                f"the lock file {path} is damaged: {error}",
                "it removed while no command of this project runs; it holds no data",
                shlex.join(["rm", str(path)]),
            ) from None
        yield


def _acquire(file: sqlite3.Connection, me: tuple) -> None:
    """Write who holds the lock, then take it.

    An open transaction hides its own writes, so the holder is committed first. Another writer may
    step in between; whoever begins and does not find itself written down starts again.
    """
    while True:
        file.execute(BEGIN)
        file.execute("CREATE TABLE IF NOT EXISTS holder (pid, host, stage, since)")
        if _holder(file) == me:
            return
        file.execute("DELETE FROM holder")
        file.execute("INSERT INTO holder VALUES (?, ?, ?, ?)", me)
        file.execute("COMMIT")


def _holder(file: sqlite3.Connection) -> tuple | None:
    try:
        row: tuple | None = file.execute("SELECT pid, host, stage, since FROM holder").fetchone()
    except sqlite3.OperationalError:  # the other writer has not written itself down yet
        return None
    return row


def _locked(path: Path, stage: str, holder: tuple | None) -> StoreLocked:
    pid, host, other, since = holder or ("?", "?", "?", "?")
    return StoreLocked(
        stage,
        f"'{other}' (process {pid} on {host}, since {since} UTC) is writing to {path.stem}",
        "one writer at a time: wait for it, or stop that process",
        Command("status"),
    )
