"""The figures of a tear sheet, each drawn from its data in ``figure_data`` alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.report.tear_sheet import style
from pipeline.report.tear_sheet.figure_data import (
    Histogram,
    decile_returns,
    equity_curves,
    exposure_curves,
    histogram,
    rank_ic_curve,
    rolling_sharpe_curves,
)
from pipeline.report.tear_sheet.sheet import Sheet
from pipeline.report.tear_sheet.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, VERMILLION

LINES = ((BLUE, "-", 1.8), (ORANGE, "--", 1.4), (GREEN, ":", 1.6))


def equity(sheet: Sheet) -> Any:
    """Growth of the strategy and what it is compared with, and the drawdowns below."""
    curves = equity_curves(sheet)
    figure, (above, below) = style.panels(3.9, (2.2, 1.0), sharex=True)
    for (color, dash, width), name in zip(LINES, curves.growth, strict=False):
        line = curves.growth[name]
        above.plot(line.index, line, dash, color=color, linewidth=width, label=name, zorder=3)
    strategy, universe = curves.drawdowns["strategy"], curves.drawdowns["universe"]
    below.fill_between(strategy.index, strategy, 0.0, color=BLUE, alpha=0.25, linewidth=0)
    below.plot(strategy.index, strategy, color=BLUE, linewidth=0.8)
    below.plot(universe.index, universe, color=ORANGE, linewidth=0.7)
    if curves.is_log:
        style.in_multiples(above)
        above.set_title("Growth of 1 (log scale)")
    else:
        above.set_title("Return since the start, %")
        style.zero_line(above)
        style.in_numbers(above)
    _legend_above(above)
    below.set_title("Drawdown, %")
    style.in_numbers(below)
    below.set_ylim(top=0.0)
    style.by_date(below)
    return figure


def rolling_sharpe(sheet: Sheet) -> Any:
    """Sharpe ratio of the last sessions with its interval, one panel a window."""
    curves = rolling_sharpe_curves(sheet)
    figure, axes = style.panels(0.5 + 1.8 * len(curves), (1.0,) * len(curves), sharex=True)
    for panel, (window, table) in zip(axes, curves.items(), strict=True):
        _interval(panel, table, "sharpe")
        panel.set_title(f"Sharpe of the last {window} sessions, and its 95 % interval")
        style.zero_line(panel)
        style.in_numbers(panel)
    style.by_date(axes[-1])
    return figure


def rank_ic(sheet: Sheet) -> Any:
    """Rank IC by session, and where there are enough its rolling mean, on a scale of its own."""
    curve = rank_ic_curve(sheet)
    values, ratios = curve.by_session, (1.0, 1.2) if curve.window else (1.0,)
    figure, axes = style.panels(3.6 if curve.window else 2.6, ratios, sharex=True)
    if curve.is_bars:
        axes[0].bar(values.index, values, width=0.8, color=PALE, edgecolor=GREY, linewidth=0.4)
    else:
        axes[0].plot(values.index, values, color=GREY, linewidth=0.3)
    axes[0].set_title("Rank IC by session (dashed: mean of all)")
    if curve.window:
        _interval(axes[1], curve.rolling, "mean")
        axes[1].set_title(f"Mean of the last {curve.window} sessions, and its 95 % interval")
    for panel in axes:
        panel.axhline(curve.mean, color=VERMILLION, linestyle="--", linewidth=1.2)
        style.zero_line(panel)
        style.in_numbers(panel)
    style.by_date(axes[-1])
    return figure


def deciles(sheet: Sheet) -> Any:
    """Return of each group of forecasts with its interval."""
    means, below, above = decile_returns(sheet)
    figure, (axes,) = style.panels(2.6)
    places = np.arange(1, len(means) + 1)
    axes.bar(places, means, width=0.7, color=BLUE, alpha=0.75)
    axes.errorbar(places, means, yerr=[below, above], fmt="none", ecolor=INK, capsize=2.5, lw=1.0)
    style.zero_line(axes)
    axes.set_title("Return over the session's mean, bp, and its 95 % interval")
    axes.set_xticks(places)
    axes.set_xlabel("decile of the forecast (10 = highest)")
    style.in_numbers(axes)
    return figure


def costs(sheet: Sheet) -> Any:
    """What was earned before costs, what after, and the costs between them."""
    figure, (axes,) = style.panels(2.6)
    gross, net = 100.0 * sheet.cumulated["gross"], 100.0 * sheet.cumulated["net"]
    axes.fill_between(gross.index, net, gross, color=ORANGE, alpha=0.3, linewidth=0, label="costs")
    axes.plot(gross.index, gross, "--", color=GREY, linewidth=1.3, label="before costs")
    axes.plot(net.index, net, color=BLUE, linewidth=1.8, label="after costs")
    style.zero_line(axes)
    axes.set_title("Sum of returns, %")
    _legend_above(axes)
    style.in_numbers(axes)
    style.by_date(axes)
    return figure


def exposure(sheet: Sheet) -> Any:
    """Part of equity bought, and the number of positions; monthly means over long histories."""
    is_monthly, bought, positions = exposure_curves(sheet)
    figure, (above, below) = style.panels(2.9, (1.2, 1.0), sharex=True)
    for axes, values in ((above, bought), (below, positions)):
        if is_monthly:
            axes.fill_between(
                values.index, values, step="post", color=BLUE, alpha=0.25, linewidth=0
            )
            axes.step(values.index, values, where="post", color=BLUE)
        else:
            axes.bar(values.index, values, width=0.8, color=BLUE, alpha=0.75)
        axes.set_ylim(bottom=0.0)
        style.in_numbers(axes)
    suffix = ", mean of each month" if is_monthly else ""
    above.set_title(f"Part of equity bought, %{suffix}")
    below.set_title(f"Positions{suffix}")
    style.by_date(below)
    return figure


def distribution(sheet: Sheet) -> Any:
    """Histograms of the net returns of sessions with a trade, and of trades."""
    figure, axes = style.panels(3.7, (1.0, 1.0))
    figure.get_layout_engine().set(hspace=0.08)  # each panel has ticks of its own
    sessions = sheet.net_returns[sheet.positions > 0]
    _draw_histogram(axes[0], histogram(sessions), "Sessions with a trade")
    _draw_histogram(axes[1], histogram(sheet.trades["net_return"]), "Trades")
    return figure


def _draw_histogram(axes: Any, data: Histogram, of: str) -> None:
    axes.hist(data.returns, bins=data.bins, color=BLUE, alpha=0.6, linewidth=0)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.axvline(data.mean, color=VERMILLION, linestyle="--", linewidth=1.2)
    axes.set_title(f"{of}: net return, % (dashed: mean)")
    style.in_numbers(axes)


def _interval(axes: Any, table: Any, center: str) -> None:
    """A line inside its interval: columns ``center``, low and high."""
    low, high = table["low"], table["high"]
    axes.fill_between(table.index, low, high, color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(table.index, table[center], color=BLUE)


def _legend_above(axes: Any) -> None:
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.1)
