"""Copies of a store's database, while others read and write it; and putting one back.

    python -m pipeline.io.store.backup save artifacts/sample.db backups/sample.db
    python -m pipeline.io.store.backup restore backups/sample.db artifacts/sample.db
    python -m pipeline.io.store.backup save mlflow.db backups/mlflow.db

A copy of the file alone lacks what still lies in its write-ahead log, and one that is put beside
another log is inconsistent with it: SQLite copies page by page, in one transaction. What was made
of a later state of the store is distinguished from what was made of the backup's own past by
revisions, so features are recomputed from where the two part.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pipeline.errors import Damaged, NotReady, PipelineError, Refused, StoreLocked
from pipeline.io.files import SIDE_FILES, quarantine_database, write_atomically
from pipeline.io.lock import writer_lock
from pipeline.io.store.protocol import BUSY_SECONDS
from pipeline.secrets import masked

OF_MLFLOW = "alembic_version"
"""A table of MLflow's database, which is saved and put back as well, without an id of its own."""

TABLES = ("meta", OF_MLFLOW)

LOCK_SECONDS = 10.0
"""That a restore, which reads no configuration, waits for a writer."""


def back_up(path: Path, to: Path) -> None:
    """Copy the database of a store to a file, whole or not at all.

    Raises
    ------
    NotReady
        There is no store at `path`.
    Damaged
        It cannot be read; a backup that is there already stays.
    """
    _store_id(path)
    write_atomically(to, lambda temporary: _copy(path, temporary))


def restore(backup: Path, path: Path, *, lock_timeout: float = LOCK_SECONDS) -> None:
    """Put a backup in the place of a store's database, in one transaction.

    A damaged file is renamed before, with what SQLite keeps beside it.

    Parameters
    ----------
    lock_timeout
        Seconds to wait for another writer.

    Raises
    ------
    NotReady
        There is no backup.
    Damaged
        The backup cannot be read, or what it would replace is no store.
    Refused
        It is a backup of another store.
    StoreLocked
        Another process is writing.
    """
    theirs = _store_id(backup)
    path.parent.mkdir(parents=True, exist_ok=True)
    with writer_lock(path.with_name(f"{path.name}.lock"), "restore", lock_timeout):
        if path.exists() and (why := _damage(path)):
            quarantined = quarantine_database(path)
            print(f"store: {path} is damaged ({why}); kept as {quarantined.name}", file=sys.stderr)
        if not path.exists():
            for ending in SIDE_FILES:
                path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
            write_atomically(path, lambda temporary: _copy(backup, temporary))
            return
        if _store_id(path) != theirs:
            raise Refused(
                "store",
                f"{backup} is a backup of another store than {path}",
                "a backup of this store; or the store's file moved away before",
            )
        _copy(backup, path)


def _copy(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(source, timeout=BUSY_SECONDS)) as origin,
        closing(sqlite3.connect(target, timeout=BUSY_SECONDS)) as copy,
    ):
        try:
            origin.backup(copy)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            found = f"another process uses {target}"
            raise StoreLocked("store", found, "wait for it, or stop that process") from None


def _damage(path: Path) -> str:
    """What SQLite says of a file whose pages do not fit together; empty of any other."""
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as file:
            faults = [str(row[0]) for row in file.execute("PRAGMA quick_check(1)")]
            return "" if faults == ["ok"] else " ".join(faults[0].split())
    except sqlite3.OperationalError:  # locked, or not to be opened
        return ""
    except sqlite3.DatabaseError as error:
        return str(error)


def _store_id(path: Path) -> str:
    """Of a store's database that can be read from its first to its last page."""
    if not path.exists():
        raise NotReady("store", f"there is no file {path}", "the path of a store, or of a backup")
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as file:
            faults = [row[0] for row in file.execute("PRAGMA quick_check(1)")]
            if faults != ["ok"]:
                raise sqlite3.DatabaseError(faults[0])
            listed = file.execute("SELECT name FROM sqlite_master WHERE name IN (?, ?)", TABLES)
            if [name for (name,) in listed] == [OF_MLFLOW]:
                return OF_MLFLOW
            return str(file.execute("SELECT store_id FROM meta").fetchone()[0])
    except (sqlite3.DatabaseError, TypeError) as error:
        why = " ".join(str(error).split())
        needed = "a file that SQLite can read: an older backup, or this one moved away"
        raise Damaged("store", f"{path} is no whole store: {why}", needed) from None


def _file(word: str) -> Path:
    if "://" in word:
        raise argparse.ArgumentTypeError(
            f"{masked(word)} is an address: pg_dump saves a schema of PostgreSQL, and pg_restore "
            "puts it back, see docs/scale.md"
        )
    return Path(word)


def main(words: Sequence[str] | None = None) -> int:
    """Save or restore, as the command line says; its exit code."""
    parser = argparse.ArgumentParser(description="Save a store's database, or put it back.")
    parser.add_argument("what", choices=("save", "restore"))
    parser.add_argument("source", type=_file, help="the store; with restore, its copy")
    parser.add_argument("target", type=_file, help="the copy; with restore, the store")
    given = parser.parse_args(words)
    try:
        (back_up if given.what == "save" else restore)(given.source, given.target)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{given.source} is now {given.target}, too")
    return 0


if __name__ == "__main__":
    sys.exit(main())
