"""What the searches of a walk-forward chose: its numbers, its section, its figure."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from pipeline.contract import Tables
from pipeline.report.numbers import MINUS, number
from pipeline.report.tear_sheet import style
from pipeline.report.tear_sheet.section import Section
from pipeline.report.tear_sheet.sheet import Sheet
from pipeline.report.tear_sheet.style import BLUE
from pipeline.report.tear_sheet.tables import Cell, Table, words

SCORE = "cv_rank_ic"
LEARNED = "predicted_first"
MAX_CURVES = 8
LOG_FROM = 20.0
"""Highest over lowest from which an axis is logarithmic."""


class ChosenParameters(NamedTuple):
    """What each search chose, in the order of time.

    Attributes
    ----------
    curves
        Indexed by the first session that was predicted with it; a column a number that changed.
    summary
        Indexed by name: newest (as chosen), lowest, median, highest (NaN where it is no number),
        changes (searches that chose otherwise than the one before).
    """

    curves: pd.DataFrame
    summary: pd.DataFrame


def chosen_parameters(sheet: Sheet) -> ChosenParameters:
    """What changed from search to search, and by how much; without rows where there was one."""
    if len(sheet.searches) < 2:
        return ChosenParameters(pd.DataFrame(), pd.DataFrame())
    table = sheet.searches.set_index(LEARNED)
    table.index = pd.to_datetime(table.index)
    numbers = table.select_dtypes("number")
    known = table.astype(str)
    summary = pd.DataFrame(
        {
            "newest": table.iloc[-1],
            "lowest": numbers.min(),
            "median": numbers.median(),
            "highest": numbers.max(),
            "changes": (known != known.shift()).iloc[1:].sum(),
        }
    ).loc[table.columns]
    return ChosenParameters(
        numbers.loc[:, numbers.max() > numbers.min()].iloc[:, :MAX_CURVES], summary
    )


def searches(sheet: Sheet) -> Section:
    """Whether the searches of a walk-forward agree."""
    name, heading = "searches", "Chosen parameters over time"
    curves, summary = chosen_parameters(sheet)
    if summary.empty:
        return Section(name, heading, missing="of a walk-forward with several searches alone")
    lead = (
        f"What each of {number(len(sheet.searches), 0)} searches chose, by the first "
        "session predicted with it. Where choices jump about and the score does not follow, fixed "
        f"ones may do as well. All are in {Tables.SEARCHES}.csv."
    )
    draw = None if curves.empty else _draw
    return Section(name, heading, [lead], draw, [_table(summary)], wide=True)


def _draw(sheet: Sheet) -> Any:
    curves = chosen_parameters(sheet).curves
    figure, axes = style.panels(0.4 + 1.15 * len(curves.columns), (1.0,) * len(curves.columns),
                                sharex=True)  # fmt: skip
    for panel, (name, values) in zip(axes, curves.items(), strict=True):
        panel.step(values.index, values, "o-", where="post", color=BLUE, markersize=3.5)
        panel.set_title(_named(name))
        if values.min() > 0.0 and values.max() / values.min() > LOG_FROM:
            panel.set_yscale("log")
        else:
            style.in_numbers(panel)
    style.by_date(axes[-1])
    return figure


def _table(summary: pd.DataFrame) -> Table:
    head = [words("Parameter"), *(Cell(str(name).capitalize()) for name in summary)]
    rows = [
        [words(_named(name)), *(Cell(_shown(value)) for value in row.iloc[:-1]),
         Cell(number(row["changes"], 0))]
        for name, row in summary.iterrows()
    ]  # fmt: skip
    return Table(head, rows)


def _named(name: object) -> str:
    return "rank IC out of fold" if name == SCORE else str(name)


def _shown(value: object) -> str:
    """A number in four digits; a text as it is; nothing where there is none.

    >>> [_shown(value) for value in (-0.00012345, 200, "l2", float("nan"))]
    ['\u22120.0001234', '200', 'l2', '']
    """
    if isinstance(value, str | bool) or value is None:
        return str(value)
    return "" if value != value else f"{value:.4g}".replace("-", MINUS)
