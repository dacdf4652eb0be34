"""Shared by all tests: a clean MLflow environment and a place for each test's stores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# `mlflow run . -e test` exports the id of its own run; tests must never write into it.
for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[name]
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["OMP_NUM_THREADS"] = "1"


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
