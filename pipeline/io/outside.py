"""Faults of the machine, kind by kind, in words: disks, files, memory, network, databases."""

from __future__ import annotations

import errno
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from pipeline.commands import Command
from pipeline.errors import Damaged, Next, NotReady, PipelineError

FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
TOO_MANY = (errno.EMFILE, errno.ENFILE)

NEEDED_OF_DAMAGED = "a backup of it put back, which quarantines it"

IN_SQLITE = (
    ("disk is full", "the disk is full", "free space on it; nothing of this step was written"),
    ("readonly database", "a database may not be written to", "the right to write to it"),
    (
        "unable to open",
        "a database cannot be opened",
        "a folder that this user may write to, on a disk with inodes left (`df -i`)",
    ),
    ("disk i/o error", "the disk does not read or write", "a disk with room that works"),
    ("database is locked", "another process is writing", "that process to end"),
)
"""Parts of SQLite's messages, what they say of the machine, and what helps."""


IN_POSTGRES = (
    ("53100", "the disk of the database is full", "space on it; nothing of this step was written"),
    ("53300", "the database takes no more connections", "fewer programs that use it at once"),
    ("42501", "this user may not do this in the database", "the right to, from who runs it"),
    ("25006", "the database may only be read", "the address of its primary server"),
)
"""Codes of PostgreSQL's errors, what they say, and what helps."""


class Broken(PipelineError):
    """The machine does not do what is needed."""

    verdict = "outside fault"


def explained(who: str, error: BaseException) -> PipelineError | None:
    """The fault of the machine behind an error, in words; None where it is none of these.

    Parameters
    ----------
    who
        The stage that was run.
    """
    for cause in chain(error):
        known = _explained(who, cause)
        if known is not None:
            return known
    return None


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from, the first cause last."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        original = getattr(following, "orig", None)  # SQLAlchemy's
        nested = original if isinstance(original, BaseException) else None
        following = nested or following.__cause__ or following.__context__


@event.listens_for(Engine, "handle_error")
def _name_database(context: ExceptionContext) -> None:
    """Note the file of a database with each of its errors, those of MLflow's own engine too."""
    if context.engine is not None and isinstance(context.original_exception, sqlite3.Error):
        _note(context.original_exception, context.engine.url.database)


@contextmanager
def of_database(path: Path) -> Iterator[None]:
    """Note the file of a database with the errors of SQLite in a block."""
    try:
        yield
    except sqlite3.Error as error:
        _note(error, path)
        raise


def _note(error: sqlite3.Error, path: str | Path | None) -> None:
    if path is not None:
        vars(error).setdefault("filename", str(path))


def restore_command(database: str | Path) -> str:
    """What puts back a backup that was made as docs/howto.md says.

    >>> restore_command("artifacts/sample.db")
    'python -m pipeline.io.store.backup restore backups/sample.db artifacts/sample.db'
    """
    backup = Path("backups") / Path(database).name
    words = ["python", "-m", "pipeline.io.store.backup", "restore", str(backup), str(database)]
    return shlex.join(words)


def damaged_database(who: str, path: str | Path, why: object) -> Damaged:
    """The error of a database in a file that SQLite cannot read."""
    found = f"the database {path} is damaged: {' '.join(str(why).split())}"
    return Damaged(who, found, NEEDED_OF_DAMAGED, restore_command(path))


def _explained(who: str, error: BaseException) -> PipelineError | None:
    if isinstance(error, PipelineError):
        return error
    if isinstance(error, MemoryError):
        return _memory(who, "the memory is used up")
    if isinstance(error, sqlite3.DatabaseError):
        return _of_sqlite(who, error)
    if type(error).__module__.startswith("psycopg"):  # which is imported only where it is used
        return _of_postgres(who, error)
    if isinstance(error, OSError):
        return _of_system(who, error)
    return None


def _of_postgres(who: str, error: BaseException) -> PipelineError | None:
    code, text = getattr(error, "sqlstate", None), " ".join(str(error).split())
    for known, found, needed in IN_POSTGRES:
        if code == known:
            return Broken(who, f"{found}: {text}", needed, Command(who))
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "OperationalError" in kinds and (code is None or code[:2] in ("08", "57")):
        needed = "its server, running; the same command goes on"
        return NotReady(who, f"the database does not answer: {text}", needed, Command(who))
    return None


def _memory(who: str, found: str) -> PipelineError:
    return Broken(
        who, found, "more memory, or less work at once", Command(who, "compute.workers=1")
    )


def _of_system(who: str, error: OSError) -> PipelineError | None:
    where = f": {error.filename}" if error.filename else ""
    again: Next = Command(who)
    if error.errno in FULL:
        needed = "free space on it; the same command goes on"
        return Broken(who, f"the disk is full{where}", needed, again)
    if error.errno in FORBIDDEN:
        found = f"this user may not read or write here{where}"
        return Broken(who, found, "the right to, on a disk that is not read-only", again)
    if error.errno in TOO_MANY:
        needed = "a higher limit (`ulimit -n 4096` in this shell), or less work at once"
        return Broken(who, f"too many open files{where}", needed, Command(who, "compute.workers=1"))
    if error.errno == errno.ENOMEM:
        return _memory(who, "the system gives no more memory")
    if error.errno == errno.EIO:
        return Broken(who, f"the disk does not read or write{where}", "a disk that works", again)
    if isinstance(error, ConnectionError | TimeoutError):
        return NotReady(who, f"no answer from the network: {error}", "a connection", again)
    if "usable temporary directory" in str(error):
        needed = "room, files left to open and the right to write in TMPDIR or /tmp"
        return Broken(who, "no folder takes temporary files", needed, again)
    if isinstance(error, FileNotFoundError) and error.filename:
        return NotReady(
            who, f"there is no file{where}", "the file put back, or made again", Command("status")
        )
    return None


def _of_sqlite(who: str, error: sqlite3.DatabaseError) -> PipelineError | None:
    text, file = str(error).lower(), getattr(error, "filename", None)
    if "malformed" in text or "not a database" in text:
        if file:
            return damaged_database(who, file, error)
        deep = Command("status", "status.deep=true")
        return Damaged(who, f"a database is damaged: {error}", NEEDED_OF_DAMAGED, deep)
    where = f" ({file})" if file else ""
    for part, found, needed in IN_SQLITE:
        if part in text:
            return Broken(who, f"{found}: {error}{where}", needed, Command(who))
    return None
