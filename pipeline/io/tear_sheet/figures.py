"""The pictures of a tear sheet, each from a sheet's frames alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.io.tear_sheet import style
from pipeline.io.tear_sheet.sheet import Sheet
from pipeline.io.tear_sheet.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, VERMILLION

LINES = ((BLUE, "-", 1.8), (ORANGE, "--", 1.4), (GREEN, ":", 1.6))
LOG_FROM = 4.0
"""Growth (highest over lowest) from which an axis of per cent would hide the early years."""
MONTHLY_FROM = 252
MIN_CURVE_POINTS = 21
BARS_UP_TO = 130


def equity(sheet: Sheet) -> Any:
    """Growth of the strategy and what it is compared with, and the drawdowns below."""
    figure, (above, below) = style.panels(3.9, (2.2, 1.0), sharex=True)
    log = float(sheet.growth.max().max() / sheet.growth.min().min()) > LOG_FROM
    for (color, dash, width), name in zip(LINES, sheet.growth, strict=False):
        drawn = sheet.growth[name] if log else 100.0 * (sheet.growth[name] - 1.0)
        above.plot(drawn.index, drawn, dash, color=color, linewidth=width, label=name, zorder=3)
    own, other = (-100.0 * sheet.drawdowns[name] for name in ("strategy", "universe"))
    below.fill_between(own.index, own, 0.0, color=BLUE, alpha=0.25, linewidth=0)
    below.plot(own.index, own, color=BLUE, linewidth=0.8)
    below.plot(other.index, other, color=ORANGE, linewidth=0.7)
    if log:
        style.in_multiples(above)
        above.set_title("Growth of 1 (log scale)")
    else:
        above.set_title("Return since the start, %")
        style.zero_line(above)
        style.in_numbers(above)
    above.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.1)
    below.set_title("Drawdown, %")
    style.in_numbers(below)
    below.set_ylim(top=0.0)
    style.by_date(below)
    return figure


def rolling_sharpe(sheet: Sheet) -> Any:
    """Sharpe ratio of the last sessions with its interval, one panel a window."""
    shown = curves(sheet)
    figure, axes = style.panels(0.5 + 1.8 * len(shown), (1.0,) * len(shown), sharex=True)
    for panel, (window, table) in zip(axes, shown.items(), strict=True):
        panel.fill_between(
            table.index, table["low"], table["high"], color=BLUE, alpha=0.18, linewidth=0
        )
        panel.plot(table.index, table["sharpe"], color=BLUE)
        panel.set_title(f"Sharpe of the last {window} sessions, and its 95 % interval")
        style.zero_line(panel)
        style.in_numbers(panel)
    style.by_date(axes[-1])
    return figure


def curves(sheet: Sheet) -> dict[int, pd.DataFrame]:
    """Rolling Sharpe by window, of those long enough for a curve."""
    return {
        window: table
        for window, table in sheet.rolling.items()
        if table["sharpe"].notna().sum() >= MIN_CURVE_POINTS
    }


def rank_ic(sheet: Sheet) -> Any:
    """Rank IC by session, and where there are enough its rolling mean, on a scale of its own."""
    values = sheet.rank_ic.dropna()
    window = rolling_window(len(values))
    ratios = (1.0, 1.2) if window else (1.0,)
    figure, axes = style.panels(3.6 if window else 2.6, ratios, sharex=True)
    if len(values) <= BARS_UP_TO:
        axes[0].bar(values.index, values, width=0.8, color=PALE, edgecolor=GREY, linewidth=0.4)
    else:
        axes[0].plot(values.index, values, color=GREY, linewidth=0.3)
    axes[0].set_title("Rank IC by session (dashed: mean of all)")
    if window:
        rolling = values.rolling(window)
        mean, error = rolling.mean(), 1.96 * rolling.std() / window**0.5
        axes[1].fill_between(
            mean.index, mean - error, mean + error, color=BLUE, alpha=0.18, linewidth=0
        )
        axes[1].plot(mean.index, mean, color=BLUE)
        axes[1].set_title(f"Mean of the last {window} sessions, and its 95 % interval")
    for panel in axes:
        panel.axhline(values.mean(), color=VERMILLION, linestyle="--", linewidth=1.2)
        style.zero_line(panel)
        style.in_numbers(panel)
    style.by_date(axes[-1])
    return figure


def rolling_window(sessions: int) -> int:
    """Sessions of a rolling mean: 63, 21, or 0 for none, so that its curve is at least as long."""
    return next((window for window in (63, 21) if sessions >= 4 * window), 0)


def deciles(sheet: Sheet) -> Any:
    """Return of each group of forecasts with its interval."""
    figure, (axes,) = style.panels(2.6)
    table = 1e4 * sheet.deciles.drop(index="spread")
    places = np.arange(1, len(table) + 1)
    error = [table["mean"] - table["low"], table["high"] - table["mean"]]
    axes.bar(places, table["mean"], width=0.7, color=BLUE, alpha=0.75)
    axes.errorbar(places, table["mean"], yerr=error, fmt="none", ecolor=INK, capsize=2.5, lw=1.0)
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
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.1)
    style.in_numbers(axes)
    style.by_date(axes)
    return figure


def exposure(sheet: Sheet) -> Any:
    """Part of equity bought, and the number of positions; monthly means over long histories."""
    figure, (above, below) = style.panels(2.9, (1.2, 1.0), sharex=True)
    monthly = sheet.sessions >= MONTHLY_FROM
    for axes, values in ((above, 100.0 * sheet.exposure), (below, 1.0 * sheet.positions)):
        if monthly:
            mean = values.resample("MS").mean()
            axes.fill_between(mean.index, mean, step="post", color=BLUE, alpha=0.25, linewidth=0)
            axes.step(mean.index, mean, where="post", color=BLUE)
        else:
            axes.bar(values.index, values, width=0.8, color=BLUE, alpha=0.75)
        axes.set_ylim(bottom=0.0)
        style.in_numbers(axes)
    what = ", mean of each month" if monthly else ""
    above.set_title(f"Part of equity bought, %{what}")
    below.set_title(f"Positions{what}")
    style.by_date(below)
    return figure


def distribution(sheet: Sheet) -> Any:
    """Histograms of the net returns of sessions with a trade, and of trades."""
    sessions = sheet.net_returns[sheet.positions > 0]
    figure, axes = style.panels(3.6, (1.0, 1.0))
    _histogram(axes[0], 100.0 * sessions, "Sessions with a trade")
    _histogram(axes[1], 100.0 * sheet.trades["net_return"], "Trades")
    return figure


def _histogram(axes: Any, returns: pd.Series, what: str) -> None:
    low, high = returns.quantile([0.002, 0.998])
    bins = min(60, max(8, int(2 * len(returns) ** (1 / 3)) * 2))
    axes.hist(returns.clip(low, high), bins=bins, color=BLUE, alpha=0.6, linewidth=0)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    mean = float(returns.mean())
    axes.axvline(mean, color=VERMILLION, linestyle="--", linewidth=1.2)
    axes.set_title(f"{what}: net return, % (dashed: mean)")
    style.in_numbers(axes)
