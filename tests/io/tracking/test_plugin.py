"""MLflow's own command finds a whole store: made, mended, by one of two that start at once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
OPEN_A_RUN = """
import sys, mlflow.projects as projects
from mlflow.projects.utils import get_or_create_run
print("ready", flush=True)
sys.stdin.readline()
opened = projects._resolve_experiment_id()
print(get_or_create_run(None, ".", opened, ".", None, "status", {}).info.run_id)
"""
"""What `mlflow run` does before it starts a stage."""


def installed(folder: Path) -> Path:
    """What `pip install -e .` leaves for MLflow to find: the entry points of this project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    metadata = folder / "site" / "daytrade-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: daytrade\nVersion: 0\n")
    groups = project["entry-points"].items()
    lines = [f"[{g}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items()) for g, named in groups]
    (metadata / "entry_points.txt").write_text("".join(lines))
    return metadata.parent


def opening(folder: Path) -> subprocess.Popen[str]:
    uri = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    path = {"PYTHONPATH": f"{folder / 'site'}{os.pathsep}{ROOT}"}
    return subprocess.Popen(
        [sys.executable, "-c", OPEN_A_RUN], cwd=ROOT, env=kept | uri | path, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.soak
def test_two_at_once_both_open_their_run_over_what_a_kill_left(tmp_path: Path) -> None:
    installed(tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as half_made:
        half_made.execute("CREATE TABLE experiments (experiment_id INTEGER)")
    both = [opening(tmp_path) for _ in range(2)]
    for each in both:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in both:  # before either is waited for
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    answers = [each.communicate(timeout=300) for each in both]
    assert [each.returncode for each in both] == [0, 0], answers
    said = [printed.strip() for printed, _ in answers]
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        opened = {row[0] for row in store.execute("SELECT run_uuid FROM runs")}
        names = store.execute("SELECT name FROM experiments").fetchall()
    assert opened == set(said)
    assert len(opened) == 2
    assert names == [("daytrade",)]
    assert len(list(tmp_path.glob("mlflow.db.damaged"))) == 1
