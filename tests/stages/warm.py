"""Commands as processes of their own that need not import what every one of them imports.

A fork server imports the libraries once a worker (`warm_libraries`); each command is forked
from it: 0.1 s of CPU instead of 3. Where the start of a process is the subject, use a real one.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.stages.warm_libraries"])


def module(
    name: str, words: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """`python -m <name> <words>` in a folder: what it printed, and its exit code."""
    with tempfile.TemporaryDirectory() as outputs:
        printed = [Path(outputs) / stream for stream in ("stdout", "stderr")]
        child = processes.Process(
            target=_run, args=(name, list(words), folder, dict(environment), printed)
        )
        child.start()
        child.join(timeout)
        if child.exitcode is None:
            child.kill()
            child.join()
            raise subprocess.TimeoutExpired([name, *words], timeout)
        stdout, stderr = (path.read_text() for path in printed)
    return subprocess.CompletedProcess([name, *words], child.exitcode, stdout, stderr)


def _run(
    name: str, words: list[str], folder: Path, environment: dict[str, str], printed: list[Path]
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(printed, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = [name, *words]
    sys.path[0] = str(folder)
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
