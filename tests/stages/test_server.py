"""The same commands against a real MLflow server with logins, as a team runs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_port
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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TrackingServer]:
    made = TrackingServer(tmp_path, f"sqlite:///{tmp_path}/server.db", free_port())
    made.start()
    try:
        made.add_users("ann", "rita")
        yield made
    finally:
        made.kill()


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
