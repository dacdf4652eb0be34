"""Who is running: the identity of a process."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path


def tags() -> dict[str, str]:
    """Host, pid and start of this process: enough to tell later whether it still runs."""
    pid = os.getpid()
    return {
        "process.host": socket.gethostname(),
        "process.pid": str(pid),
        "process.started": started(pid),
    }


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
    return {"git.commit": commit, "git.dirty": str(bool(changes)).lower()}


def environment(root: Path) -> dict[str, str]:
    """What the last bits of a calculation depend on beside code and data."""
    pins = (root / "conda.yaml").read_bytes()
    return {
        "environment.lock": hashlib.sha256(pins).hexdigest()[:12],
        "environment.python": platform.python_version(),
        "environment.processor": _processor(),
    }


def _processor() -> str:
    """Type of the processor (Linux: its model), else the machine's architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def alive(identity: Mapping[str, str]) -> bool:
    """Whether the process of these tags still runs on this host."""
    pid = int(identity.get("process.pid", "0"))
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid > 0 and identity.get("process.started") == started(pid)


def started(pid: int) -> str:
    """Start of a process in clock ticks since boot (Linux), else an empty string.

    A pid alone is used again; pid and start are not. Source: proc(5), field 22 of ``stat``.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return ""
