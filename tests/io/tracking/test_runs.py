"""One run a stage: how it ends, what it logs, how it is found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from pipeline.contract import Artifacts, Tables
from pipeline.errors import NotReady
from pipeline.io.tracking import later, notes, run_files, runs
from pipeline.io.tracking.dead_runs import close_dead_runs

SESSIONS = pd.bdate_range("2024-07-01", periods=3, name="session")


def test_a_stage_that_ends_well_is_done_unless_it_says_otherwise(store: MlflowClient) -> None:
    with runs.stage_run("ingest"):
        pass
    with runs.stage_run("promote"):
        notes.set_tags({"verdict": "accepted"})
    promoted, ingested = runs.search("attributes.status = 'FINISHED'")
    assert (ingested.data.tags["stage"], ingested.data.tags["verdict"]) == ("ingest", "done")
    assert promoted.data.tags["verdict"] == "accepted"


@pytest.mark.parametrize(
    ("error", "status", "verdict"),
    [
        (NotReady("x", "no bars", "prices"), "FAILED", "not ready"),
        (ZeroDivisionError("1/0"), "FAILED", "fault"),
        (KeyboardInterrupt(), "KILLED", "interrupted"),
    ],
)
def test_what_ends_a_stage_is_on_its_run_and_on_the_one_around_it(
    store: MlflowClient, error: BaseException, status: str, verdict: str
) -> None:
    with pytest.raises(type(error)), runs.stage_run("main"), runs.stage_run("ingest"):
        raise error
    assert mlflow.active_run() is None
    ended = runs.search(f"attributes.status = '{status}'")
    assert {run.data.tags["stage"] for run in ended} == {"main", "ingest"}
    assert {run.data.tags["verdict"] for run in ended} == {verdict}
    assert str(error) in ended[0].data.tags["mlflow.note.content"]


def test_a_search_answers_the_newest_first_and_no_more_than_asked(store: MlflowClient) -> None:
    made = [store.create_run("0", start_time=1 + number).info.run_id for number in range(5)]
    assert [run.info.run_id for run in runs.search("", newest=2)] == made[:2:-1]
    assert len(runs.search("")) == 5


def test_only_runs_of_dead_processes_of_this_host_are_closed(store: MlflowClient) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = runs.process.tags()
    alive = store.create_run("0", tags=mine)
    elsewhere = store.create_run("0", tags=mine | {"process.host": "far", "process.pid": "1"})
    gone = store.create_run("0", tags=mine | {"process.pid": str(dead.pid)})
    again = store.create_run("0", tags=mine | {"process.started": "1"})  # a pid used twice
    closed = {gone.info.run_id, again.info.run_id}
    assert set(close_dead_runs()) == closed
    assert all(store.get_run(run_id).info.status == "KILLED" for run_id in closed)
    for run in (alive, elsewhere):
        assert store.get_run(run.info.run_id).info.status == "RUNNING"


def test_an_interrupted_run_that_mlflow_called_failed_is_killed_again(store: MlflowClient) -> None:
    for verdict in ("interrupted", "fault"):
        run_id = store.create_run("0", tags={"verdict": verdict}).info.run_id
        store.set_terminated(run_id, "FAILED", end_time=1000)
    assert close_dead_runs() == []
    (killed,) = runs.search("attributes.status = 'KILLED'")
    assert (killed.data.tags["verdict"], killed.info.end_time) == ("interrupted", 1000)


def test_frames_tables_settings_and_steps_come_back_as_they_were(
    store: MlflowClient,
) -> None:
    frame = pd.DataFrame({"prediction": [0.1, 0.2, 0.3]}, SESSIONS)
    config = {"b": {"z": 1, "a": [1, 2]}, "a": None}
    with runs.stage_run("retrain") as run:
        runs.log_frame(frame, Artifacts.PREDICTIONS)
        runs.log_config(config)
        notes.log_settings({"cv": {"folds": 4, "of": {}}, "hpo": {"n": 1}}, ["cv"])
        notes.log_steps({"backtest/equity": frame["prediction"]})
        runs.log_table(frame.reset_index(), Tables.STEPS)
        with runs.timed("fit"):
            pass
    run_id = run.info.run_id
    pd.testing.assert_frame_equal(
        runs.read_frame(run_id, Artifacts.PREDICTIONS), frame, check_freq=False
    )
    assert list(runs.config_of(run_id)["b"]) == ["z", "a"]
    logged = store.get_run(run_id).data
    assert logged.params == {"cv.folds": "4", "cv.of": "{}"}
    assert logged.metrics["time/fit_seconds"] >= 0
    points = store.get_metric_history(run_id, "backtest/equity")
    assert [(p.step, p.value) for p in points] == [(0, 0.1), (1, 0.2), (2, 0.3)]
    assert [p.timestamp for p in points] == [int(s.timestamp() * 1000) for s in SESSIONS]
    listed = run_files.read_table(run_id, Tables.STEPS)
    pd.testing.assert_series_equal(listed["prediction"], frame["prediction"], check_index=False)
    names = {Path(path).parent.as_posix() for path in run_files.recorded(store.get_run(run_id))}
    assert names == {"config", "forecasts"}


def test_the_run_of_mlflow_run_is_read_before_mlflow_takes_it_away() -> None:
    script = "from pipeline.io.tracking import runs; print(runs.PROJECT_RUN)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"MLFLOW_RUN_ID": "abc"}, text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "abc"


def test_runs_that_nobody_adopted_are_closed_once_nobody_can(store: MlflowClient) -> None:
    """`mlflow run` opens a run and then starts the stage: both may be dead before it is adopted."""
    tags = {"mlflow.project.entryPoint": "retrain"}
    now = int(time.time() * 1000)
    orphan, adopted = (store.create_run("0", tags=tags, start_time=now).info for _ in range(2))
    by_hand = store.create_run("0").info
    with subprocess.Popen(
        [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"],
        env=os.environ | {"MLFLOW_RUN_ID": adopted.run_id}, stdout=subprocess.PIPE,
    ) as stage:  # fmt: skip
        assert stage.stdout is not None
        stage.stdout.readline()
        assert close_dead_runs() == [orphan.run_id]
        stage.kill()
    assert close_dead_runs() == [adopted.run_id]
    assert store.get_run(orphan.run_id).info.status == "KILLED"
    assert store.get_run(by_hand.run_id).info.status == "RUNNING"


@pytest.mark.parametrize(("has_a_stage", "closed"), [(False, False), (True, True)])
def test_an_mlflow_run_keeps_a_run_open_until_its_own_stage_begins(
    store: MlflowClient, tmp_path: Path, has_a_stage: bool, closed: bool
) -> None:
    program = tmp_path / "mlflow"
    program.write_text(
        "import subprocess, sys, time\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        f"if {has_a_stage}: subprocess.Popen(sleep, env={{'MLFLOW_RUN_ID': 'of its own'}})\n"
        "print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, program, "run", "."], stdout=subprocess.PIPE, start_new_session=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        tags = {"mlflow.project.entryPoint": "retrain"}
        run = store.create_run("0", tags=tags, start_time=int(time.time() * 1000))
        time.sleep(0.05)  # the stage's environment is there once it has been started
        assert close_dead_runs() == ([run.info.run_id] if closed else [])
        os.killpg(other.pid, signal.SIGKILL)


@pytest.mark.filterwarnings("error::pandas.errors.Pandas4Warning")
def test_a_table_is_one_file_read_to_the_last_bit_and_warns_of_nothing(store: MlflowClient) -> None:
    frame = pd.DataFrame({"symbol": ["A", None], "net": [0.1 + 0.2, np.nan]})
    with runs.stage_run("signals") as run:
        runs.log_table(frame, Tables.SIGNALS)
    pd.testing.assert_frame_equal(
        run_files.read_table(run.info.run_id, Tables.SIGNALS), frame, check_exact=True
    )
    kept = store.list_artifacts(run.info.run_id, "orders")
    assert [file.path for file in kept] == ["orders/signals.csv"]


def test_tables_begin_no_formula_and_configurations_hold_no_password(store: MlflowClient) -> None:
    names = ["=1+1", "+1", "-1", "@x", "\t=1", "BRK-B"]
    address = "postgresql://me:hunter2@host/runs"
    with runs.stage_run("signals") as run:
        runs.log_table(pd.DataFrame({"symbol": names, "net": [-1.0] * 6}), Tables.SIGNALS)
        runs.log_config({"tracking": {"uri": address}})
        notes.log_settings({"tracking": {"uri": address}})

    def fails() -> None:
        with runs.stage_run("ingest"):
            raise OSError(f"no answer from {address}")

    with pytest.raises(OSError):
        fails()
    folder = store.download_artifacts(run.info.run_id, "")
    written = pd.read_csv(f"{folder}/{Tables.SIGNALS}.csv")
    assert written["symbol"].tolist() == [*(f"'{name}" for name in names[:5]), "BRK-B"]
    assert written["net"].tolist() == [-1.0] * 6
    texts = [file.read_text() for file in Path(folder).rglob("*") if file.is_file()]
    kept = [str(found.data.to_dictionary()) for found in runs.search("")]
    assert not [text for text in [*texts, *kept] if "hunter2" in text]


def test_what_is_not_the_result_is_written_after_it(store: MlflowClient) -> None:
    with runs.stage_run("retrain") as run:
        later.log_later({"data/rows": 3.0}, step=2)
        with runs.timed("refit"), runs.stage_run("labels") as nested:
            later.log_later({"data/rows": 4.0})
        notes.log_metrics({"test/rank_ic": 0.1})
    assert list(store.get_run(run.info.run_id).data.metrics) == [
        "test/rank_ic", "data/rows", "time/refit_seconds",
    ]  # fmt: skip
    assert store.get_metric_history(run.info.run_id, "data/rows")[0].step == 2
    assert store.get_run(nested.info.run_id).data.metrics == {"data/rows": 4.0}


def test_it_is_written_for_a_run_that_fails_too(store: MlflowClient) -> None:
    def fails() -> None:
        with runs.stage_run("retrain"):
            later.log_later({"data/rows": 3.0})
            raise ValueError

    with pytest.raises(ValueError):
        fails()
    [run] = store.search_runs(["0"])
    assert run.data.metrics == {"data/rows": 3.0}


def test_figures_of_the_result_are_the_runs_and_the_models_and_come_first(
    store: MlflowClient,
) -> None:
    with runs.stage_run("retrain") as run:
        later.log_later({"time/backtest_seconds": 1.0})
        later.log_result({"test/rank_ic": 0.02, "backtest/sharpe": 1.5})
        assert store.get_run(run.info.run_id).data.metrics == {}
        model = mlflow.initialize_logged_model("ridge")
        later.write_result(run.info.run_id, model.model_id)
        assert list(store.get_run(run.info.run_id).data.metrics) == [
            "test/rank_ic",
            "backtest/sharpe",
        ]
    assert len(store.get_run(run.info.run_id).data.metrics) == 3
    linked = store.get_logged_model(model.model_id).metrics or []
    assert {metric.key: metric.value for metric in linked} == {
        "test/rank_ic": 0.02,
        "backtest/sharpe": 1.5,
    }


def test_a_result_without_a_model_is_written_when_its_run_ends(store: MlflowClient) -> None:
    def interrupted() -> None:
        with runs.stage_run("retrain"):
            later.log_result({"test/rank_ic": 0.02})
            raise NotReady("x", "no bars", "prices")

    with pytest.raises(NotReady):
        interrupted()
    [run] = runs.search("tags.stage = 'retrain'")
    assert run.data.metrics == {"test/rank_ic": 0.02}
