"""The tracking store: where it is, how it is prepared."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipeline.commands import Command
from pipeline.errors import NotReady, Refused
from pipeline.io.tracking import experiment
from pipeline.paths import ROOT


def test_the_configured_address_wins_over_the_variable_and_that_over_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    assert experiment.tracking_uri("http://here") == "http://here"
    assert experiment.tracking_uri() == "http://there"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert experiment.tracking_uri() == f"sqlite:///{ROOT / 'mlflow.db'}"


@pytest.mark.parametrize(
    ("configured", "exported", "found"),
    [
        (None, None, "tracking=server has no address"),
        (None, "sqlite:///mlflow.db", "the address sqlite:///mlflow.db is none of a server"),
        ("runs/", "http://there", "the address runs/ is none of a server"),
    ],
)
def test_a_team_s_runs_never_go_to_a_file_instead(
    monkeypatch: pytest.MonkeyPatch, configured: str | None, exported: str | None, found: str
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if exported:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", exported)
    with pytest.raises(NotReady, match=found):
        experiment.tracking_uri(configured, server=True)
    assert experiment.tracking_uri("https://here", server=True) == "https://here"


def test_experiment_0_gets_its_name_views_and_a_folder_for_artifacts(
    store: MlflowClient, prepared: Path
) -> None:
    prepared_experiment = store.get_experiment("0")
    assert prepared_experiment.name == "tested"
    assert Path(prepared_experiment.artifact_location.removeprefix("file://")).is_absolute()
    tags = prepared_experiment.tags
    assert {"mlflow.sharedViewState.retrains", "mlflow.sharedViewState.sweeps"} <= set(tags)
    with contextlib.closing(sqlite3.connect(prepared)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_store_that_an_ui_made_is_moved_away_by_the_printed_line(
    store: MlflowClient, tmp_path: Path
) -> None:
    database = tmp_path / "mlflow.db"
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE experiments SET artifact_location = 'mlflow-artifacts:/0'")
    with pytest.raises(Refused, match="created by an MLflow UI") as refused:
        experiment.prepare(f"sqlite:///{database}", "tested")
    assert refused.value.next == (f"mv {database} {database}.ui", Command("ui"))
