"""A server ends with its children: when it is refused, interrupted, or has ended by itself."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from mlflow.exceptions import MlflowException

from pipeline.errors import NotReady, Refused
from pipeline.serving.model_server import attend

WITH_A_WORKER = """
import pathlib, subprocess, sys, time
code = "import time; time.sleep(60)"
worker = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(str(worker.pid))
time.sleep(float(sys.argv[2]))
sys.exit(3)
"""


class Server:
    """A process that starts another one, as MLflow's does."""

    def __init__(self, folder: Path, lasts: float) -> None:
        words = [sys.executable, "-c", WITH_A_WORKER, str(folder / "pid"), str(lasts)]
        self.process = subprocess.Popen(words)
        while not (text := self._text(folder / "pid")):
            time.sleep(0.02)
        self.worker = psutil.Process(int(text))

    @staticmethod
    def _text(path: Path) -> str:
        return path.read_text() if path.exists() else ""

    def is_gone(self) -> bool:
        psutil.wait_procs([self.worker], timeout=5)
        return self.process.poll() is not None and not self.worker.is_running()


def test_a_version_that_is_stopped_while_it_is_served_ends_the_server(
    tmp_path: Path,
) -> None:
    server, looks = Server(tmp_path, 60), []

    def check() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise MlflowException("silent for a moment")
        if len(looks) == 3:
            raise Refused("serve", "the champion, version 1, trades nothing", "")

    with pytest.raises(Refused, match="trades nothing"):
        attend(server.process, check, 0.1)
    assert len(looks) == 3
    assert server.is_gone()


def test_an_interrupt_ends_the_worker_too(tmp_path: Path) -> None:
    server = Server(tmp_path, 60)

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attend(server.process, interrupted, 0.1)
    assert server.is_gone()


def test_a_server_that_ended_by_itself_is_an_error_and_leaves_no_worker(tmp_path: Path) -> None:
    server = Server(tmp_path, 1)
    with pytest.raises(NotReady, match="ended by itself with code 3"):
        attend(server.process, lambda: None, 0.1)
    assert server.is_gone()
