"""Two universes in one command over one cluster, and what is left of it when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from pipeline.io import process
from tests.stages.conftest import ROOT, Project

pytestmark = pytest.mark.soak

RIDGE = ("model=ridge", "hpo=none", "retrain.refresh=false")
LONG = ("model=lightgbm", "hpo.n_trials=500", "retrain.refresh=false")
SYMBOLS = {"a": "A AA AAPL ABT ACN ADBE", "b": "BA BAC BAX BBY BK BMY"}


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with prices, and two universes."""
    project = Project(tmp_path_factory.mktemp("sweeps"))
    project.python("daily")
    for name, symbols in SYMBOLS.items():
        listed = "\n".join(["symbol", *symbols.split(), ""])
        (project.folder / f"{name}.csv").write_text(listed)
    return project


def paths(project: Project) -> list[str]:
    return [str(project.folder / f"{name}.csv") for name in SYMBOLS]


def test_universes_side_by_side_leave_what_each_leaves_alone(stocked: Project) -> None:
    universes = paths(stocked)
    said = stocked.python(
        "retrain", "-m", f"universe.path={','.join(universes)}", "compute=dask", *RIDGE
    ).stdout
    assert said.count("\njob ") == 2
    assert "settings" in said
    parent = stocked.newest("sweep")
    jobs = stocked.runs("retrain", f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert {run.info.status for run in jobs} == {"FINISHED"}
    for path in universes:
        stocked.python("retrain", f"universe.path={path}", *RIDGE)
        alone = stocked.newest("retrain")
        [job] = [run for run in jobs if run.data.params["universe.path"] == path]
        test = [name for name in alone.data.metrics if name.startswith("test/")]
        assert len(test) > 3
        sides = [repr({name: run.data.metrics[name] for name in test}) for run in (job, alone)]
        assert sides[0] == sides[1]


def until(reached: Callable[[], bool], seconds: float) -> bool:
    """Whether it was reached in time."""
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def jobs_at_work(project: Project) -> list[str]:
    return [run.info.run_id for run in project.runs("retrain", "attributes.status = 'RUNNING'")]


@pytest.mark.parametrize(
    ("number", "send"),
    [(signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill), (signal.SIGKILL, os.kill)],
    ids=["Ctrl-C", "SIGTERM", "SIGKILL"],
)
def test_nothing_lives_on_after_a_sweep_that_is_killed(
    stocked: Project, number: int, send: Callable[[int, int], None]
) -> None:
    """A terminal sends its Ctrl-C to all processes of a command, `kill` to one of them."""
    words = ("-m", f"universe.path={','.join(paths(stocked))}", "compute=dask", *LONG)
    sweep = subprocess.Popen(
        [sys.executable, "-m", "pipeline.stages.retrain", *stocked.own(words)],
        cwd=ROOT, env=stocked.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert until(lambda: len(jobs_at_work(stocked)) == 2, 300)
        time.sleep(5.0)  # into their searches
        family = process.family(sweep.pid)
        assert len(family) > 4, "the sweep, its workers, and two jobs"
        send(sweep.pid, number)
        sweep.wait(120)
        _, alive = psutil.wait_procs(family, timeout=60)
        assert [" ".join(each.cmdline())[:100] for each in alive] == []
    finally:
        process.end(process.family(sweep.pid))
    if number != signal.SIGKILL:
        assert sweep.returncode == 128 + number
    assert jobs_at_work(stocked) == [], "each job's run says how it ended"
