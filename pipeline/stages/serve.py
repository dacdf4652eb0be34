"""Serve: MLflow's own model server on the champion, for this machine alone."""

from __future__ import annotations

import os
import subprocess
import sys

from pipeline.config.settings import Settings
from pipeline.contract import Aliases
from pipeline.io.tracking import experiment, registered, registry, safe_models
from pipeline.paths import ROOT
from pipeline.serving import model_server, verdicts, versions
from pipeline.stages._cli import command
from pipeline.workspace import Workspace


def run(settings: Settings) -> None:
    """Serve until interrupted: one worker, which holds the version that is champion now.

    What `signals` refuses is refused: a stopped champion, features that changed since it learned,
    files that are not those that were registered, or a description that would have MLflow load
    something else; MLflow gets a copy of the files that were checked. A session's snapshot sent
    whole gives the bits that `signals` ranks; the server goes on with its version when the alias
    moves, and ends with the same refusal once that version is stopped.
    """
    uri = experiment.tracking_uri(settings.tracking.uri, server=settings.tracking.server)
    experiment.prepare(uri, settings.tracking.experiment_name)
    registered.select(settings.registry.model, settings.data.name)
    version = registry.find(Aliases.CHAMPION, who="serve")
    verdicts.check_trades(version, settings.monitor, "serve")
    with Workspace.open(settings) as workspace:
        versions.check_serves(workspace, version, "serve")
    served = safe_models.checked_copy(version)
    chosen = settings.serve
    address = f"http://{chosen.host}:{chosen.port}/invocations"
    print(f"Serving version {version.version}: POST {address}   (Ctrl+C ends it)", flush=True)
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri}
    server = [sys.executable, "-m", "mlflow", "models", "serve"]
    server += ["--model-uri", served.name]
    server += ["--env-manager", "local"]
    server += ["--host", chosen.host, "--port", str(chosen.port), "--workers", "1"]
    started = subprocess.Popen(server, env=environment, cwd=ROOT)

    def check() -> None:
        again = registry.find(version.version, who="serve")
        verdicts.check_trades(again, settings.monitor, "serve")

    try:
        model_server.attend(started, check)
    except KeyboardInterrupt:
        print("model server closed")
    finally:
        served.cleanup()


if __name__ == "__main__":
    command("serve", run, tracked=False)
