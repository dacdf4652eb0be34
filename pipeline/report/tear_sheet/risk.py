"""What could be lost and how it was won: the tables of a tear sheet's section on risk."""

from __future__ import annotations

import pandas as pd

from pipeline.report.headlines import MIN_SESSIONS_A_YEAR, is_a_year_shown
from pipeline.report.numbers import NONE, count, day, number, percent
from pipeline.report.tear_sheet.sheet import Sheet
from pipeline.report.tear_sheet.tables import Cell, Table, words
from pipeline.stats.risk import (
    calmar,
    expected_shortfall,
    longest_streak,
    payoff,
    profit_factor,
    sortino,
    value_at_risk,
    worst_drawdowns,
)

PERCENTILE = 0.05


def risk_tables(sheet: Sheet) -> list[Table]:
    """Measures with what they mean, and the deepest drawdowns with their dates."""
    return [_measures(sheet), _drawdowns(sheet.net_returns)]


def _measures(sheet: Sheet) -> Table:
    net, profits = sheet.net_returns, sheet.trades["net_pnl"]
    is_year = is_a_year_shown(sheet.sessions)
    a_year = number(calmar(net)) if is_year else f"{NONE} ({MIN_SESSIONS_A_YEAR} sessions needed)"
    lines = {
        "Sortino, a year": (number(sortino(net)), "mean over the root mean square of losses"),
        "Calmar": (a_year, "return a year over the largest drawdown"),
        "Value at risk, 5 %": (
            percent(value_at_risk(net, PERCENTILE), 2),
            "lost or more on one session of twenty",
        ),
        "Expected shortfall, 5 %": (
            percent(expected_shortfall(net, PERCENTILE), 2),
            "mean of these sessions",
        ),
        "Longest losing streak": (
            count(longest_streak(net, losing=True), "session"),
            "in a row with a loss",
        ),
        "Longest winning streak": (
            count(longest_streak(net, losing=False), "session"),
            "in a row with a gain",
        ),
        "Payoff": (number(payoff(profits)), "mean gain of a trade over the mean loss"),
        "Profit factor": (number(profit_factor(profits)), "sum of gains over sum of losses"),
    }
    rows = [[words(name), Cell(value), words(note)] for name, (value, note) in lines.items()]
    return Table([words("Measure"), Cell("Value"), words("Meaning")], rows)


def _drawdowns(returns: pd.Series) -> Table:
    rows = [
        [
            Cell(percent(row["depth"], 2)),
            words(_day(row["peak"], "the start")),
            words(day(row["trough"])),
            words(_day(row["end"], "not yet")),
            Cell(number(row["sessions"], 0)),
        ]
        for row in worst_drawdowns(returns).to_dict("records")
    ]
    head = [Cell("Depth"), *map(words, ("From", "Lowest", "Back on")), Cell("Sessions")]
    return Table(head, rows or [[Cell(NONE)] * 5], "Deepest drawdowns, net of costs")


def _day(session: object, otherwise: str) -> str:
    return otherwise if pd.isna(session) else day(session)  # type: ignore[call-overload]
