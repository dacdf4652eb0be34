"""What a sweep leaves in MLflow: a nested run of each setting, their table and their picture."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.contract import Artifacts, Metrics, Stages, Tables, Tags, Verdicts
from pipeline.io.tracking import notes, runs, uploads
from pipeline.recipe.sweep import sweep_metrics
from pipeline.report.sweep import Grid, csv_table, label, luck_sentence, sweep_figure
from pipeline.trading.backtest import Backtest
from pipeline.trading.performance import summary

BACKTEST = "backtest/"


def record_sweep(
    changes: Sequence[Mapping[str, Any]],
    books: Iterable[tuple[int, Backtest]],
    benchmark: pd.Series,
    grid: Grid,
    shown: Callable[[int, str], dict[str, str]],
) -> tuple[pd.DataFrame, str]:
    """Log each setting as its books come in.

    Parameters
    ----------
    changes
        Swept keys and values of each setting.
    books
        Number of a setting, and its backtest.
    benchmark
        Return by session that strategies are compared with.
    shown
        Keeps the look that a setting's figures are, by its number and the id of its run, and
        gives it as tags of that run.

    Returns
    -------
    tuple
        One row a setting (the swept keys, metrics, and the id of its run), and what luck leaves of
        the best in words.
    """
    parent, rows, returns = runs.current_run_id(), {}, {}
    with runs.timed("sweep"):
        began = time.perf_counter()
        for number, result in books:
            metrics = summary(result, benchmark)
            look = shown(number, f"{parent}-{number}")
            child = runs.log_child(
                _name(changes[number]),
                parent=parent,
                params=changes[number],
                metrics=metrics,
                tags={**look, Tags.STAGE: Stages.SWEEP_CHILD, Tags.VERDICT: Verdicts.DONE},
                seconds=time.perf_counter() - began,
            )
            rows[number] = {**changes[number], **_of_backtest(metrics), "run_id": child.info.run_id}
            returns[number] = result.net_returns
            began = time.perf_counter()
    table = pd.DataFrame([rows[number] for number in range(len(changes))])
    worth = sweep_metrics(list(returns.values()))
    notes.log_metrics(worth)
    runs.log_table(csv_table(table), Tables.SWEEP)
    uploads.send_figure(Artifacts.SWEEP_PICTURE, sweep_figure(table, grid))
    sentence = luck_sentence(
        len(table),
        worth.get(Metrics.SWEEP_BEST_SHARPE, math.nan),
        worth.get(Metrics.SWEEP_DEFLATED_SHARPE, math.nan),
        benchmark.index,
    )
    return table, sentence


def _name(changes: Mapping[str, Any]) -> str:
    """The values in words."""
    return ", ".join(f"{key.split('.')[-1]} {label(value)}" for key, value in changes.items())


def _of_backtest(metrics: Mapping[str, float]) -> dict[str, float]:
    """Names without ``backtest/``; what all settings share is left out."""
    return {
        name.removeprefix(BACKTEST): value
        for name, value in metrics.items()
        if name.startswith(BACKTEST)
    }
