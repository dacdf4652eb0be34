"""A relay before an MLflow server: slow, counting, or refusing, as far and ill ones are."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.ports import free_port

OF_ONE_HOP = ("connection", "transfer-encoding", "host", "keep-alive")


@dataclass
class Relay:
    """Hands requests on to a server after a delay, and counts them by kind.

    Attributes
    ----------
    refused
        Kinds that it answers itself, with an error of the server.
    busiest
        How many of a kind it had at a time, at the most.
    """

    target: str
    delay: float
    refused: frozenset[str] = frozenset()
    counted: Counter[str] = field(default_factory=Counter)
    busiest: Counter[str] = field(default_factory=Counter)
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
        relay, under_way, lock = self, Counter[str](), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _counted(self) -> None:
                name = f"{self.command} {kind(self.path)}"
                with lock:
                    relay.counted[name] += 1
                    under_way[name] += 1
                    relay.busiest[name] = max(relay.busiest[name], under_way[name])
                time.sleep(relay.delay)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                with lock:
                    under_way[name] -= 1
                if name in relay.refused:
                    self.send_error(500)
                else:
                    self._handed_on(body)

            def _handed_on(self, body: bytes) -> None:
                headers = {k: v for k, v in self.headers.items() if k.lower() not in OF_ONE_HOP}
                request = urllib.request.Request(
                    relay.target + self.path, body or None, headers, method=self.command
                )
                try:
                    answer = urllib.request.urlopen(request, timeout=120)
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

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _counted  # noqa: N815

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
