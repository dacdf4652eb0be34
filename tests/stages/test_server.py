"""The same commands against a real MLflow server with logins, as a team runs them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.contract import Tags
from pipeline.io.tracking import experiment, later, notes, run_files, runs, uploads
from tests.ports import free_port
from tests.relay import Relay
from tests.stages.conftest import Project
from tests.tracking_server import TrackingServer


@dataclass(frozen=True)
class Served(Project):
    """A project of one user, whose runs and models are kept by a server."""

    server: TrackingServer
    user: str

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self.server.login(self.user)}

    @property
    def uri(self) -> str:
        return self.server.uri


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    folder = tmp_path_factory.mktemp("server")
    made = TrackingServer(folder, f"sqlite:///{folder}/server.db", free_port())
    made.start()
    try:
        made.add_users("ann", "rita")
        yield made
    finally:
        made.kill()


@pytest.fixture
def relayed(server: TrackingServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """A relay to the server, which this process logs through into an experiment of the test."""
    for name, value in server.login("ann").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    before = mlflow.get_tracking_uri()
    with Relay(server.uri, delay=0.1).open() as relay:
        uri = f"http://127.0.0.1:{relay.port}"
        made = MlflowClient(uri).create_experiment(f"files {relay.port}")
        monkeypatch.setenv(experiment.EXPERIMENT_ID, made)
        experiment.prepare(uri, "files")
        yield relay
    mlflow.set_tracking_uri(before)


FILES = {f"tables/{number}.csv": f"{number}" for number in range(9)}


def log_files() -> None:
    for path, text in FILES.items():
        run_files.log_text(text, path)


def test_files_go_to_a_server_side_by_side_and_are_there_before_their_digests(
    relayed: Relay,
) -> None:
    with runs.stage_run("retrain") as run:
        log_files()
        assert run_files.read_text(run.info.run_id, "tables/8.csv") == "8"

    assert relayed.counted["PUT artifacts"] == len(FILES)
    assert relayed.busiest["PUT artifacts"] > 1
    finished = mlflow.get_run(run.info.run_id)
    assert set(run_files.recorded(finished)) == set(FILES)
    assert run_files.faults(finished) == []


def test_a_stage_whose_files_a_server_refuses_fails_and_records_none(relayed: Relay) -> None:
    relayed.refused = frozenset({"PUT artifacts"})

    with pytest.raises(MlflowException), runs.stage_run("retrain") as run:
        log_files()

    failed = mlflow.get_run(run.info.run_id)
    assert failed.info.status == "FAILED"
    assert failed.data.tags[Tags.VERDICT] == "fault"
    assert run_files.recorded(failed) == {}


def test_what_a_run_is_told_goes_to_a_server_in_order_and_nobody_waits(relayed: Relay) -> None:
    with runs.stage_run("retrain") as run:
        began = time.perf_counter()
        for number in range(5):
            notes.set_tags({"number": number})
            notes.log_metrics({"number": number})
        took = time.perf_counter() - began
        assert run_files.read_text(run.info.run_id, "none.csv") is None  # all of it is there
        assert mlflow.get_run(run.info.run_id).data.tags["number"] == "4"

    assert took < relayed.delay
    assert relayed.busiest["POST runs/log-batch"] == 1
    history = MlflowClient().get_metric_history(run.info.run_id, "number")
    assert [point.value for point in history] == [0, 1, 2, 3, 4]


def test_no_figure_follows_a_look_that_a_server_refused(relayed: Relay) -> None:
    def refused() -> None:
        with runs.stage_run("retrain"):
            relayed.refused = frozenset({"POST runs/log-batch"})
            notes.set_tags({Tags.PREDICTIONS: "digest"})
            notes.log_datasets("sample", {"holdout": "digest"})
            later.log_result({"test/rank_ic": 0.1})
            uploads.settled(notes.open_run().info.run_id)
            relayed.refused = frozenset()
            notes.log_metrics({"test/rank_ic": 0.1})

    with pytest.raises(MlflowException):
        refused()

    failed = only_run()
    assert failed.data.tags[Tags.VERDICT] == "fault"
    assert (failed.data.metrics, failed.inputs.dataset_inputs) == ({}, [])


def only_run() -> Run:
    [run] = runs.search("tags.stage = 'retrain'")
    return mlflow.get_run(run.info.run_id)


def test_a_failure_is_the_last_word_on_a_run_whatever_was_under_way(relayed: Relay) -> None:
    def fails() -> None:
        with runs.stage_run("retrain"):
            notes.set_tags({Tags.VERDICT: "accepted", "look": "kept"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()

    tags = only_run().data.tags
    assert (tags[Tags.VERDICT], tags["look"]) == ("fault", "kept")


def test_a_stage_makes_three_requests_beside_its_files(relayed: Relay) -> None:
    with runs.stage_run("labels") as run:
        run_files.log_text("a", "a.csv")
        later.log_later({"labels/rows": 0.0})

    made = ("POST runs/create", "POST runs/log-batch", "POST runs/update", "PUT artifacts")
    of_the_run = {
        kind: n for kind, n in relayed.counted.items() if "runs/" in kind or "PUT" in kind
    }
    assert of_the_run == dict.fromkeys(made, 1)
    tags = mlflow.get_run(run.info.run_id).data.tags
    assert {Tags.STAGE, Tags.PROCESS_HOST, Tags.VERDICT, f"{Tags.FILES}0"} <= set(tags)


def test_a_retrain_is_logged_registered_promoted_and_used_through_a_server(
    server: TrackingServer, with_sample: Project
) -> None:
    tmp_path = with_sample.folder
    ann, rita = (Served(tmp_path, server, user) for user in ("ann", "rita"))
    ann.python("retrain", "experiment=quick", "model=ridge", "tracking=server")
    ann.python("promote", "promote.force=true", "promote.reason=team")
    said = ann.python("signals", "strategy.min_edge_bps=0").stdout
    assert "champion version 1" in said
    status = ann.python("status").stdout
    assert "yes  champion    version 1, team" in status

    refused = rita.python("promote", "promote.force=true", "promote.reason=mine", code=2).stderr
    assert "promote: the MLflow server does not let this user do that" in refused
    assert "needed: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD of a user" in refused
    assert server.passwords["rita"] not in refused

    with server.as_user("rita") as client:
        version = client.get_model_version_by_alias("intraday_return_sample", "champion").version
        experiment = client.get_experiment_by_name("daytrade")
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id], max_results=100)
    assert version == "1"
    assert {"retrain", "trial", "promote", "signals", "status"} <= {
        run.data.tags["stage"] for run in runs
    }
