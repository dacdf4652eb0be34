"""``mlflow.db``: made whole or not at all, mended, brought along when the project moves."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pipeline.errors import StoreLocked
from pipeline.io import process
from pipeline.io.files import SIDE_FILES, flush, quarantine_file
from pipeline.io.outside import of_database

log = logging.getLogger("pipeline.tracking")

HOME = "daytrade.home"
"""Tag of experiment 0: the folder that the store was prepared in, to notice that it was moved."""

QUIET_SECONDS = 5.0
"""A half-made store that nobody has open and that does not change so long has lost its maker."""

DRIVE = re.compile(r"[A-Za-z]:[\\/]")
"""Start of an absolute path of Windows."""

LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Columns in which MLflow keeps absolute places of artifacts."""


def ensure(database: Path, name: str, tags: Mapping[str, str], patience_seconds: float) -> None:
    """Make the store where there is none, mend a half-made one; call it under a lock.

    Parameters
    ----------
    name, tags
        Of its experiment 0.
    patience_seconds
        How long to wait for a process that is making it: MLflow's own command does, before it
        starts a stage.

    Raises
    ------
    StoreLocked
        A process holds a half-made store open all that time.
    """
    if database.exists() and not is_complete(database):
        _mend(database, patience_seconds)
    if not database.exists():
        _make(database, name, tags)


def is_complete(database: Path) -> bool:
    """Whether there is an experiment: MLflow makes the first one after all tables."""
    with _opened(database) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'experiments'")
        if tables.fetchone() is None:
            return False
        return connection.execute("SELECT 1 FROM experiments LIMIT 1").fetchone() is not None


def _make(database: Path, name: str, tags: Mapping[str, str]) -> None:
    """Under another name, then linked into place: a kill leaves none, or a whole one."""
    from mlflow.entities import ExperimentTag
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    new = database.with_name(f".{database.name}.new")
    for left in database.parent.glob(f"{new.name}*"):
        left.unlink()  # by a killed process
    store = SqlAlchemyStore(f"sqlite:///{new}", str(database.parent / "mlruns"))
    for key, value in tags.items():
        store.set_experiment_tag(store.DEFAULT_EXPERIMENT_ID, ExperimentTag(key, value))
    store.rename_experiment(store.DEFAULT_EXPERIMENT_ID, name)
    store.engine.dispose()
    with _opened(new) as connection:
        connection.execute("PRAGMA journal_mode = wal")
    for ending in SIDE_FILES:  # a journal of a store that is gone would be rolled into this one
        database.with_name(f"{database.name}{ending}").unlink(missing_ok=True)
    flush(new)
    _put(new, database)


def _put(new: Path, database: Path) -> None:
    """Give a file its name unless the name is taken: MLflow's own command may have been quicker."""
    try:
        os.link(new, database)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not database.exists():
            new.rename(database)
    new.unlink(missing_ok=True)
    flush(database.parent)


def _mend(database: Path, patience_seconds: float) -> None:
    """Wait for who is making the store; quarantine it once nobody does."""
    deadline = time.monotonic() + patience_seconds
    seen, since = _state(database), time.monotonic()
    while not is_complete(database):
        time.sleep(0.25)
        users = process.having_open(database)
        if users or _state(database) != seen:
            seen, since = _state(database), time.monotonic()
        elif time.monotonic() - since > QUIET_SECONDS:
            quarantined = quarantine_file(database)
            log.warning(
                "tracking: %s was half made; kept as %s, created again", database, quarantined.name
            )
            return
        if time.monotonic() > deadline:
            who = f"process {users[0]}" if users else "another process"
            found = f"{database} is half made, and {who} works on it"
            raise StoreLocked("tracking", found, "that process to end, or to be stopped")


def _state(database: Path) -> list[tuple[int, int] | None]:
    files = [database, *(database.with_name(f"{database.name}{end}") for end in SIDE_FILES)]
    states = (file.stat() if file.exists() else None for file in files)
    return [(s.st_mtime_ns, s.st_size) if s else None for s in states]


@contextlib.contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    with (
        of_database(database),
        contextlib.closing(sqlite3.connect(database, timeout=30)) as connection,
    ):
        yield connection


def bring_along(database: Path) -> PurePath | None:
    """Where the project was moved or copied, let the places of artifacts point to here.

    MLflow keeps them absolute: a moved project could not read its models, a copy would write into
    the original. All places in the old folder move; those elsewhere, on another disk or in a
    bucket, stay.

    Returns
    -------
    PurePath
        The folder they pointed to; None where the project is where it was.
    """
    here = database.parent.resolve()
    with _opened(database) as connection:
        home = _home(connection)
        if home is None or _is_same(home, here):
            return None
        with connection:  # all of them, or none
            connection.execute("BEGIN IMMEDIATE")
            for table, column in LOCATIONS:
                _replace(connection, table, column, home, here)
            connection.execute(
                "INSERT OR REPLACE INTO experiment_tags (key, value, experiment_id) VALUES (?,?,0)",
                (HOME, str(here)),
            )
    log.warning("tracking: this project was in %s; its artifacts are now read from %s", home, here)
    return home


def _home(connection: sqlite3.Connection) -> PurePath | None:
    """The folder that a store was prepared in: noted down, or by where its artifacts are."""
    noted = connection.execute(
        "SELECT value FROM experiment_tags WHERE key = ? AND experiment_id = 0", (HOME,)
    ).fetchone()
    if noted:
        return _pure(noted[0])
    row = connection.execute(
        "SELECT artifact_location FROM experiments WHERE experiment_id = 0"
    ).fetchone()
    place = _local(row[0]) if row else None
    is_usual = place is not None and place.parts[-2:] == ("mlruns", "0")
    return place.parent.parent if place is not None and is_usual else None


def _local(location: str) -> PurePath | None:
    """A path, or the one of a ``file:`` address; None for what lies elsewhere.

    >>> _local("file:///old%201/mlruns"), _local("file:///C:/old%201")
    (PurePosixPath('/old 1/mlruns'), PureWindowsPath('C:/old 1'))
    >>> _local("s3://bucket/old")
    """
    if location.startswith("file:"):
        path = url2pathname(urlsplit(location).path)
        return _pure(path[1:] if DRIVE.match(path[1:]) else path)
    return _pure(location) if location.startswith("/") or DRIVE.match(location) else None


def _pure(path: str) -> PurePath:
    """A path of the system it was written on, which may be another one than this."""
    return PureWindowsPath(path) if DRIVE.match(path) else PurePosixPath(path)


def _is_same(one: PurePath, here: Path) -> bool:
    there = Path(str(one))
    return there == here or (there.exists() and there.samefile(here))


def _replace(
    connection: sqlite3.Connection, table: str, column: str, old: PurePath, new: PurePath
) -> None:
    """Another start of the places below the old folder, as paths and as addresses."""
    known = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    if column not in known:
        return
    starts = {old.as_uri(): new.as_uri(), old.as_posix(): new.as_posix(), str(old): str(new)}
    for before, after in starts.items():
        rest = f"substr({column}, {len(before) + 1})"
        connection.execute(
            f"UPDATE {table} SET {column} = ? || replace({rest}, ?, '/') "
            f"WHERE substr({column}, 1, ?) = ? AND substr({rest}, 1, 1) IN ('', '/', '\\')",
            (after, "\\" if isinstance(old, PureWindowsPath) else "", len(before), before),
        )
