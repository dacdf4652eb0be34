"""How much money a strategy carries, as people see it: a sentence, and the curve behind it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from pipeline.trading.capacity import LEFT


def capacity_sentence(capacity: float) -> str:
    """The capacity in words.

    Parameters
    ----------
    capacity
        Of ``trading.capacity.capacity``: currency; NaN where nothing is traded, 0 where the
        smallest bankroll earns nothing.

    >>> capacity_sentence(1e6)
    "Capacity 1,000,000: up to there 50% or more of the smallest bankroll's return is left"
    """
    if math.isnan(capacity):
        return "Capacity unknown: nothing is traded"
    if capacity == 0.0:
        return "No capacity: the smallest bankroll earns nothing"
    left = f"{LEFT:.0%} or more of the smallest bankroll's return is left"
    return f"Capacity {capacity:,.0f}: up to there {left}"


def capacity_figure(curve: pd.DataFrame, capacity: float) -> Any:
    """Net return and Sharpe over the bankroll, on a logarithmic axis.

    Parameters
    ----------
    curve
        Of ``trading.capacity.capacity_curve``, one row a bankroll: bankroll in currency,
        annualized_return a fraction, sharpe and gross_sharpe a year.
    capacity
        A bankroll to mark; nothing is marked where it is NaN or 0.

    Returns
    -------
    matplotlib.figure.Figure
        Return above, Sharpe below.
    """
    from matplotlib.figure import Figure  # slow to import, and the sentence does not need it
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)  # inches
    figure = Figure(figsize=(8.0, 6.0), layout=layout)
    return_axes, sharpe_axes = figure.subplots(2, 1, sharex=True)
    bankrolls = curve["bankroll"]
    return_axes.plot(bankrolls, curve["annualized_return"], "o-", color="tab:blue")
    return_axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return_axes.set(title="return, net, a year")
    sharpe_axes.plot(bankrolls, curve["sharpe"], "o-", color="tab:blue", label="net")
    sharpe_axes.plot(bankrolls, curve["gross_sharpe"], "o--", color="tab:gray", label="gross")
    sharpe_axes.set(title="Sharpe a year", xlabel="bankroll", xscale="log")
    sharpe_axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    sharpe_axes.legend(frameon=False)
    for axes in (return_axes, sharpe_axes):
        axes.axhline(0.0, color="black", linewidth=0.8)
        if math.isfinite(capacity) and capacity > 0.0:
            axes.axvline(capacity, color="tab:orange", linestyle=":")
    figure.suptitle(capacity_sentence(capacity), fontsize="medium")
    return figure
