"""A server of Amazon's S3 on this machine: moto's, in an environment of its own.

Its client, botocore, needs another version of python-dateutil than this project has; here Arrow is
the client.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port

MOTO = "moto[server]==5.2.5"


@contextmanager
def object_server(folder: Path, bucket: str) -> Iterator[dict[str, str]]:
    """The server with an empty bucket, as long as it is used; gives what a user of it exports."""
    place, port = folder / "moto", free_port()
    subprocess.run(["uv", "venv", "-q", "--python", sys.executable, str(place)], check=True)
    python = str(place / "bin" / "python")
    subprocess.run(["uv", "pip", "install", "-q", "--python", python, MOTO], check=True)
    address = f"http://127.0.0.1:{port}"
    words = [str(place / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    server = subprocess.Popen(
        words, env=plain, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_up(address)
        made = urllib.request.Request(f"{address}/{bucket}", method="PUT")
        urllib.request.urlopen(made, timeout=10).close()
        yield {
            "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "of-these-tests-alone", "AWS_REGION": "us-east-1",
        }  # fmt: skip
    finally:
        server.terminate()
        server.wait(30)


def _wait_until_up(address: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/moto-api/", timeout=2).close()
            return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(address)
