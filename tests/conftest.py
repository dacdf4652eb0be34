"""Shared by all tests: a clean MLflow environment and a place for each test's stores."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from pipeline import commands
from pipeline.schemas import MODEL_NAME
from tests import compositions
from tests import postgres as postgres_server

# `mlflow run . -e test` exports the id of its own run; tests must never write into it.
for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[name]
# As `pipeline.stages` has them: a run's address to print is a request more to a server.
OF_EVERY_TEST = ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT")
os.environ |= dict.fromkeys(OF_EVERY_TEST, "true")
os.environ["OMP_NUM_THREADS"] = "1"
STAGES = Path(__file__).parent / "stages"
MAIN_JOB = "tests/stages/test_main_job.py"
compositions.by_copy()


class WholeFiles(LoadFileScheduling):
    """A file is for one worker, and so are all that use the finished project.

    The project that `main` has finished costs a worker half a minute.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "finished" if file in SHARING else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeFiles:
    """How files are dealt out to workers."""
    return WholeFiles(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long ones begin; tests of PostgreSQL are left out where nobody has or requires it."""
    if not postgres_server.programs() and not os.environ.get(postgres_server.REQUIRED):
        needing = [item for item in items if item.get_closest_marker("postgres")]
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, bool, bool]:
    """The tests of the main job find its project as it left it."""
    name = _name(item.path)
    return name not in SHARING, name != MAIN_JOB, item.path.parent != STAGES


def _name(path: Path) -> str:
    return path.relative_to(STAGES.parents[1]).as_posix()


SHARING = {
    _name(path) for path in STAGES.glob("test_*.py") if "finished: Project" in path.read_text()
}


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    """A server, whose password commands find where users keep it."""
    with postgres_server.running_server("fsync = off") as server, pytest.MonkeyPatch.context() as p:
        for name, value in server.environment.items():
            p.setenv(name, value)
        yield server


@pytest.fixture(autouse=True)
def no_run_left_open() -> Iterator[None]:
    """A run that a test leaves open would be the parent of those of the next test."""
    yield
    fluent = sys.modules.get("mlflow.tracking.fluent")
    left = fluent.active_run() if fluent else None
    if left is not None:
        while fluent.active_run():
            fluent.end_run()
        pytest.fail(f"run {left.info.run_id} was left open")


@pytest.fixture(scope="module", autouse=True)
def as_a_new_process() -> Iterator[None]:
    """What a command chooses for its process is not left to the tests of another module."""
    yield
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        if name not in OF_EVERY_TEST:
            del os.environ[name]
    tracking = sys.modules.get("mlflow.tracking._tracking_service.utils")
    if tracking is not None:
        tracking._tracking_uri = None  # what `mlflow.set_tracking_uri` said
    commands.use(commands.Form.CONDA)
    registered = sys.modules.get("pipeline.io.tracking.registered")
    if registered is not None:
        registered.select(MODEL_NAME, "")


@pytest.fixture
def forgetful_yfinance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A yfinance that remembers nothing and writes into the test's folder only.

    It keeps its session, cookies, crumb and time zones for the process and on disk.
    """
    import yfinance
    from yfinance import cache
    from yfinance.data import SingletonMeta

    folder = tmp_path / "yfinance"
    folder.mkdir()
    yfinance.set_tz_cache_location(str(folder))
    for manager, name in (
        (cache._TzCacheManager, "_tz_cache"),
        (cache._CookieCacheManager, "_Cookie_cache"),
        (cache._ISINCacheManager, "_isin_cache"),
    ):
        monkeypatch.setattr(manager, name, None)
    monkeypatch.setattr(SingletonMeta, "_instances", {})
