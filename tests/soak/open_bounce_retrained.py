"""The worlds of `tests.soak.open_bounce` by the real retrain: does its stand-in answer alike?

`python -m tests.soak.open_bounce_retrained --worlds 2` fills a store with each world, walks a ridge
on ranked features and gaps forward over its last two years (`experiment=open` with a window of one
year), and prints at which errors of the indication the gates accept it, the audit counted as
passed. The model is fitted at 25 bp; the other errors are those of every such run's table. Some
minute of one core a world.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd
from mlflow.artifacts import load_text

from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.io.tracking import experiment
from pipeline.schemas import ROW
from pipeline.stages import retrain
from pipeline.stages._cli import step
from tests.soak.gate_worlds import BEFORE
from tests.soak.open_bounce import KINDS, world
from tests.stages import stocked

SYMBOLS, YEARS = 100, 2
OPEN = (
    "experiment=open", "data.market_index=null", "regimes.volatility_window=20",
    "retrain.refresh=false", "retrain.window_days=365", "cv.folds=2", "cv.fold_sessions=42",
    "strategy.min_edge_bps=null", "strategy.min_dollar_volume=0", "backtest.capacity=[]",
    "compute.workers=1",
)  # fmt: skip


def configured(folder: Path, *overrides: str) -> Settings:
    """Of a store in the folder."""
    return check(compose([f"store.path={folder / 'sample.db'}", *OPEN, *overrides]))


def bars(kind: str, seed: int) -> pd.DataFrame:
    """A world's prints as daily bars, long."""
    seen = world(KINDS[kind], 0.0, seed, BEFORE + 252 * YEARS, SYMBOLS)
    calendar = exchange_calendars.get_calendar("XNYS", start="2015-01-02", end="2018-12-31")
    sessions = calendar.sessions[: len(seen.open)].as_unit("us")
    index = pd.MultiIndex.from_product([sessions, stocked.SYMBOLS], names=ROW)
    made = {
        "open": seen.open,
        "high": np.maximum(seen.open, seen.close),
        "low": np.minimum(seen.open, seen.close),
        "close": seen.close,
        "volume": np.full(seen.open.shape, 1e7),
    }
    rows = pd.DataFrame({name: values.ravel() for name, values in made.items()}, index)
    return rows.assign(final=True)


def judged(folder: Path, kind: str, seed: int) -> pd.DataFrame:
    """The table of errors of a retrain on the world, by error."""
    stocked.SYMBOLS = [f"S{number:03d}" for number in range(SYMBOLS)]
    stocked.configured, stocked.bars = configured, lambda: bars(kind, seed)
    stocked.filled(folder)
    step("retrain", retrain.run, configured(folder))
    uri = stocked.newest("retrain").info.artifact_uri
    return pd.read_csv(io.StringIO(load_text(f"{uri}/doubts_by_error.csv"))).set_index("error_bps")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=2)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", choices=sorted(KINDS), default=list(KINDS))
    given = parser.parse_args()
    for name in given.kinds:
        for number in range(given.first, given.first + given.worlds):
            began = time.process_time()
            with tempfile.TemporaryDirectory() as place:
                root = Path(place)
                uri = f"sqlite:///{root / 'mlflow.db'}"
                os.environ |= {"MLFLOW_TRACKING_URI": uri, "MLFLOW_EXPERIMENT_ID": "0"}
                experiment.prepare(uri, "daytrade")
                table = judged(root, name, number)
            answers = ", ".join(
                f"{error:g} bp {row['gates']} (rank IC {row['rank_ic']:.3f}, net "
                f"{row['sharpe']:.2f}, {row['trades']:.0f} trades)"
                for error, row in table.iterrows()
            )
            print(f"{name} {number}: {answers}; {time.process_time() - began:.0f} s", flush=True)
