"""Who is running: the identity of a process."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import platform
import socket
import subprocess
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import psutil

from pipeline.commands import RUN_ID
from pipeline.contract import Tags

NOBODY = "unknown"
DEAD = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
CLOCK_STEP_SECONDS = 60.0
"""A start is read from the clock, which may be set while the process runs."""


def tags() -> dict[str, str]:
    """Host, pid and start of this process: enough to tell later whether it still runs."""
    pid = os.getpid()
    return {
        Tags.PROCESS_HOST: socket.gethostname(),
        Tags.PROCESS_ID: str(pid),
        Tags.PROCESS_STARTED: started(pid),
    }


def user() -> str:
    """Name of the person who runs this process; a container's user may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return NOBODY


def git_state(folder: Path) -> dict[str, str]:
    """Commit of a checkout and whether it was changed since; empty outside of one."""
    try:
        commit, changes = (
            subprocess.run(
                ["git", *words], cwd=folder, capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno"))
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return {Tags.GIT_COMMIT: commit, Tags.GIT_DIRTY: str(bool(changes)).lower()}


def environment(root: Path) -> dict[str, str]:
    """What the last bits of a calculation depend on beside code and data."""
    pins = (root / "conda.yaml").read_bytes()
    return {
        Tags.ENVIRONMENT: hashlib.sha256(pins).hexdigest()[:12],
        Tags.PYTHON: platform.python_version(),
        Tags.PROCESSOR: _processor(),
    }


def _processor() -> str:
    """Type of the processor: its model where the system tells it, else its architecture.

    Linux alone tells it in a file; Python's `platform` knows it on macOS and Windows.
    """
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def alive(identity: Mapping[str, str]) -> bool:
    """Whether the process of these tags still runs on this host."""
    try:
        pid, began = int(identity[Tags.PROCESS_ID]), float(identity[Tags.PROCESS_STARTED])
        return pid > 0 and abs(began - float(started(pid))) < CLOCK_STEP_SECONDS
    except (KeyError, ValueError):
        return False


def started(pid: int) -> str:
    """Start of a process in seconds since 1970; empty where there is none, or a dead one.

    A pid alone is used again; pid and start are not.
    """
    try:
        other = psutil.Process(pid)
        with other.oneshot():
            return "" if other.status() in DEAD else f"{other.create_time():.2f}"
    except (psutil.Error, OverflowError, ValueError):
        return ""


def family(pid: int) -> list[psutil.Process]:
    """A process and all that it started, and they in turn; empty where there is none."""
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    return []


def end(processes: Collection[psutil.Process], seconds: float = 10.0) -> None:
    """End processes, on every system: requested to first, killed where they do not in time.

    Parameters
    ----------
    processes
        Of `family`; a pid that another process has by now is left alone.
    """
    for each in processes:
        with contextlib.suppress(psutil.Error):
            each.terminate()
    for each in psutil.wait_procs(list(processes), timeout=seconds)[1]:
        with contextlib.suppress(psutil.Error):
            each.kill()


def having_open(file: Path) -> list[int]:
    """Other processes that have a file open, of those that this one may look into."""
    return [pid for pid, files in _open_files() if str(file) in files and pid != os.getpid()]


def _open_files() -> Iterator[tuple[int, set[str]]]:
    for other in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            yield other.pid, {opened.path for opened in other.open_files()}


def working_on_run(run_id: str, opened_at: float) -> bool:
    """Whether a process may still adopt a run that ``mlflow run`` opened.

    That is the stage started for it, known by its environment, or ``mlflow run`` itself, which
    may be making an environment: one that was started before the run was, and has no stage yet.

    Parameters
    ----------
    opened_at
        Seconds since 1970.
    """
    for other in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if other.pid == os.getpid() or other.status() in DEAD:
                continue
            if other.environ().get(RUN_ID) == run_id:
                return True
            if other.create_time() <= opened_at and _may_start_a_stage(other):
                return True
    return False


def _may_start_a_stage(other: psutil.Process) -> bool:
    """Whether this is an ``mlflow run`` whose stage has not begun."""
    words = other.cmdline()
    is_mlflow = any(Path(word).name in ("mlflow", "mlflow.exe") for word in words[:3])
    return is_mlflow and "run" in words and not any(map(_has_a_run, other.children(recursive=True)))


def _has_a_run(other: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return RUN_ID in other.environ()
    return False
