"""What a backtest leaves in MLflow: its books and its tear sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
from mlflow import MlflowClient

from pipeline.contract import Artifacts, Metrics
from pipeline.io.tracking import notes, run_files, runs, uploads
from pipeline.report.tear_sheet.context import MarketContext
from pipeline.report.tear_sheet.header import SheetHeader
from pipeline.schemas import BarPanel
from pipeline.stats.returns import drawdowns
from pipeline.trading.backtest import Backtest
from pipeline.trading.benchmarks import open_is_real, stale_open_share
from pipeline.trading.market import Market


def record_books(books: Backtest) -> None:
    """The ledger, which may be long, as Parquet; the equity curve as step metrics."""
    runs.log_frame(books.ledger, Artifacts.LEDGER)
    notes.log_steps({Metrics.EQUITY: books.equity, Metrics.DRAWDOWN: drawdowns(books.net_returns)})


def logged_net_returns(run_id: str) -> pd.Series:
    """Net returns by session, from the equity curve that a run logged; it begins with the bankroll.

    Empty where the run was not backtested.

    Returns
    -------
    Series
        Fractions, known after each session's close.
    """
    points = MlflowClient().get_metric_history(run_id, Metrics.EQUITY)
    ordered = sorted(points, key=lambda point: point.step)
    sessions = pd.to_datetime([point.timestamp for point in ordered], unit="ms")
    equity = pd.Series([point.value for point in ordered], sessions, dtype="float64")
    return equity.pct_change().dropna()


def record_tear_sheet(
    books: Backtest,
    predictions: pd.Series,
    context: MarketContext,
    metrics: Mapping[str, float],
    header: SheetHeader,
    doubts: Mapping[str, pd.DataFrame] | None = None,
) -> None:
    """The tear sheet, and the folder of its figures as PNG files; see ``contents``."""
    from pipeline.report.tear_sheet.contents import contents
    from pipeline.report.tear_sheet.page import page

    drawn = page(contents(books, predictions, context, metrics, header, doubts))
    run_files.log_text(drawn.html, Artifacts.TEAR_SHEET)
    for name, png in drawn.figures.items():
        uploads.send(f"{Artifacts.TEAR_SHEET_PICTURES}/{name}", png)


def market_context(market: Market, index_bars: BarPanel | None, min_edge: float) -> MarketContext:
    """What a tear sheet explains a backtest on this market by.

    Parameters
    ----------
    index_bars
        Of ``index_returns``.
    min_edge
        The return a forecast must exceed to be traded, a fraction.
    """
    returns, note = index_returns(index_bars, market.sessions)
    return MarketContext(
        open=market.open,
        close=market.close,
        regimes=market.regimes,
        previous_session=market.previous_session,
        sectors=market.sectors,
        index_returns=returns,
        index_note=note,
        min_edge=min_edge,
    )


def index_returns(bars: BarPanel | None, sessions: pd.DatetimeIndex) -> tuple[pd.Series, str]:
    """The market's index from open to close where its open is real; else none, and why.

    Parameters
    ----------
    bars
        Of one index, from ``benchmarks.REAL_WINDOW`` sessions before; None where there is none.
    """
    none = pd.Series(dtype="float64")
    if bars is None:
        return none, ""
    name = bars.symbols[0]
    opened, closed = bars.open[name], bars.close[name]
    share = stale_open_share(opened, closed.shift())
    if open_is_real(share):
        return (closed / opened - 1.0).reindex(sessions), ""
    reason = (
        "it has no open on these sessions"
        if math.isnan(share)
        else f"on {share:.0%} of its sessions its open is a copy of the previous close"
    )
    return none, f"{name} is not shown: {reason}."
