"""Shared by all tests: a clean MLflow environment and a place for each test's stores."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import commands
from pipeline.schemas import MODEL_NAME

# `mlflow run . -e test` exports the id of its own run; tests must never write into it.
for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[name]
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["OMP_NUM_THREADS"] = "1"
STAGES = Path(__file__).parent / "stages"
OF_EVERY_TEST = ("MLFLOW_DISABLE_TELEMETRY",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file is for one worker, and so are all that use the finished project; the long ones begin.

    The project that `main` has finished costs a worker half a minute.
    """
    sharing = {item.path for item in items if "finished" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: (item.path not in sharing, item.path.parent != STAGES))
    for item in items:
        name = "finished" if item.path in sharing else str(item.path)
        item.add_marker(pytest.mark.xdist_group(name))


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
