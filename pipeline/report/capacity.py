"""How much money a strategy carries, as people see it: a sentence, and the curve behind it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from pipeline.report.numbers import number
from pipeline.trading.capacity import LEFT


def capacity_sentence(capacity: float, curve: pd.DataFrame) -> str:
    """The capacity in words.

    Parameters
    ----------
    capacity
        Of ``trading.capacity.capacity``: currency; NaN where nothing is traded, 0 where the
        smallest bankroll earns nothing.
    curve
        Of ``trading.capacity.capacity_curve``: bankroll in currency; charged_bps and
        break_even_bps of a round trip.

    >>> curve = pd.DataFrame({"bankroll": [1e5], "charged_bps": 26.3, "break_even_bps": 23.1})
    >>> capacity_sentence(1e6, curve)
    "Capacity 1,000,000: up to there 50% or more of the smallest bankroll's return is left"
    >>> capacity_sentence(0.0, curve)
    'No capacity: where orders move prices, 100,000 pays 26 bp a round trip and breaks even at 23'
    """
    if math.isnan(capacity):
        return "Capacity unknown: nothing is traded"
    if capacity == 0.0:
        smallest = curve.iloc[0]
        return (
            f"No capacity: where orders move prices, {smallest['bankroll']:,.0f} pays "
            f"{number(smallest['charged_bps'], 0)} bp a round trip and breaks even at "
            f"{number(smallest['break_even_bps'], 0)}"
        )
    left = f"{LEFT:.0%} or more of the smallest bankroll's return is left"
    return f"Capacity {capacity:,.0f}: up to there {left}"


def capacity_figure(curve: pd.DataFrame, capacity: float) -> Any:
    """Net return and Sharpe over the bankroll, on a logarithmic axis.

    Parameters
    ----------
    curve
        Of ``trading.capacity.capacity_curve``, one row a bankroll: bankroll in currency,
        total_return a fraction, sharpe and gross_sharpe a year, and what
        `capacity_sentence` reads.
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
    return_axes.plot(bankrolls, curve["total_return"], "o-", color="tab:blue")
    return_axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return_axes.set(title="return, net, all sessions")
    sharpe_axes.plot(bankrolls, curve["sharpe"], "o-", color="tab:blue", label="net")
    sharpe_axes.plot(bankrolls, curve["gross_sharpe"], "o--", color="tab:gray", label="gross")
    sharpe_axes.set(title="Sharpe a year", xlabel="bankroll", xscale="log")
    sharpe_axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    sharpe_axes.legend(frameon=False)
    for axes in (return_axes, sharpe_axes):
        axes.axhline(0.0, color="black", linewidth=0.8)
        if math.isfinite(capacity) and capacity > 0.0:
            axes.axvline(capacity, color="tab:orange", linestyle=":")
    figure.suptitle(capacity_sentence(capacity, curve), fontsize="medium")
    return figure
