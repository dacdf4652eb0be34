"""The console command is a third door to the same stages."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from pipeline.stages import console
from tests.stages.conftest import ROOT, Project

DAYTRADE = [sys.executable, "-c", "from pipeline.stages.console import main; main()"]


def called(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DAYTRADE, *words], cwd=ROOT, env=project.environment, text=True, capture_output=True
    )


def test_it_runs_a_stage_and_prints_commands_in_its_own_form(project: Project) -> None:
    done = called(project, "status", *project.own(()))
    assert done.returncode == 1
    assert "next:   daytrade ingest" in done.stderr
    assert project.newest("status").info.status == "FAILED"


def test_an_unknown_stage_names_all_and_the_nearest(project: Project) -> None:
    done = called(project, "retrian")
    assert done.returncode == 1
    assert "nearest: daytrade retrain" in done.stderr
    helped = called(project, "--help")
    assert helped.returncode == 0
    for name in console.stages():
        [line] = [text for text in helped.stderr.splitlines() if text.startswith(f"  {name} ")]
        assert len(line) <= 100
        assert line in done.stderr


def test_pip_makes_it_from_the_same_list_of_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"daytrade": "pipeline.stages.console:main"}
    assert project["tool"]["setuptools"]["dynamic"] == {
        "dependencies": {"file": ["requirements.txt"]}
    }
