"""What a person sees of a sweep: its table, and maps or lines over the keys that were swept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.trading.estimates import Values

MEASURES = {
    "sharpe": ("Sharpe, net, a year", "{:.2f}"),
    "annualized_return": ("return, net, a year", "{:.1%}"),
}
SHOWN = ("sharpe", "annualized_return", "max_drawdown", "trades", "break_even_bps")
NOTHING = "none"

Grid = Mapping[str, Sequence[Any]]


def label(value: Any) -> str:
    """A value of a key in as few letters as it needs.

    >>> [label(v) for v in (2.0, 1_000_000, None, "long")]
    ['2', '1,000,000', 'none', 'long']
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOTHING if value is None else str(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def written(table: pd.DataFrame) -> pd.DataFrame:
    """The table with values that are lists or mappings as text."""
    mixed = table.select_dtypes("object").columns
    return table.assign(**{str(name): table[name].map(label) for name in mixed})


def printed(table: pd.DataFrame, grid: Grid, most: int = 20) -> str:
    """The best by Sharpe, for a terminal."""
    best_first = table.sort_values("sharpe", ascending=False, kind="stable", na_position="last")
    columns = [*grid, *SHOWN]
    text = written(best_first[columns]).head(most).round(4).to_string(index=False)
    more = f"\n... and {len(table) - most} more in sweep.csv" if len(table) > most else ""
    return f"{text}{more}"


def picture(table: pd.DataFrame, grid: Grid) -> Any:
    """Maps over two or three keys; over one, or more than three, lines over each.

    Parameters
    ----------
    table
        One row a combination, the last key changing first; columns of ``MEASURES``.
    grid
        The values of each key, in their order.
    """
    from matplotlib.figure import Figure

    varied = {key: values for key, values in grid.items() if len(values) > 1} or dict(grid)
    shape = [len(values) for values in varied.values()]
    is_map = len(varied) in (2, 3)
    columns = shape[0] if len(varied) == 3 else 1 if is_map else len(varied)
    figure = Figure(figsize=(1.5 + 4.0 * columns, 6.5), layout="constrained")
    rows = figure.subplots(len(MEASURES), columns, squeeze=False)
    for axes, (name, (title, shown)) in zip(rows, MEASURES.items(), strict=True):
        values = table[name].to_numpy(np.float64).reshape(shape)
        (_maps if is_map else _lines)(axes, values, varied, title, shown)
    return figure


def _maps(axes: Any, values: Values, grid: Grid, title: str, shown: str) -> None:
    """A map of the last two keys for each value of the first of three; one scale for all."""
    *panel, upwards, across = grid
    cube = values.reshape((-1, *values.shape[-2:]))
    reach = np.nanmax(np.abs(cube)) if np.isfinite(cube).any() else 1.0
    for number, (own, part) in enumerate(zip(axes, cube, strict=True)):
        own.set_facecolor("whitesmoke")
        own.imshow(part, cmap="RdBu", vmin=-reach, vmax=reach, aspect="auto", origin="lower")
        for (row, column), value in np.ndenumerate(part):
            text = shown.format(value) if np.isfinite(value) else "no trades"
            is_dark = np.isfinite(value) and abs(value) > 0.6 * reach
            colour = "white" if is_dark else "black"
            own.text(column, row, text, ha="center", va="center", color=colour)
        own.set_xticks(range(len(grid[across])), [label(v) for v in grid[across]])
        own.set_yticks(range(len(grid[upwards])), [label(v) for v in grid[upwards]])
        own.set(xlabel=across, ylabel=upwards if number == 0 else "")
        where = "".join(f", {key} {label(grid[key][number])}" for key in panel)
        own.set_title(f"{title}{where}", fontsize="medium")


def _lines(axes: Any, values: Values, grid: Grid, title: str, shown: str) -> None:
    """Every setting as a point over each key, and the median of each value as a line."""
    for place, (own, (key, swept)) in enumerate(zip(axes, grid.items(), strict=True)):
        by_value = np.moveaxis(values, place, 0).reshape(len(swept), -1)
        for number, settings in enumerate(by_value):
            own.plot([number] * len(settings), settings, "o", color="tab:gray", alpha=0.4)
        medians = [np.median(v[np.isfinite(v)]) if np.isfinite(v).any() else np.nan
                   for v in by_value]  # fmt: skip
        own.plot(range(len(swept)), medians, "o-", color="tab:blue", label="median")
        own.axhline(0.0, color="black", linewidth=0.8)
        own.set_xticks(range(len(swept)), [label(value) for value in swept])
        own.yaxis.set_major_formatter(lambda value, _: shown.format(value))
        own.set(xlabel=key, title=title if place == 0 else "")
