"""Ctrl-C: one line, a KILLED run, and the same command goes on; a quote that is never closed."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time

from tests.stages.conftest import ROOT, Project


def interrupted(project: Project, words: list[str]) -> tuple[int, list[str]]:
    """Exit code and standard error of a command that Ctrl-C ends once its run is open."""
    started = subprocess.Popen(
        words, cwd=ROOT, env=project.environment, text=True, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 240
    while not (project.folder / "sample.db").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, said = started.communicate(timeout=240)
    return started.returncode, said.splitlines()


def test_an_interrupt_ends_in_one_line_and_a_killed_run(project: Project) -> None:
    store = f"store.path={project.folder / 'sample.db'}"
    words = [sys.executable, "-m", "pipeline.stages.ingest", store]
    code, said = interrupted(project, words)
    assert code == 130
    line = f"python -m pipeline.stages.ingest {store}"
    assert said == [f"ingest: interrupted; the same command goes on: {line}"]
    run = project.newest("ingest")
    assert (run.info.status, run.data.tags["verdict"]) == ("KILLED", "interrupted")


def test_an_interrupted_run_under_mlflow_says_so_and_the_next_status_calls_it_killed(
    project: Project,
) -> None:
    text = f"overrides=store.path={project.folder / 'sample.db'}"
    words = ["mlflow", "run", ".", "-e", "ingest", "--env-manager", "local", "-P", text]
    _, said = interrupted(project, words)
    assert f"ingest: interrupted; the same command goes on: {shlex.join(words)}" in said
    assert project.newest("ingest").data.tags["verdict"] == "interrupted"
    project.python("status", code=None)
    assert project.newest("ingest").info.status == "KILLED"


def test_an_apostrophe_is_one_message_whose_command_works(project: Project) -> None:
    words = [sys.executable, "-m", "pipeline.stages.status"]
    words += ["--overrides", "data=files data.path=it's/prices"]
    done = subprocess.run(words, cwd=ROOT, env=project.environment, text=True, capture_output=True)
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert [line.split(":")[0].strip() for line in said] == ["settings", "needed", "next"]
    assert "never closed, in data.path=it's/prices" in said[0]
    mended = shlex.split(said[2].partition(":")[2])[3:]
    assert mended == ["data=files", 'data.path="it\'s/prices"']
