"""What a sweep leaves: a nested run of each setting, in words and numbers, and their table."""

from __future__ import annotations

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient

from pipeline.io.tracking.sweep import record_sweep
from pipeline.recipe.sweep import sweep_metrics
from pipeline.trading.backtest import backtests
from pipeline.trading.performance import equal_weight_benchmark, summary
from tests.recipe import made
from tests.trading.markets import random_case


def test_each_setting_is_a_run_and_a_row_in_the_order_of_the_grid(store: MlflowClient) -> None:
    case = random_case(3, sessions=12)
    grid = {"strategy.max_positions": (1, 2), "backtest.bankroll": (1000.0, 5000.0)}
    changes = [
        {"strategy.max_positions": n, "backtest.bankroll": bankroll}
        for n in (1, 2)
        for bankroll in (1000.0, 5000.0)
    ]
    settings = [
        (made.rules(max_positions=c["strategy.max_positions"]), c["backtest.bankroll"])
        for c in changes
    ]
    books = list(enumerate(backtests(*case.both, settings)))
    benchmark = equal_weight_benchmark(case.market.open, case.market.close)

    looked: dict[int, str] = {}

    def shown(number: int, run_id: str) -> dict[str, str]:
        looked[number] = run_id
        return {"look.strategy": f"setting {number}"}

    with mlflow.start_run() as parent:
        table, sentence = record_sweep(changes, books[::-1], benchmark, grid, shown)

    assert table[list(grid)].to_dict("records") == changes
    assert len(set(looked.values())) == 4
    assert sentence
    for (number, result), (_, row) in zip(books, table.iterrows(), strict=True):
        run = store.get_run(row["run_id"])
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert (run.data.tags["stage"], run.data.tags["verdict"]) == ("sweep child", "done")
        assert run.data.tags["look.strategy"] == f"setting {number}"
        due = {k: v for k, v in summary(result, benchmark).items() if not np.isnan(v)}
        assert {k: v for k, v in run.data.metrics.items() if not np.isnan(v)} == due
        assert row["trades"] == due["backtest/trades"]
    names = [store.get_run(run_id).info.run_name for run_id in table["run_id"]]
    assert names[0] == "max_positions 1, bankroll 1,000"
    assert names[3] == "max_positions 2, bankroll 5,000"
    logged = store.get_run(parent.info.run_id).data.metrics
    due = sweep_metrics([result.net_returns for _, result in books])
    assert logged["sweep/settings"] == due["sweep/settings"] == 4
    assert logged["sweep/best_sharpe"] == due["sweep/best_sharpe"]
    paths = {file.path for file in store.list_artifacts(parent.info.run_id, "backtest")}
    assert paths == {"backtest/sweep.csv", "backtest/sweep.png"}
    assert "benchmark/sharpe" not in table
    assert isinstance(table, pd.DataFrame)
