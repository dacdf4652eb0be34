"""MLflow's own model server on the champion gives the bits that `signals` sealed, day after day."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient

from pipeline.contract import Artifacts
from pipeline.errors import Refused
from pipeline.io.tracking import models, registered, registry
from pipeline.schemas import MODEL_NAME
from pipeline.stages import promote, retrain, serve, signals
from pipeline.stages._cli import step
from pipeline.workspace import Workspace
from tests.ports import free_port
from tests.stages.conftest import ROOT, mlflow_store, stocked  # noqa: F401
from tests.stages.stocked import QUICK, configured
from tests.tracking_server import wait_until_up

pytestmark = pytest.mark.soak

SECONDS, SESSIONS = 600, 20
RULES = ("strategy.min_edge_bps=-1000",)


@pytest.fixture(scope="module")
def lived(stocked: Path) -> Path:  # noqa: F811
    """The folder; its champion learned up to `SESSIONS` before the last, which have signals.

    It is registered as commands register it, under a name of its source.
    """
    registered.select(f"{MODEL_NAME}_sample", "sample")
    with Workspace.open(configured(stocked)) as workspace:
        days = workspace.store.sessions()
    end = f"retrain.end={days[-1 - SESSIONS]:%Y-%m-%d}"
    step("retrain", retrain.run, configured(stocked, *RULES, end))
    forced = ("promote.force=true", "promote.reason=to serve it")
    step("promote", promote.run, configured(stocked, *RULES, *forced))
    for day in days[-SESSIONS:]:
        step("signals", signals.run, configured(stocked, *RULES, f"date={day:%Y-%m-%d}"))
    return stocked


def started(folder: Path, port: int) -> subprocess.Popen[str]:
    words = [f"store.path={folder / 'sample.db'}", "features=classic", *QUICK, *RULES]
    environment = os.environ | {"MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
    environment.pop("MLFLOW_EXPERIMENT_ID", None)
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.stages.serve", *words, f"serve.port={port}"],
        cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE,
    )  # fmt: skip


@contextmanager
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server that is up, and its port."""
    port = free_port()
    running = started(folder, port)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/ping", SECONDS)
        yield running, port
    finally:
        running.terminate()
        running.communicate(timeout=60)


@pytest.fixture(scope="module")
def server(lived: Path) -> Iterator[int]:
    """The port of a server that is up."""
    with served(lived) as (_, port):
        yield port


def answered(port: int, rows: pd.DataFrame) -> list[float]:
    """What the server forecasts of rows."""
    cells = rows.astype(object).where(rows.notna(), None)
    body = json.dumps({"dataframe_split": cells.to_dict("split", index=False)}).encode()
    address = f"http://127.0.0.1:{port}/invocations"
    asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return list(json.loads(answer.read())["predictions"])


def test_snapshots_that_are_posted_give_the_bits_of_signals(lived: Path, server: int) -> None:
    version = registry.find("champion", who="test")
    names = mlflow.artifacts.load_dict(f"runs:/{version.run_id}/{Artifacts.FEATURES}")
    with Workspace.open(configured(lived)) as workspace:
        entries = [e for e in workspace.store.evenings() if e.evening.role == "champion"]
        days = [pd.Timestamp(entry.evening.session) for entry in entries]
        snapshots = workspace.snapshots(pd.DatetimeIndex(days), list(names))
        said = [workspace.store.forecasts([entry.number]) for entry in entries]
    assert len(entries) == SESSIONS
    seconds = []
    for day, sealed in zip(days, said, strict=True):
        rows = snapshots.xs(day, level=0).loc[sealed["symbol"]]
        numbers = list(rows.select_dtypes("number"))
        rows = rows.assign(**{name: rows[name].astype("float64") for name in numbers})
        rows = rows.reset_index(drop=True)
        began = time.perf_counter()
        found = answered(server, rows)
        seconds.append(time.perf_counter() - began)
        assert (np.array(found) == sealed["prediction"].to_numpy()).all(), day
    print(f"\n{SESSIONS} sessions, bit for bit; a request of {len(rows)} rows takes "
          f"{1000 * np.median(seconds):.0f} ms")  # fmt: skip


def test_no_process_of_it_shows_the_address_of_the_store(server: int) -> None:
    """It may hold a password, and everybody sees the list of processes."""
    shown = [" ".join(each.cmdline()) for each in psutil.Process().children(recursive=True)]
    assert any(f"--port {server}" in words for words in shown)
    assert not [words for words in shown if mlflow.get_tracking_uri() in words]


def test_a_stopped_champion_is_not_served(lived: Path) -> None:
    client, name = MlflowClient(), registered.name()
    client.set_model_version_tag(name, "1", "health", "stop: no skill left")
    refused = started(lived, 1)
    said = refused.communicate(timeout=SECONDS)[1]
    client.delete_model_version_tag(name, "1", "health")
    assert refused.returncode == 1
    assert "serve: the champion, version 1, trades nothing. stop: no skill left" in said


def test_a_champion_whose_features_changed_is_not_served(
    lived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = models.features_of(registry.find("champion", who="test"))
    changed = {**learned, next(iter(learned)): "0" * 12}
    monkeypatch.setattr(models, "features_of", lambda version: changed)
    with pytest.raises(Refused, match=r"^serve: version 1 was trained on other definitions of"):
        serve.run(configured(lived, *RULES))


def test_a_champion_that_is_stopped_while_it_is_served_answers_no_more(lived: Path) -> None:
    client, name = MlflowClient(), registered.name()
    with served(lived) as (running, port):
        client.set_model_version_tag(name, "1", "health", "stop: no skill left")
        said = running.communicate(timeout=SECONDS)[1]
        client.delete_model_version_tag(name, "1", "health")
    assert running.returncode == 1
    assert "serve: the champion, version 1, trades nothing. stop: no skill left" in said
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5)
