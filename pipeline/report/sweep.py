"""What a person sees of a sweep: its table, and maps or lines over the keys that were swept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.contract import Tables
from pipeline.report.headlines import NO_TRADES, is_a_year_shown
from pipeline.report.numbers import shown
from pipeline.report.text_tables import terminal_table, wrapped
from pipeline.stats.inference import annual_sharpe_error
from pipeline.stats.overfitting import MIN_TRIAL_SESSIONS
from pipeline.stats.returns import sessions_a_year

MEASURES = {
    "sharpe": ("Sharpe, net, a year", "{:.2f}"),
    "annualized_return": ("return, net, a year", "{:.1%}"),
}
"""What the figure shows, each with its title and format."""

PRINTED = {
    "sharpe": ("Sharpe", "{:.2f}"),
    "annualized_return": ("a year", "{:.2%}"),
    "total_return": ("return", "{:.2%}"),
    "max_drawdown": ("drawdown", "{:.2%}"),
    "trades": ("trades", "{:.0f}"),
    "break_even_bps": ("break-even", "{:.1f}"),
}
"""What the terminal shows beside the swept keys, each with its head and format."""

NONE_LABEL = "none"

Grid = Mapping[str, Sequence[Any]]
"""The values of each swept key, in their order."""

Values = npt.NDArray[np.float64]


def label(value: Any) -> str:
    """A value of a key in as few letters as it needs.

    >>> [label(v) for v in (2.0, 1_000_000, None, "long")]
    ['2', '1,000,000', 'none', 'long']
    """
    if value is None or value != value:  # in a column of numbers pandas keeps None as NaN
        return NONE_LABEL
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def csv_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table with values that are lists or mappings as text.

    Parameters
    ----------
    table
        One row a setting, any columns.

    Returns
    -------
    DataFrame
        The same rows and columns.
    """
    mixed = table.select_dtypes("object").columns
    return table.assign(**{str(name): table[name].map(label) for name in mixed})


def printed_sweep(table: pd.DataFrame, grid: Grid, max_rows: int = 20) -> str:
    """The best combinations by Sharpe, for a terminal.

    Parameters
    ----------
    table
        One row a combination: the swept keys, and at least the columns of ``PRINTED``; returns and
        drawdowns are fractions, NaN where undefined.
    """
    best_first = table.sort_values("sharpe", ascending=False, kind="stable", na_position="last")
    few = not is_a_year_shown(table["sessions"].max()) if "sessions" in table else False
    columns = [name for name in PRINTED if name != ("annualized_return" if few else "total_return")]
    rows = [
        [*(label(row[key]) for key in grid)]
        + [shown(row[name], PRINTED[name][1], _why(row)) for name in columns]
        for row in best_first.head(max_rows).to_dict("records")
    ]
    heads = [*_heads(grid), *(PRINTED[name][0] for name in columns)]
    text = terminal_table(pd.DataFrame(rows, columns=heads))
    more = len(table) - max_rows
    return f"{text}\n... and {more} more in {Tables.SWEEP}.csv" if more > 0 else text


def _heads(keys: Iterable[str]) -> list[str]:
    """Keys without their section, where that tells them apart.

    >>> _heads(["strategy.max_positions", "backtest.bankroll"]), _heads(["a.size", "b.size"])
    (['max_positions', 'bankroll'], ['a.size', 'b.size'])
    """
    short = [key.rpartition(".")[2] for key in keys]
    return short if len(set(short)) == len(short) else list(keys)


def _why(row: Mapping[Any, Any]) -> str:
    return NO_TRADES if row["trades"] == 0 else "returns do not vary"


def luck_sentence(settings: int, best: float, deflated: float, sessions: pd.Index) -> str:
    """What the best of several Sharpe ratios is worth, so that none stands bare.

    Parameters
    ----------
    best
        The highest Sharpe ratio a year, net; NaN where none has one.
    deflated
        Its deflated Sharpe ratio; NaN where luck cannot be estimated.
    sessions
        Behind it.

    >>> month = pd.bdate_range("2024-03-01", periods=21)
    >>> print(luck_sentence(12, 8.3, 0.41, month))  # doctest: +NORMALIZE_WHITESPACE
    Best of 12: Sharpe 8.30 over 21 sessions (standard error about 3.5); deflated 0.410, the
    probability that it is more than the luck of the best of 12.
    """
    if not math.isfinite(best):
        return f"None of {settings} has a Sharpe: nothing was traded."
    error = annual_sharpe_error(len(sessions), sessions_a_year(sessions))
    known = (
        f"Best of {settings}: Sharpe {best:.2f} over {len(sessions)} sessions (standard error "
        f"about {error:.1f})"
    )
    if math.isfinite(deflated):
        why = f"the probability that it is more than the luck of the best of {settings}"
        return wrapped(f"{known}; deflated {deflated:.3f}, {why}.")
    few = len(sessions) < MIN_TRIAL_SESSIONS
    why = f"with fewer than {MIN_TRIAL_SESSIONS} sessions" if few else "where fewer than two traded"
    return wrapped(f"{known}; how much of it is luck cannot be said {why}.")


class SweepSurface(NamedTuple):
    """One measure over the keys that vary.

    Attributes
    ----------
    title, form
        Of the measure, and the format of its values.
    grid
        The values of each key that has more than one; all keys where none has.
    measured
        One axis a key of ``grid``, in its order; NaN where the measure is undefined.
    """

    title: str
    form: str
    grid: Grid
    measured: Values

    @property
    def is_map(self) -> bool:
        """Whether it fits on maps: over two keys, or three with one map for each value of one."""
        return len(self.grid) in (2, 3)

    @property
    def panels(self) -> int:
        """Axes needed side by side."""
        if self.is_map:
            return len(next(iter(self.grid.values()))) if len(self.grid) == 3 else 1
        return len(self.grid)


def sweep_surface(table: pd.DataFrame, grid: Grid, measure: str) -> SweepSurface:
    """A measure of a sweep, by the keys that vary; arguments as for ``sweep_figure``."""
    varied = {key: values for key, values in grid.items() if len(values) > 1} or dict(grid)
    title, form = MEASURES[measure]
    shape = [len(values) for values in varied.values()]
    return SweepSurface(title, form, varied, table[measure].to_numpy(np.float64).reshape(shape))


def sweep_figure(table: pd.DataFrame, grid: Grid) -> Any:
    """Maps over two or three keys; over one, or more than three, lines over each.

    Parameters
    ----------
    table
        One row a combination, the last key changing first; columns of ``MEASURES``.
    grid
        The values of each key, in their order.

    Returns
    -------
    matplotlib.figure.Figure
        A row of axes for each measure.
    """
    from matplotlib.figure import Figure  # slow to import, and the configuration's check needs none

    surfaces = [sweep_surface(table, grid, measure) for measure in MEASURES]
    columns = surfaces[0].panels
    figure = Figure(figsize=(1.5 + 4.0 * columns, 6.5), layout="constrained")
    rows = figure.subplots(len(surfaces), columns, squeeze=False)
    for axes, surface in zip(rows, surfaces, strict=True):
        (_maps if surface.is_map else _lines)(axes, surface)
    return figure


def _maps(axes: Any, surface: SweepSurface) -> None:
    """A map of the last two keys for each value of the first of three; one scale for all."""
    *panel_key, upwards, across = surface.grid
    cube = surface.measured.reshape((-1, *surface.measured.shape[-2:]))
    reach = np.nanmax(np.abs(cube)) if np.isfinite(cube).any() else 1.0
    for number, (panel, values) in enumerate(zip(axes, cube, strict=True)):
        panel.set_facecolor("whitesmoke")
        panel.imshow(values, cmap="RdBu", vmin=-reach, vmax=reach, aspect="auto", origin="lower")
        _write_values(panel, values, surface.form, reach)
        panel.set_xticks(range(values.shape[1]), [label(v) for v in surface.grid[across]])
        panel.set_yticks(range(values.shape[0]), [label(v) for v in surface.grid[upwards]])
        panel.set(xlabel=across, ylabel=upwards if number == 0 else "")
        where = "".join(f", {key} {label(surface.grid[key][number])}" for key in panel_key)
        panel.set_title(f"{surface.title}{where}", fontsize="medium")


def _write_values(panel: Any, values: Values, form: str, reach: float) -> None:
    for (row, column), value in np.ndenumerate(values):
        text = form.format(value) if np.isfinite(value) else NO_TRADES
        is_dark = np.isfinite(value) and abs(value) > 0.6 * reach
        colour = "white" if is_dark else "black"
        panel.text(column, row, text, ha="center", va="center", color=colour)


def _lines(axes: Any, surface: SweepSurface) -> None:
    """Every combination as a point over each key, and the median of each value as a line."""
    for place, (panel, (key, swept)) in enumerate(zip(axes, surface.grid.items(), strict=True)):
        by_value = np.moveaxis(surface.measured, place, 0).reshape(len(swept), -1)
        for number, values in enumerate(by_value):
            panel.plot([number] * len(values), values, "o", color="tab:gray", alpha=0.4)
        panel.plot(range(len(swept)), _medians(by_value), "o-", color="tab:blue", label="median")
        panel.axhline(0.0, color="black", linewidth=0.8)
        panel.set_xticks(range(len(swept)), [label(value) for value in swept])
        panel.yaxis.set_major_formatter(lambda value, _: surface.form.format(value))
        panel.set(xlabel=key, title=surface.title if place == 0 else "")


def _medians(by_value: Values) -> list[float]:
    """Median of the defined values of each row; NaN where a row has none."""
    defined = (row[np.isfinite(row)] for row in by_value)
    return [float(np.median(row)) if len(row) else np.nan for row in defined]
