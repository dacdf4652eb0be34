"""Bad input through the real commands: one clear message, the exit code, a FAILED run."""

from __future__ import annotations

import signal
import sqlite3
import time
from pathlib import Path

import pandas as pd
import pytest

from pipeline.io.store.store import Store
from tests.stages.conftest import Project, copied


@pytest.fixture
def stocked(with_sample: Project) -> Project:
    return with_sample


def failed(project: Project, stage: str) -> str:
    """The verdict of the newest run of a stage, which failed."""
    run = project.newest(stage)
    assert run.info.status == "FAILED"
    return run.data.tags["verdict"]


def test_every_fault_of_a_configuration_is_listed_at_once(project: Project) -> None:
    done = project.python(
        "labels", "seed=-1", "nothing.here=2", "model=nix", "start_date=2010-03-02",
        "end_date=2010-03-01", "gates.beats_zero.operator=about", code=1,
    )  # fmt: skip
    for fault in ("seed", "nothing.here", "model/nix", "lies after", "beats_zero.operator"):
        assert fault in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.folder / "mlflow.db").exists()  # no run is left behind


def test_mlflow_marks_a_refused_configuration_on_its_own_run(project: Project) -> None:
    project.mlflow_run("labels", "hpo.n_trials=0", code=1)
    assert failed(project, "refused settings") == "invalid settings"
    assert not project.runs("labels")


def test_an_unknown_symbol_is_named(project: Project) -> None:
    done = project.python("ingest", "symbols=[AAPL,NIXX]", code=1)
    assert "unknown symbol 'NIXX'" in done.stderr
    assert not (project.folder / "sample.db").exists()


def test_an_empty_window_names_the_dates_there_are(stocked: Project) -> None:
    done = stocked.python("features", "date=1999-01-04", code=1)
    assert "no session with bars from 1999-01-04" in done.stderr
    assert "2009-08-21 to 2010-08-23" in done.stderr
    assert failed(stocked, "features") == "not ready"


def test_too_few_sessions_says_how_many_are_needed(stocked: Project) -> None:
    done = stocked.python("retrain", "retrain.refresh=false", "retrain.window_days=40", code=1)
    assert "development has 26 sessions" in done.stderr
    assert "56 sessions: 15 to train on" in done.stderr
    assert failed(stocked, "retrain") == "not ready"


def test_a_store_of_an_older_schema_is_not_touched(stocked: Project) -> None:
    with sqlite3.connect(stocked.folder / "sample.db") as connection:
        connection.execute("UPDATE meta SET schema_version = 0")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = Path(stocked.folder / "sample.db").read_bytes()
    done = stocked.python("labels", code=2)
    assert "schema" in done.stderr
    assert Path(stocked.folder / "sample.db").read_bytes() == before
    assert failed(stocked, "labels") == "fault"


@pytest.mark.parametrize(
    ("stage", "override", "found", "following"),
    [
        ("signals", "seed=1", "no model", "retrain"),
        ("promote", "seed=1", "no model", "retrain"),
        ("backtest", "backtest.model=99", "no model", "retrain"),
        ("rollback", "seed=1", "no champion", "promote promote.version=N"),
    ],
)
def test_a_missing_model_names_the_next_command(
    stocked: Project, stage: str, override: str, found: str, following: str
) -> None:
    done = stocked.python(stage, override, code=1)
    assert found in done.stderr
    assert f"next:   python -m pipeline.stages.{following}" in done.stderr
    assert failed(stocked, stage) == "not ready"


def test_a_locked_store_names_who_holds_it(stocked: Project) -> None:
    store = Store.open(stocked.folder / "sample.db")
    with store.writer("a long import"):
        done = stocked.python("labels", "store.lock_timeout_seconds=0", code=1)
    store.close()
    assert "'a long import' (process" in done.stderr
    assert failed(stocked, "labels") == "not ready"


def test_yahoo_without_a_list_of_symbols_says_how_to_give_one(project: Project) -> None:
    done = project.python("ingest", "data=yfinance", code=1)
    assert "universe=sp500" in done.stderr


def test_stages_without_a_store_point_to_ingest(project: Project) -> None:
    done = project.python("features", code=1)
    assert "there is no store" in done.stderr
    assert "ingest" in done.stderr


def test_a_killed_stage_run_again_ends_in_the_same_state(project: Project, sample: Project) -> None:
    """kill -9 while the store is written, then the same command."""
    doomed = project.start("ingest")
    deadline = time.monotonic() + 60
    while not (project.folder / "sample.db").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    doomed.send_signal(signal.SIGKILL)
    was_killed = doomed.wait() == -signal.SIGKILL  # a quick machine may be done by then
    done = project.python("ingest")
    assert ("closed 1 runs of dead processes as KILLED" in done.stdout + done.stderr) == was_killed
    again, before = (Store.open(p.folder / "sample.db") for p in (project, sample))
    for name in ("open", "high", "low", "close", "volume"):
        ours, theirs = (getattr(store.bar_panel(), name) for store in (again, before))
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    pd.testing.assert_frame_equal(again.quarantine(), before.quarantine())
    again.close()
    before.close()


@pytest.mark.soak
def test_a_killed_retrain_goes_on_and_ends_with_the_same_predictions(
    stocked: Project, sample: Project, tmp_path: Path
) -> None:
    """kill -9 after the first trial of the search, then the same command."""
    doomed = stocked.start("retrain", "experiment=quick", "hpo.batch_size=1")
    deadline = time.monotonic() + 120
    journals = stocked.folder / "retrains"
    while time.monotonic() < deadline and not any(
        "add_trial" in p.read_text() or p.stat().st_size > 2000 for p in journals.rglob("*.log")
    ):
        time.sleep(0.02)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    assert any(journals.rglob("*.log"))
    stocked.python("retrain", "experiment=quick", "hpo.batch_size=1")
    resumed = stocked.newest("retrain")
    other = tmp_path / "whole"
    other.mkdir()
    uninterrupted = copied(sample, other)
    uninterrupted.python("retrain", "experiment=quick", "hpo.batch_size=1")
    whole = uninterrupted.newest("retrain")
    assert resumed.data.tags["predictions"] == whole.data.tags["predictions"]
    assert not any(journals.rglob("*.log"))
