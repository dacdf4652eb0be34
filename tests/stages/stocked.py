"""A store of made-up bars that every data stage has filled, and the stages called on it."""

from __future__ import annotations

from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run

from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.contract import Tables
from pipeline.errors import Refused
from pipeline.io.tracking import run_files, runs
from pipeline.schemas import ROW
from pipeline.stages import features, indicators, labels, promote, regimes
from pipeline.stages._cli import step
from pipeline.workspace import Workspace
from tests.workspaces import delivery

SESSIONS = 260
SYMBOLS = [f"S{k:02d}" for k in range(60)]
QUICK = ["data.market_index=null", "regimes.volatility_window=20", "model=ridge", "hpo=none",
         "audit.permutations=2", "audit.dates=40", "audit.seed=7",
         "retrain.refresh=false"]  # fmt: skip


def bars() -> pd.DataFrame:
    """A random walk, long, one bar in a hundred missing."""
    rng = np.random.default_rng(11)
    calendar = exchange_calendars.get_calendar("XNYS", start="2015-01-02", end="2016-12-30")
    sessions = calendar.sessions[:SESSIONS].as_unit("us")
    index = pd.MultiIndex.from_product([sessions, SYMBOLS], names=ROW)
    shape = (SESSIONS, len(SYMBOLS))
    overnight, intraday = rng.normal(0, 0.01, shape), rng.normal(0, 0.02, shape)
    close = 50 * np.exp((overnight + intraday).cumsum(axis=0))
    opened = close / np.exp(intraday)
    made = {
        "open": opened,
        "high": np.maximum(opened, close) * 1.01,
        "low": np.minimum(opened, close) * 0.99,
        "close": close,
        "volume": rng.integers(100_000, 900_000, shape).astype(float),
    }
    rows = pd.DataFrame({name: values.ravel() for name, values in made.items()}, index)
    return rows.assign(final=True)[rng.random(len(rows)) > 0.01]


def configured(folder: Path, *overrides: str) -> Settings:
    return check(
        compose([f"store.path={folder / 'sample.db'}", "features=classic", *QUICK, *overrides])
    )


def filled(folder: Path) -> Path:
    """The folder, with a store that every data stage has filled."""
    chosen = configured(folder)
    names = pd.Index(SYMBOLS, name="symbol")
    sectors = [f"sector {k % 5}" for k in range(len(SYMBOLS))]
    listed = pd.DataFrame({"exchange": "X", "sector": sectors, "name": names}, index=names)
    with Workspace.open(chosen, create=True) as workspace:
        workspace.store.write_symbols(listed.assign(kind="stock"))
        workspace.store.write_bars(delivery(bars()))
    for stage in (indicators, regimes, features, labels):
        step(stage.__name__.rpartition(".")[2], stage.run, chosen)
    return folder


def newest(stage: str) -> Run:
    return runs.search(f"tags.stage = '{stage}'", newest=1)[0]


def asked_to_promote(settings: Settings) -> pd.DataFrame:
    """The gates' answers, by gate, after a promotion that is refused."""
    with pytest.raises(Refused):
        step("promote", promote.run, settings)
    return run_files.read_table(newest("promote").info.run_id, Tables.GATES).set_index("gate")
