"""From quotes to orders: how long the command `morning` takes for so many symbols.

`python -m tests.benchmarks.morning_speed 500 5000` makes a store of random walks for each number,
with ranked features and a champion of `decision=indicated_open`, and calls the command.
Told are seconds and CPU seconds of the whole command, and the seconds from reading the quotes to
written orders, which are what counts: the command can be started before and be given its quotes by
standard input.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.contract import Metrics
from pipeline.io import calendar
from pipeline.io.tracking import experiment
from pipeline.stages import promote, retrain
from pipeline.stages._cli import step
from pipeline.workspace import Workspace
from tests.stages import stocked

OPEN = (
    "data.market_index=null", "regimes.volatility_window=20", "retrain.refresh=false",
    "features=ranked", "decision=indicated_open", "model=open", "hpo=none",
    "strategy=auctions", "strategy.min_dollar_volume=0", "strategy.min_edge_bps=0",
    "backtest.capacity=[]", "retrain.window_days=120", "cv.folds=2", "cv.fold_sessions=10",
)  # fmt: skip
SESSIONS = 200


def configured(folder: Path, *overrides: str) -> Settings:
    """Of a store in the folder."""
    return check(compose([f"store.path={folder / 'sample.db'}", *OPEN, *overrides]))


def champion(folder: Path, symbols: int) -> None:
    """A store of so many random walks, and a champion that learned of them."""
    stocked.SESSIONS, stocked.SYMBOLS = SESSIONS, [f"S{k:04d}" for k in range(symbols)]
    stocked.configured = configured
    stocked.filled(folder)
    step("retrain", retrain.run, configured(folder, "hpo.max_rows=20000"))
    step(
        "promote", promote.run,
        configured(folder, "promote.force=true", "promote.reason=measured"),
    )  # fmt: skip


def measured(folder: Path) -> tuple[float, float, float]:
    """Seconds and CPU seconds of the command, seconds from quotes to orders."""
    with Workspace.open(configured(folder)) as workspace:
        last = workspace.store.sessions()[-1]
        session = calendar.next_session(workspace.exchange_calendar, last)
        close = workspace.store.bar_panel(last, last).close.iloc[0].dropna()
    at = calendar.opens_at("XNYS", session) - pd.Timedelta(minutes=10)
    price = close * (1.0 + np.random.default_rng(1).normal(0.0, 0.01, len(close)))
    quotes = pd.DataFrame({"symbol": close.index, "price": price, "time": at})
    words = [
        "morning.quotes=-", f"morning.now={at:%Y-%m-%dT%H:%M:%SZ}",
        f"morning.folder={folder / 'orders'}", f"store.path={folder / 'sample.db'}",
        *OPEN,
    ]  # fmt: skip
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pipeline.stages.morning", *words],
        input=quotes.to_csv(index=False), text=True, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    whole, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = stocked.newest("morning").data.metrics
    assert told[Metrics.MORNING_QUOTED] > 0.9 * len(close)
    return whole, cpu, told[Metrics.MORNING_SECONDS]


if __name__ == "__main__":
    for count in map(int, sys.argv[1:] or ["500", "5000"]):
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            uri = f"sqlite:///{root / 'mlflow.db'}"
            os.environ |= {"MLFLOW_TRACKING_URI": uri, "MLFLOW_EXPERIMENT_ID": "0"}
            experiment.prepare(uri, "daytrade")
            champion(root, count)
            whole, cpu, quoted = measured(root)
            print(
                f"{count} symbols: {whole:.1f} s the command ({cpu:.1f} CPU s), "
                f"{quoted:.2f} s from quotes to orders",
                flush=True,
            )
