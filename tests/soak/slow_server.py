"""A retrain through a slow MLflow server: its requests by kind, and its time beside a local one.

    python -m tests.soak.slow_server [--delay 0.3] [--store FILE] [overrides]

A server with logins stands behind a relay that holds every request back for so long, as a far or
busy server does. The same retrain runs on a local file and through the relay; figures are wall
seconds, and requests by method and path.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.ports import free_port
from tests.relay import Relay
from tests.tracking_server import TrackingServer

ROOT = Path(__file__).resolve().parents[2]


def seconds(overrides: Sequence[str], environment: dict[str, str]) -> float:
    """Wall seconds of a retrain.

    Raises
    ------
    CalledProcessError
        It did not end well.
    """
    words = [sys.executable, "-m", "pipeline.stages.retrain", *overrides]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    began = time.perf_counter()
    subprocess.run(words, cwd=ROOT, env=kept | environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--delay", type=float, default=0.3)
    parser.add_argument("--store", type=Path, help="a store that is up to date, to spare that")
    parser.add_argument("overrides", nargs="*", default=["experiment=quick", "features=classic"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = given.store or Path(folder) / "sample.db"
        words = [*given.overrides, f"store.path={place}"]
        local = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        seconds(words, local)  # makes the store and the tables of MLflow
        alone = seconds(words, local)
        server = TrackingServer(Path(folder), f"sqlite:///{folder}/server.db", free_port())
        server.start()
        try:
            server.add_users("ann")
            with Relay(server.uri, given.delay).open() as relay:
                login = server.login("ann")
                there = {**login, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{relay.port}"}
                through = seconds([*words, "tracking=server"], there)
        finally:
            server.kill()
    count = relay.counted.total()
    print(f"local {alone:.1f} s, through the server {through:.1f} s: {through / alone:.2f} times")
    print(f"{count} requests, {count * given.delay:.0f} s of delay in all")
    for name, number in relay.counted.most_common():
        print(f"{number:>5}  {name}")


if __name__ == "__main__":
    main()
