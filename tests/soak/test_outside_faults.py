"""A machine that is full, read-only, small or strange, through the real command; with `-m soak -s`.

Needs root and Linux: small disks are mounted in a name space of their own. Prints a table.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stages.conftest import ROOT, Project

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="mounts small disks"),
]
SECONDS = 300
DISK = "mount -t tmpfs -o size={size},nr_inodes={inodes} tmpfs {folder} && "


@dataclass(frozen=True)
class Fault:
    """A shell line around the command, and what the command says."""

    name: str
    before: str
    says: str
    code: int
    overrides: str = "data=sample"
    stage: str = "ingest"


FAULTS = (
    Fault("disk full", DISK.format(size="600k", inodes=0, folder="{folder}"),
          "the disk is full", 2),
    Fault("disk full later", DISK.format(size="9m", inodes=0, folder="{folder}"),
          "the disk is full", 2),
    Fault("no inodes", DISK.format(size="50m", inodes=2, folder="{folder}"), "cannot be opened", 2),
    Fault("read-only", DISK.format(size="9m", inodes=0, folder="{folder}")
          + "mount -o remount,ro {folder} && ", "cannot be opened", 2),
    Fault("too many files", "ulimit -n 12 && ", "files", 2),
    Fault("no memory", "ulimit -v 560000 && ", "memory", 2),
    Fault("unknown user", "chmod 777 {folder} && setpriv --reuid 54321 --clear-groups ",
          "there is no store", 1, stage="status"),
    Fault("forbidden folder", "chmod 700 {folder} && setpriv --reuid 54321 --clear-groups ",
          "cannot be opened", 2, stage="status"),
    Fault("apostrophe", "", "quote that is never closed", 1, "--overrides \"universe.name='x\"",
          "status"),
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_machine_is_told_in_four_parts(fault: Fault) -> None:
    tmp_path = Path(tempfile.mkdtemp())  # pytest's own folders let no other user in
    project = Project(tmp_path)
    words = shlex.join([sys.executable, "-m", f"pipeline.stages.{fault.stage}",
                        f"store.path={tmp_path}/sample.db"])  # fmt: skip
    line = f"{fault.before.format(folder=tmp_path)}{words} {fault.overrides}"
    started = time.monotonic()
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", line], cwd=ROOT, env=project.environment,
        capture_output=True, text=True, timeout=SECONDS, errors="replace",
    )  # fmt: skip
    said = done.stdout + done.stderr
    told = next((line for line in said.splitlines()[::-1] if "needed:" in line), "")
    found = said.splitlines()[said.splitlines().index(told) - 1] if told else said[-300:]
    print(
        f"\n{fault.name} | {found[:150]} | {done.returncode} | {time.monotonic() - started:.0f} s"
    )
    assert "Traceback" not in said, said[-2000:]
    assert "  needed: " in said, said[-2000:]
    assert fault.says in said, said[-2000:]
    assert done.returncode == fault.code
