"""How figures look: colours that colour-blind readers tell apart, dark text on white.

Colours: Okabe and Ito (2008), "Color Universal Design". No meaning rests on a colour alone: lines
differ in dash and width too.
"""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from pipeline.report.numbers import number

BLUE, ORANGE, GREEN, VERMILLION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
INK, GREY, PALE = "#1a1a1a", "#6b6b6b", "#d9d9d9"
WIDTH_INCHES = 5.4
RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#ebebeb",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.5,
    "figure.constrained_layout.h_pad": 0.04,
    "figure.constrained_layout.w_pad": 0.03,
    "path.simplify_threshold": 0.4,
    "svg.fonttype": "none",
}


def panels(height_inches: float, ratios: tuple[float, ...] = (1.0,), **kw: Any) -> Any:
    """A figure and its axes, one below the other."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    axes = figure.subplots(len(ratios), 1, height_ratios=ratios, squeeze=False, **kw)[:, 0]
    return figure, list(axes)


def columns(height_inches: float, count: int, **kw: Any) -> Any:
    """A figure and its axes, side by side."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False, **kw)[0])


def by_date(axes: Axes) -> None:
    """A time axis with as few letters as needed."""
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.margins(x=0.01)


def in_numbers(axes: Axes, digits: int | None = None) -> None:
    """A value axis with few ticks and a real minus; digits as the step between ticks needs."""
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))

    def shown(value: float, _: object) -> str:
        ticks = axes.get_yticks()
        step = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else 1.0
        needed = next((n for n in range(4) if abs(round(step, n) - step) < step * 1e-6), 4)
        return number(value, needed if digits is None else digits)

    axes.yaxis.set_major_formatter(FuncFormatter(shown))


def in_multiples(axes: Axes) -> None:
    """A logarithmic value axis whose ticks are plain multiples."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(10.0, subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def zero_line(axes: Axes, at: float = 0.0) -> None:
    """The line that separates good from bad."""
    axes.axhline(at, color=INK, linewidth=0.8, zorder=1)
