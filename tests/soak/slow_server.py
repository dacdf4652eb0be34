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
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.ports import free_port
from tests.tracking_server import TrackingServer

ROOT = Path(__file__).resolve().parents[2]
OF_ONE_HOP = ("connection", "transfer-encoding", "host", "keep-alive")


@dataclass
class Relay:
    """Hands requests on to a server after a delay, and counts them."""

    target: str
    delay: float
    counted: Counter[str] = field(default_factory=Counter)
    port: int = field(default_factory=free_port)

    @contextmanager
    def open(self) -> Iterator[Relay]:
        """The relay, as long as it is used."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handed_on(self) -> None:
                relay.counted[f"{self.command} {kind(self.path)}"] += 1
                time.sleep(relay.delay)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {k: v for k, v in self.headers.items() if k.lower() not in OF_ONE_HOP}
                asked = urllib.request.Request(
                    relay.target + self.path, body or None, headers, method=self.command
                )
                try:
                    answer = urllib.request.urlopen(asked, timeout=120)
                except urllib.error.HTTPError as refused:
                    answer = refused
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in (*OF_ONE_HOP, "content-length"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handed_on  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def kind(path: str) -> str:
    """A path without what belongs to one run.

    >>> kind("/api/2.0/mlflow/runs/log-batch?x=1"), kind("/api/2.0/mlflow-artifacts/artifacts/0/ab")
    ('runs/log-batch', 'artifacts')
    """
    parts = path.partition("?")[0].strip("/").split("/")
    return "artifacts" if "mlflow-artifacts" in parts else "/".join(parts[3:5])


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
