"""All that is kept is looked at, whatever the first damaged thing does."""

from __future__ import annotations

import shutil
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from pipeline.errors import Damaged
from pipeline.io.tracking import run_files
from pipeline.io.tracking.damage import _of_database, faults_of_runs
from pipeline.schemas import MODEL_NAME
from tests.io.tracking.conftest import prepared, store  # noqa: F401


def kept_run(text: str) -> str:
    """A finished run with a file; its id."""
    with mlflow.start_run() as run:
        run_files.log_text(text, "note.txt")
        run_files.record_digests(run.info.run_id)
    return str(run.info.run_id)


def test_deleted_folders_of_models_and_of_runs_are_named_one_by_one(
    store: MlflowClient,  # noqa: F811
    tmp_path: Path,
) -> None:
    whole, *emptied = [kept_run(text) for text in "abc"]
    store.create_registered_model(MODEL_NAME)
    for run_id in (whole, *emptied):
        place = Path(store.get_run(run_id).info.artifact_uri)
        store.create_model_version(MODEL_NAME, f"{place}/gone", run_id)
    for run_id in emptied:
        shutil.rmtree(Path(store.get_run(run_id).info.artifact_uri))

    faults = list(faults_of_runs())

    for run_id in emptied:
        assert sum(f"note.txt of run {run_id}" in fault.found for fault in faults) == 1
    for number in (1, 2, 3):
        (fault,) = [fault for fault in faults if f"version {number} " in fault.found]
        assert "/gone" in fault.found
        assert "rollback" in fault.next_command
    assert len(faults) == 5


def test_a_damaged_database_is_named_with_the_command_that_heals_it(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    file.write_bytes(b"no database, as long as it may be " * 100)
    (fault,) = _of_database(file)
    assert isinstance(fault, Damaged)
    assert str(file) in fault.found
    assert fault.next_command.endswith(f"backup restore backups/mlflow.db {file}")
