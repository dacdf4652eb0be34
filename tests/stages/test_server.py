"""The same commands against a real MLflow server, as a team runs them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stages.conftest import Project


@dataclass(frozen=True)
class Served(Project):
    """A project whose runs and models are kept by a server."""

    port: int

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        project = Served(tmp_path, listener.getsockname()[1])
    words = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    words += ["--port", str(project.port), "--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
    words += ["--artifacts-destination", str(tmp_path / "artifacts")]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(words, env=environment, stdout=log, stderr=log, cwd=tmp_path)
        try:
            wait_until_up(f"{project.uri}/health")
            yield project
        finally:
            server.terminate()
            server.wait()


def wait_until_up(address: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise TimeoutError(address)


def test_a_retrain_is_logged_registered_promoted_and_used_through_a_server(served: Served) -> None:
    served.python("retrain", "experiment=quick")
    served.python("promote", "promote.force=true", "promote.reason=team")
    said = served.python("signals", "strategy.min_edge_bps=0").stdout
    assert "champion version 1" in said
    status = served.python("status").stdout
    assert "yes  champion    version 1, team" in status
    experiment = served.client.get_experiment_by_name("daytrade")
    assert experiment is not None
    stages = {
        run.data.tags["stage"]
        for run in served.client.search_runs([experiment.experiment_id], max_results=100)
    }
    assert {"retrain", "trial", "promote", "signals", "status"} <= stages
