"""What MLflow keeps of the project, read again and compared with the digests recorded of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from pipeline.commands import Command
from pipeline.errors import Damaged, PipelineError
from pipeline.io.outside import damaged_database
from pipeline.io.tracking import registry, run_files, runs, safe_models
from pipeline.io.tracking.experiment import SQLITE


def faults_of_runs() -> Iterator[PipelineError]:
    """Of MLflow's database in a file, of the files of runs, and of registered models.

    Each run and each version is looked at, whatever the one before was like.
    """
    uri = mlflow.get_tracking_uri()
    if uri.startswith(SQLITE):
        yield from _of_database(Path(uri.removeprefix(SQLITE)))
    for run in runs.search("attributes.status = 'FINISHED'", newest=None):
        try:
            yield from run_files.faults(run)
        except (MlflowException, OSError) as error:
            what = f"a file of run {run.info.run_id} ({run.info.artifact_uri})"
            yield _unread("files", what, error)
    for version in registry.versions():
        try:
            safe_models.load(version)
        except PipelineError as error:
            yield error
        except (MlflowException, OSError) as error:
            yield _unread("model", f"version {version.version} ({version.source})", error)


def _unread(who: str, what: str, error: Exception) -> Damaged:
    """What is gone, or what the place it is kept in does not give."""
    found = f"{what} cannot be read: {' '.join(str(error).split())[:300]}"
    heal = Command("rollback") if who == "model" else Command("retrain")
    return Damaged(who, found, "it put back from a backup, or another one", heal)


def _of_database(path: Path) -> Iterator[Damaged]:
    try:
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            answers = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    except sqlite3.DatabaseError as error:
        answers = [str(error)]
    if answers != ["ok"]:
        yield damaged_database("tracking", path, "; ".join(answers))
