"""The tables of a tear sheet: frames to cells of text, ready to be set."""

from __future__ import annotations

import calendar
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pandas as pd

from pipeline.report.doubts import CAPTIONS, WORDS, doubt_cells
from pipeline.report.numbers import (
    NONE,
    THIN,
    basis_points,
    count,
    day,
    interval,
    number,
    percent,
)

GOOD_RGB, BAD_RGB = "0,114,178", "230,159,0"
"""Blue and orange, pale behind dark text."""
MAX_OPACITY = 0.55


@dataclass(frozen=True)
class Strip:
    """An interval drawn inside a cell: places in per cent of its width."""

    at: float
    left: float
    width: float


@dataclass(frozen=True)
class Cell:
    """Text of a cell; ``left`` for words, ``color`` behind it, ``strip`` instead of it."""

    text: str = ""
    left: bool = False
    color: str = ""
    strip: Strip | None = None


@dataclass(frozen=True)
class Table:
    """A table of cells. ``breaks`` are rows after which others were left out."""

    head: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    style: str = ""
    breaks: Sequence[int] = field(default_factory=tuple)


def words(text: object) -> Cell:
    """A cell of words."""
    return Cell(str(text), left=True)


def shaded(value: float, text: str, largest: float) -> Cell:
    """A number on a colour as strong as its size."""
    if not (math.isfinite(value) and largest > 0.0):
        return Cell(text)
    opacity = MAX_OPACITY * min(abs(value) / largest, 1.0)
    return Cell(text, color=f"rgba({GOOD_RGB if value > 0 else BAD_RGB},{opacity:.2f})")


def regime(name: object) -> str:
    """A regime as people write it.

    >>> regime("BULL_TRENDING"), regime("HIGH_VOL")
    ('Bull trending', 'High volatility')
    """
    return str(name).replace("_VOL", "_volatility").replace("_", " ").capitalize()


def monthly(table: pd.DataFrame) -> Table:
    """Net return in per cent by year and month, shaded by size; empty months are blank."""
    months = range(1, 13)
    largest = float(table[[*months]].abs().max().max())
    largest_year = float(table["year"].abs().max())
    shown = [month for month in months if len(table) > 1 or table[month].notna().any()]
    head = [words("Year"), *(Cell(calendar.month_abbr[month]) for month in shown), Cell("All")]
    rows = [
        [
            words(year),
            *(_month(row[month], largest) for month in shown),
            _month(row["year"], largest_year),
        ]
        for year, row in table.iterrows()
    ]
    return Table(head, rows, style="months")


def _month(value: float, largest: float) -> Cell:
    text = number(100.0 * value, 1) if math.isfinite(value) else ""
    return shaded(value, text, largest)


def yearly(table: pd.DataFrame) -> Table:
    """One row a year."""
    head = ["Sessions", "Net", "Universe", "Sharpe", "95 % interval", "Drawdown", "Trades",
            "Winning", "Exposure", "Turnover", "Cost a session"]  # fmt: skip
    largest = float(table["net_return"].abs().max())
    rows = [
        [
            words(year),
            Cell(number(row["sessions"], 0)),
            shaded(row["net_return"], percent(row["net_return"]), largest),
            Cell(percent(row["benchmark_return"])),
            Cell(number(row["sharpe"])),
            Cell(interval(row["low"], row["high"])),
            Cell(percent(row["max_drawdown"])),
            Cell(number(row["trades"], 0)),
            Cell(percent(row["win_rate"])),
            Cell(percent(row["exposure"], 0)),
            Cell(percent(row["turnover"], 0)),
            Cell(basis_points(row["cost"])),
        ]
        for year, row in table.iterrows()
    ]
    return Table([words("Year"), *map(Cell, head)], rows)


def hit_rates(tables: Mapping[str, pd.DataFrame]) -> list[Table]:
    """A table for each kind of group, their strips on one scale round a half."""
    ends = pd.concat([table[["hit_rate", "low", "high"]] for table in tables.values()])
    farthest = float((ends - 0.5).abs().max().max())
    reach = min(math.ceil(20.0 * farthest) / 20.0, 0.5)
    return [_hit_rate(by, table, reach) for by, table in tables.items()]


def _hit_rate(by: str, table: pd.DataFrame, reach: float) -> Table:
    """Hit rate of each group with its interval, as numbers and as a strip."""
    scale = f"{50 - 100 * reach:.0f} to {50 + 100 * reach:.0f}{THIN}%"
    head = [words(by.capitalize()), Cell("Trades"), Cell("Won"), Cell(scale), Cell("Net, bp")]
    rows = [
        [
            words(regime(group) if by == "regime" else group),
            Cell(number(row["trades"], 0)),
            Cell(percent(row["hit_rate"])),
            Cell(strip=_strip(row, reach)),
            Cell(number(1e4 * row["mean_net_return"], 1, sign=True)),
        ]
        for group, row in table.iterrows()
    ]
    return Table(head, rows, style="groups")


def _strip(row: pd.Series, reach: float) -> Strip:
    """Places from 50 % minus to 50 % plus the reach; without an interval the point alone."""
    rate = row["hit_rate"]
    low, high = (row["low"], row["high"]) if math.isfinite(row["low"]) else (rate, rate)
    at, left, right = (
        round(50.0 + 50.0 * (value - 0.5) / reach, 1) if reach else 50.0
        for value in (rate, low, high)
    )
    return Strip(at, left, round(right - left, 1))


def extremes(table: pd.DataFrame) -> Table:
    """Best and worst trades; a gap stands for those between."""
    head = [Cell("Place"), words("Session"), words("Symbol"), Cell("Net"), Cell("P&L"),
            Cell("Before costs"), Cell("Forecast"), words("Side"), words("Regime"),
            words("Sector")]  # fmt: skip
    rows = [
        [
            Cell(number(row["place"], 0)),
            words(day(row["session"])),
            words(row["symbol"]),
            Cell(percent(row["net_return"], 2, sign=True)),
            Cell(number(row["net_pnl"], 2, sign=True)),
            Cell(percent(row["gross_return"], 2, sign=True)),
            Cell(basis_points(row["prediction"], sign=True)),
            words(row["side"]),
            words(regime(row["regime"])),
            words(row["sector"]),
        ]
        for _, row in table.iterrows()
    ]
    places = table["place"].tolist()
    breaks = [n for n, (a, b) in enumerate(pairwise(places)) if b > a + 1]
    return Table(head, rows, breaks=breaks)


def distribution(sessions: pd.Series, trades: pd.Series) -> Table:
    """Moments and quantiles of the two distributions side by side."""
    lines = {
        "mean": "Mean", "deviation": "Deviation", "minimum": "Worst", "low": "5 % quantile",
        "median": "Median", "high": "95 % quantile", "maximum": "Best",
    }  # fmt: skip
    digits = {"mean": 3, "median": 3}
    both = (sessions, trades)
    rows = [
        [words(what), *(Cell(percent(part[key], digits.get(key, 2))) for part in both)]
        for key, what in lines.items()
    ]
    rows.append([words("Skewness"), *(Cell(number(part["skewness"])) for part in both)])
    head = [words("Net return"), Cell(count(sessions["count"], "session")),
            Cell(count(trades["count"], "trade"))]  # fmt: skip
    return Table(head, rows)


def doubts(tables: Mapping[str, pd.DataFrame]) -> list[Table]:
    """Doubts of a decision on the indicated open, see ``report.doubts``."""
    return [_of_text(cells, CAPTIONS[name]) for name, cells in doubt_cells(tables).items()]


def _of_text(table: pd.DataFrame, caption: str) -> Table:
    """Cells of text as they are, those in columns of words to the left."""
    head, *rows = (
        [Cell(str(text), left=name in WORDS) for name, text in zip(table, row, strict=True)]
        for row in [list(table), *table.to_numpy()]
    )
    return Table(head, rows, caption)


ANSWERS = {"pass": "\N{CHECK MARK} pass", "fail": "\N{BALLOT X} fail"}


def gates(table: pd.DataFrame) -> list[Table]:
    """Every gate with its answer: those that decide, and those that are only shown."""
    parts = {"These decide": "yes", "These are shown only": "no"}
    return [
        _gates(table[table["decides"] == decides], caption)
        for caption, decides in parts.items()
        if (table["decides"] == decides).any()
    ]


def _gates(table: pd.DataFrame, caption: str) -> Table:
    rows = [
        [
            words(row["gate"]),
            words(ANSWERS.get(row["answer"], f"{NONE} {row['answer']}")),
            words(row["explanation"]),
        ]
        for _, row in table.iterrows()
    ]
    return Table([*map(words, ("Gate", "Answer", "Why"))], rows, caption, style="prose")
