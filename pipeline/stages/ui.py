"""The MLflow UI on this project's store, prepared first, with sane settings."""

from __future__ import annotations

import os
import subprocess
import sys

from pipeline.errors import NotReady
from pipeline.io import tracking
from pipeline.settings import ROOT, Settings
from pipeline.stages._runner import command


def run(settings: Settings) -> None:
    """Serve the UI until interrupted: one worker, no job runners, this machine only.

    MLflow's defaults start 15 processes and take 1.85 GB (measured with MLflow 3.17).
    """
    uri = tracking.tracking_uri(settings.tracking.uri)
    if uri.startswith("http"):
        raise NotReady("ui", f"{uri} is a server with a UI of its own", "a browser", f"open {uri}")
    tracking.prepare(uri, settings.tracking.experiment_name)
    address = f"http://{settings.ui.host}:{settings.ui.port}"
    print(f"MLflow UI: {address}/#/experiments/0   (Ctrl+C ends it)", flush=True)
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    # Each argument apart and no shell: a host name is never read as a command.
    server = [sys.executable, "-m", "mlflow", "ui", "--workers", "1"]
    server += ["--backend-store-uri", uri, "--default-artifact-root", str(ROOT / "mlruns")]
    server += ["--host", settings.ui.host, "--port", str(settings.ui.port)]
    try:
        subprocess.call(server, env=environment, cwd=ROOT)
    except KeyboardInterrupt:
        print("MLflow UI closed")


if __name__ == "__main__":
    command("ui", run, tracked=False)
