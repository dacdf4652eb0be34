"""The MLflow UI on this project's store, prepared first, with sane settings."""

from __future__ import annotations

import os
import subprocess
import sys

from pipeline.config.settings import Settings
from pipeline.errors import NotReady
from pipeline.io.tracking import experiment, views
from pipeline.paths import ROOT
from pipeline.secrets import masked
from pipeline.stages._cli import command


def run(settings: Settings) -> None:
    """Serve the UI until interrupted: one worker, no job runners, this machine only.

    MLflow's defaults start 15 processes and take 1.85 GB (measured with MLflow 3.17).
    """
    uri = experiment.tracking_uri(settings.tracking.uri, server=settings.tracking.server)
    if uri.startswith("http"):
        raise NotReady(
            "ui", f"{uri} is a server with a UI of its own", "a browser", f"open {masked(uri)}"
        )
    experiment.prepare(uri, settings.tracking.experiment_name)
    address = f"http://{settings.ui.host}:{settings.ui.port}"
    experiment_id = os.environ[experiment.EXPERIMENT_ID]
    views.refresh(experiment_id)
    print(f"Leaderboard: {leaderboard(address, experiment_id)}   (Ctrl+C ends it)", flush=True)
    environment = os.environ | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_BACKEND_STORE_URI": uri,  # not an argument: it may hold a password
    }
    # Each argument apart and no shell: a host name is never read as a command.
    server = [sys.executable, "-m", "mlflow", "ui", "--workers", "1"]
    server += ["--default-artifact-root", str(ROOT / "mlruns")]
    server += ["--host", settings.ui.host, "--port", str(settings.ui.port)]
    try:
        subprocess.call(server, env=environment, cwd=ROOT)
    except KeyboardInterrupt:
        print("MLflow UI closed")


def leaderboard(address: str, experiment_id: str) -> str:
    """Where the view of retrains opens; without its last part MLflow opens a page on GenAI.

    >>> leaderboard("", "0")
    '/#/experiments/0/runs?viewStateShareKey=retrains&workflowType=machine_learning'
    """
    view = f"viewStateShareKey={views.RETRAINS.key}&workflowType=machine_learning"
    return f"{address}/#/experiments/{experiment_id}/runs?{view}"


if __name__ == "__main__":
    command("ui", run, tracked=False)
