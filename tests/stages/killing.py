"""Retrains that are killed at random moments, and what they have to end with."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from dataclasses import dataclass, field

from mlflow.entities import Run

from tests.stages.conftest import Project

TRIALS = 12
SEARCH = (
    "model=lightgbm", f"hpo.n_trials={TRIALS}", "hpo.pruner=median", "hpo.max_rows=3000",
)  # fmt: skip


@dataclass
class Lives:
    """What became of one retrain command that was started again and again.

    Attributes
    ----------
    killed
        Runs that were killed, and the trials told by then.
    finished
        Runs that ended by themselves, each with the run it went on from, if any.
    """

    killed: list[tuple[Run, int]] = field(default_factory=list)
    finished: list[tuple[Run, str | None]] = field(default_factory=list)


def decided(run: Run) -> dict[str, object]:
    """What a retrain decided: parameters, predictions, model and every metric but times."""
    spent = ("time/", "search/seconds")
    return {
        "best": {k: v for k, v in run.data.params.items() if k.startswith("tuned.")},
        "predictions": run.data.tags["predictions"],
        "model_digest": run.data.tags["model_digest"],
        "metrics": {k: repr(v) for k, v in run.data.metrics.items() if not k.startswith(spent)},
    }


def lived(project: Project, kills: int, longest: float, chance: random.Random, *more: str) -> Lives:
    """Retrain until this many were killed, then let one end.

    Each is killed at a random moment within ``longest`` seconds after its search began, wherever
    it then is; one that ended before is left in peace, and the next begins from nothing. ``more``
    are overrides after `SEARCH`.
    """
    lives = Lives()
    before: str | None = None
    while True:
        process = project.start("retrain", *SEARCH, *more)
        _wait_for_search(project, process)
        if len(lives.killed) < kills:
            _wait(process, chance.uniform(0, longest))
            process.send_signal(signal.SIGKILL)
        process.wait()
        run = project.newest("retrain")
        if process.returncode == 0:
            lives.finished.append((run, before))
            before = None
        else:
            assert process.returncode == -signal.SIGKILL
            lives.killed.append((run, _told(project)))
            before = run.info.run_id
        if process.returncode == 0 and len(lives.killed) == kills:
            return lives


def assert_the_same(project: Project, lives: Lives, uninterrupted: Run) -> None:
    """All that ended decided the same, know whom they went on from, and the others are closed."""
    project.python("status")
    for run, before in lives.finished:
        assert decided(run) == decided(uninterrupted)
        assert run.data.tags.get("resumed_from") == before
    for run, _ in lives.killed:
        assert project.client.get_run(run.info.run_id).info.status == "KILLED"
    assert not list((project.folder / "retrains").glob("*"))


def _told(project: Project) -> int:
    """Trials in the journal of the unfinished search."""
    logs = (project.folder / "retrains").glob("*/search-*/*.log")
    return sum(log.read_bytes().count(b'"op_code":4,') for log in logs)  # CREATE_TRIAL


def _wait_for_search(project: Project, process: subprocess.Popen[str]) -> None:
    before = _opened(project)
    while _opened(project) <= before and process.poll() is None:
        time.sleep(0.02)


def _opened(project: Project) -> set[tuple[str, int]]:
    """The owner's note of each journal, and when it was written."""
    owners = (project.folder / "retrains").glob("*/search-*/run")
    return {(str(owner), owner.stat().st_mtime_ns) for owner in owners}


def _wait(process: subprocess.Popen[str], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
