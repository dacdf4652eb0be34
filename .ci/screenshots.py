"""Pictures for README and docs: leaderboard, run, compare view, model, trials and tear sheets.

Starts the project's own UI on a free port and photographs it with headless Chromium
(Debian: ``apt-get install chromium fonts-liberation``: heads of columns are made for letters as
narrow as Arial's). Needs finished retrains; with three of them the compare view
shows three. `.ci/figures.py` makes both.

    python .ci/screenshots.py [folder] [width]
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

ROOT = Path(__file__).resolve().parents[1]
WAIT_SECONDS = 120
WIDTH = int(sys.argv[2]) if len(sys.argv) > 2 else 1280
ASSISTANT_WIDTH = round(0.3453 * WIDTH)
SHEET_HEIGHT = 2400


def main(folder: Path) -> None:
    """Write one PNG a page."""
    from mlflow import MlflowClient

    sys.path.insert(0, str(ROOT))
    from pipeline.contract import Artifacts
    from pipeline.io.tracking import experiment

    client = MlflowClient(experiment.tracking_uri())
    runs = client.search_runs(
        ["0"],
        "attributes.status = 'FINISHED' and tags.stage = 'retrain' and tags.evaluation = 'holdout'",
        order_by=["attributes.start_time DESC"],
        max_results=3,
    )
    ids = [run.info.run_id for run in runs]
    quoted = urllib.parse.quote(json.dumps(ids))
    name = client.search_registered_models()[0].name
    views = "/#/experiments/0/runs?workflowType=machine_learning&viewStateShareKey="
    mode = "workflowType=machine_learning"
    pages = {
        "runs": f"{views}retrains",
        "trials": f"{views}trials",
        "run": f"/#/experiments/0/runs/{ids[-1]}?{mode}",
        "artifacts": f"/#/experiments/0/runs/{ids[-1]}/artifacts?{mode}",
        "compare": f"/#/compare-runs?runs={quoted}&experiments=%5B%220%22%5D&{mode}",
        "registry": f"/#/models/{name}?{mode}",
    }
    sheets = {"tear_sheet": ids[-1], "walk_forward": _newest_walk_forward(client)}
    for picture, run_id in sheets.items():
        if run_id:
            sheet = Path(client.download_artifacts(run_id, Artifacts.TEAR_SHEET))
            photograph(sheet.as_uri(), folder / f"{picture}.png", SHEET_HEIGHT, panel=0)
    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "pipeline.stages.ui", f"ui.port={port}"],
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/health")
        for name, page in pages.items():
            photograph(f"http://127.0.0.1:{port}{page}", folder / f"{name}.png")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _newest_walk_forward(client: MlflowClient) -> str | None:
    """Id of its run; None where there is none."""
    where = "attributes.status = 'FINISHED' and tags.stage = 'retrain' and "
    where += "tags.evaluation = 'walk_forward'"
    newest = client.search_runs(["0"], where, order_by=["attributes.start_time DESC"])
    return str(newest[0].info.run_id) if newest else None


def photograph(
    address: str, picture: Path, height: int = 1000, panel: int = ASSISTANT_WIDTH
) -> None:
    """One page, ``WIDTH`` pixels wide, after its scripts had 20 virtual seconds.

    The window is wider by the assistant's panel, which MLflow opens by itself at the right.
    """
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("no Chromium found: apt-get install chromium")
    picture.unlink(missing_ok=True)  # Chromium can end well without one
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                f"--user-data-dir={profile}", f"--window-size={WIDTH + panel},{height}",
                "--hide-scrollbars",
                "--virtual-time-budget=20000", f"--screenshot={picture}", address,
            ],
            check=True, capture_output=True, timeout=WAIT_SECONDS,
        )  # fmt: skip
    crop(picture)
    print(picture)


def crop(picture: Path) -> None:
    """Leave out the assistant's panel."""
    from PIL import Image

    with Image.open(picture) as whole:
        part = whole.crop((0, 0, WIDTH, whole.height))
    part.save(picture, optimize=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_up(address: str) -> None:
    for _ in range(WAIT_SECONDS):
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except OSError:
            time.sleep(1)
        else:
            return
    raise SystemExit(f"{address} did not answer within {WAIT_SECONDS} s")


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "pictures")
    target.mkdir(parents=True, exist_ok=True)
    main(target)
