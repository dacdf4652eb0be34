"""A password that `mlflow run` was given is in no file, and the person is told to change it."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from pipeline import commands
from pipeline.contract import Tags
from pipeline.io.tracking import parameters, runs

SECRET = "hunter2"
ADDRESS = f"tracking.uri=http://me:{SECRET}@host"


def opened(**given: str) -> str:
    """Id of a run with parameters, between others whose rows share its pages."""
    ids = []
    for _ in range(30):
        with mlflow.start_run() as run:
            mlflow.log_params(given)
            ids.append(run.info.run_id)
    for run_id in ids[1:]:
        parameters.mask(mlflow.get_tracking_uri(), run_id)
    return ids[0]


def holding(folder: Path) -> list[Path]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert files
    return [file for file in files if SECRET.encode() in file.read_bytes()]


def test_a_local_store_holds_it_nowhere(
    store: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = opened(overrides=f"seed=1 {ADDRESS}", reason="none")
    assert holding(tmp_path)
    parameters.mask(mlflow.get_tracking_uri(), run_id)
    assert not holding(tmp_path)
    params = store.get_run(run_id).data.params
    assert params == {"overrides": "seed=1 tracking.uri=http://***@host", "reason": "none"}
    assert f"taken out of overrides of run {run_id}" in caplog.text


def test_of_a_server_it_is_said_how_to_remove_it(
    store: MlflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    with mlflow.start_run() as run:
        mlflow.log_params({"overrides": ADDRESS, "reason": "none"})
    parameters.mask("http://server", run.info.run_id)
    assert f"a password in overrides of run {run.info.run_id}; change the password" in caplog.text
    assert f"mlflow gc --run-ids {run.info.run_id}" in caplog.text
    assert SECRET not in caplog.text


def test_the_name_of_a_databases_user_is_no_password(
    store: MlflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    with mlflow.start_run() as run:
        mlflow.log_param("overrides", "store=postgres store.url=postgresql://me@host/prices")
    parameters.mask(mlflow.get_tracking_uri(), run.info.run_id)
    assert not caplog.text


def test_what_was_not_given_is_no_parameter(store: MlflowClient) -> None:
    """As `mlflow run` writes it: every declared one, empty in quotes."""
    with mlflow.start_run() as other:
        mlflow.log_param("end_date", "''")
    with mlflow.start_run() as run:
        mlflow.log_params({"start_date": "''", "end_date": "''", "overrides": "'seed=1 x=2'"})
    parameters.forget_not_given(mlflow.get_tracking_uri(), run.info.run_id)
    assert store.get_run(run.info.run_id).data.params == {"overrides": "'seed=1 x=2'"}
    assert store.get_run(other.info.run_id).data.params == {"end_date": "''"}
    parameters.forget_not_given("http://server", other.info.run_id)
    assert store.get_run(other.info.run_id).data.params == {"end_date": "''"}


def test_the_run_of_a_stage_holds_no_password(store: MlflowClient, tmp_path: Path) -> None:
    commands.use_overrides([ADDRESS])
    with runs.stage_run("status") as run:
        pass
    assert store.get_run(run.info.run_id).data.tags[Tags.OVERRIDES] == (
        "'tracking.uri=http://***@host'"
    )
    assert not holding(tmp_path)
    commands.use_overrides([])
