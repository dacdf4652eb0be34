"""An MLflow store of its own for each test, copied from one that was prepared once."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from pipeline.io.tracking import experiment
from tests import mlflow_tables

mlflow_tables.by_copy()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Database of a store right after `prepare`."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MLFLOW_TRACKING_URI", "")
        patched.setenv("MLFLOW_EXPERIMENT_ID", "0")
        database = tmp_path_factory.mktemp("prepared") / "mlflow.db"
        before = mlflow.get_tracking_uri()
        experiment.prepare(f"sqlite:///{database}", "tested")
        mlflow.set_tracking_uri(before)
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that a copy is whole
        yield database


@pytest.fixture
def store(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MlflowClient]:
    """The selected store, empty."""
    shutil.copy(prepared, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    before = mlflow.get_tracking_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    mlflow.set_tracking_uri(uri)
    yield MlflowClient(uri)
    mlflow.set_tracking_uri(before)
