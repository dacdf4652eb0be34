"""A machine that is full, read-only, small or strange, through the real command; with `-m soak -s`.

Needs root and Linux: small disks are mounted in a name space of their own. Prints a table.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest

from pipeline.io.tracking import registry
from pipeline.stages import promote, retrain
from pipeline.stages._cli import step
from tests.stages.conftest import ROOT, Project, mlflow_store, stocked  # noqa: F401
from tests.stages.stocked import QUICK, configured

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="mounts small disks"),
]
SECONDS = 60
"""In which each of them is told, the start of Python included."""

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
    Fault("artifact store full", "mkdir {folder}/mlruns && "
          + DISK.format(size="4k", inodes=0, folder="{folder}/mlruns"), "/mlruns/0/", 2),
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
    assert_told(fault, ["unshare", "--mount", "bash", "-c", line], project.environment)


def assert_told(fault: Fault, words: Sequence[str], environment: Mapping[str, str]) -> str:
    """What the command says, in time, in four parts, with its exit code."""
    started = time.monotonic()
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=5 * SECONDS,
        errors="replace",
    )  # fmt: skip
    seconds, said = time.monotonic() - started, done.stdout + done.stderr
    told = next((line for line in said.splitlines()[::-1] if "needed:" in line), "")
    found = said.splitlines()[said.splitlines().index(told) - 1] if told else said[-300:]
    print(f"\n{fault.name} | {found[:150]} | {done.returncode} | {seconds:.0f} s")
    assert "Traceback" not in said, said[-2000:]
    assert "  needed: " in said, said[-2000:]
    assert fault.says in said, said[-2000:]
    assert done.returncode == fault.code
    assert seconds < SECONDS
    return said


def test_a_server_that_takes_calls_and_never_answers_is_told(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        words = [sys.executable, "-m", "pipeline.stages.status", *project.own(())]
        environment = {**project.environment, "MLFLOW_TRACKING_URI": address}
        assert_told(Fault("silent server", "", "does not answer", 1), words, environment)


@pytest.fixture(scope="module")
def served(stocked: Path) -> Path:  # noqa: F811
    """A folder with a champion."""
    step("retrain", retrain.run, configured(stocked))
    forced = ("promote.force=true", "promote.reason=to lose its files")
    step("promote", promote.run, configured(stocked, *forced))
    return stocked


@pytest.mark.parametrize(
    ("lost", "says", "following"),
    [
        ("model/features.json", "model/features.json of run", "pipeline.stages.retrain"),
        ("", "artifacts", "pipeline.stages."),
        ("model", "files of version 1 are gone from", "pipeline.stages.rollback"),
    ],
    ids=["a file", "all files of its run", "its model"],
)
def test_what_is_missing_of_the_champion_is_named(
    served: Path, lost: str, says: str, following: str
) -> None:
    version = registry.find("champion", who="test")
    place = Path(mlflow.get_run(version.run_id).info.artifact_uri) / lost
    if lost == "model":
        model_id = str(version.source).rpartition("/")[2]
        place = Path(mlflow.get_logged_model(model_id).artifact_location)
    kept = place.rename(place.with_name(f"{place.name}.lost"))
    try:
        words = [sys.executable, "-m", "pipeline.stages.signals", "features=classic", *QUICK,
                 f"store.path={served / 'sample.db'}"]  # fmt: skip
        environment = os.environ | {"MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
        fault = Fault(f"lost: {lost or 'all files'}", "", says or str(place), 2)
        said = assert_told(fault, words, environment)
        assert str(place) in said
        assert following in said.rpartition("next:")[2]
    finally:
        kept.rename(place)
