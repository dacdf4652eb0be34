"""The capacity curve of a backtest: its table, its picture and one number."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd

from pipeline.io import tracking
from pipeline.settings import Settings
from pipeline.stages import _trading
from pipeline.stages._recipe import rules
from pipeline.trading.capacity import LEFT, capacity, capacity_curve, size_aware

METRIC = "backtest/capacity"


def write(settings: Settings, predicted: pd.Series, traded: _trading.Market) -> float:
    """Trade the bankrolls of `backtest.capacity`; log what is left of the result.

    Returns
    -------
    float
        See `trading.capacity.capacity`.
    """
    asked = settings.backtest
    with tracking.timed("capacity"):
        own = size_aware(rules(settings), asked.capacity_impact, asked.capacity_participation)
        wide = _trading.wide(predicted, traded)
        curve = capacity_curve(wide, traded, own, asked.capacity)
        most = capacity(curve)
    mlflow.log_metric(METRIC, most)
    tracking.log_table(curve, "capacity")
    mlflow.log_figure(picture(curve, most), "capacity.png")
    return most


def picture(curve: pd.DataFrame, most: float) -> Any:
    """Net return and Sharpe over the bankroll; its axis is logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 6.0), layout="constrained")
    over, under = figure.subplots(2, 1, sharex=True)
    over.plot(curve["bankroll"], curve["annualized_return"], "o-", color="tab:blue")
    over.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    over.set(title="return, net, a year")
    under.plot(curve["bankroll"], curve["sharpe"], "o-", color="tab:blue", label="net")
    under.plot(curve["bankroll"], curve["gross_sharpe"], "o--", color="tab:gray", label="gross")
    under.set(title="Sharpe a year", xlabel="bankroll", xscale="log")
    under.legend(frameon=False)
    for axes in (over, under):
        axes.axhline(0.0, color="black", linewidth=0.8)
        if np.isfinite(most) and most > 0.0:
            axes.axvline(most, color="tab:orange", linestyle=":")
    figure.suptitle(said(most), fontsize="medium")
    return figure


def said(most: float) -> str:
    """The capacity in words."""
    if np.isnan(most):
        return "Capacity unknown: nothing is traded"
    if most == 0.0:
        return "No capacity: the smallest bankroll earns nothing"
    return f"Up to {most:,.0f}, at least {LEFT:.0%} of the smallest bankroll's return is left"
