"""The same commands against a real MLflow server with logins, as a team runs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipeline.contract import Tags
from pipeline.io.tracking import experiment, run_files, runs
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
