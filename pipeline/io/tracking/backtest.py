"""What a backtest leaves in MLflow: metrics, books, tear sheet, and its capacity."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pipeline.contract import Artifacts, Metrics, Tables, Tags
from pipeline.gates.evidence import luck
from pipeline.gates.looks import total
from pipeline.io.tracking import looks, notes, runs, uploads
from pipeline.io.tracking.books import market_context, record_books, record_tear_sheet
from pipeline.io.tracking.values import ModelVersion
from pipeline.recipe.books import books, wide
from pipeline.report.capacity import capacity_figure, capacity_sentence
from pipeline.report.jobs import Traded
from pipeline.report.tear_sheet.header import backtest_header, trading_facts
from pipeline.trading.benchmarks import REAL_WINDOW
from pipeline.trading.capacity import capacity, capacity_curve
from pipeline.trading.market import Market
from pipeline.trading.performance import equal_weight_benchmark, summary
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace


def record_backtest(
    workspace: Workspace,
    version: ModelVersion,
    predicted: pd.Series,
    market: Market,
    rules: Rules,
    *,
    bankroll: float,
    strategy: str,
    refitted: bool,
    seed: int,
) -> Traded:
    """Log books, metrics and tear sheet of a version's predictions.

    Parameters
    ----------
    predicted
        Forecast return by (session, symbol), out of sample.
    strategy
        What people call the rules.
    refitted
        Whether refits of the version's recipe are traded instead of the version.
    """
    result = books(rules, bankroll, predicted, market)
    recipe = version.tags.get(Tags.RECIPE, "")
    shown = looks.look(workspace, runs.current_run_id(), recipe, predicted, rules, bankroll)
    earlier = looks.earlier_looks(workspace, shown, market.sessions)
    looks.record_look(workspace, shown)
    metrics = summary(result, equal_weight_benchmark(market.open, market.close, predicted))
    metrics |= luck(result.net_returns, total(earlier), seed)
    notes.log_metrics(metrics)
    record_books(result)
    facts = trading_facts(
        result,
        data_source=workspace.data_source,
        universe=workspace.universe,
        strategy=strategy,
        max_positions=rules.max_positions,
        bankroll=bankroll,
    )
    verdict = version.tags.get(Tags.VERDICT)
    header = backtest_header(version.version, facts, verdict=verdict, refitted=refitted)
    index = workspace.index_bars(market.sessions, REAL_WINDOW)
    context = market_context(market, index, rules.min_edge)
    record_tear_sheet(result, predicted, context, metrics, header)
    return Traded(metrics, result.net_returns)


def record_capacity(
    predicted: pd.Series, market: Market, rules: Rules, bankrolls: Sequence[float]
) -> str:
    """Trade several bankrolls and log what is left of the result; returns it in a sentence.

    Parameters
    ----------
    predicted
        Forecast return, a fraction by (session, symbol), out of sample.
    rules
        That move prices with the size of an order, see ``trading.capacity.size_aware``.
    """
    with runs.timed("capacity"):
        curve = capacity_curve(wide(predicted, market), market, rules, bankrolls)
        largest = capacity(curve)
    notes.log_metrics({Metrics.CAPACITY: largest})
    runs.log_table(curve, Tables.CAPACITY)
    uploads.send_figure(Artifacts.CAPACITY_PICTURE, capacity_figure(curve, largest))
    return capacity_sentence(largest, curve)
