"""The sections of a tear sheet that explain a result, with their figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.contract import Tables
from pipeline.report.numbers import count, number, percent
from pipeline.report.tear_sheet import style, tables
from pipeline.report.tear_sheet.diagnosis import AGES
from pipeline.report.tear_sheet.section import Section
from pipeline.report.tear_sheet.sheet import Sheet
from pipeline.report.tear_sheet.style import BLUE, GREY, INK, VERMILLION
from pipeline.report.tear_sheet.tables import Cell, Table, words

NOT_VARYING = "the forecasts hardly varied between symbols"
EXTREME_SYMBOLS = 8
MAIN_DRIVERS = 12
MIN_MONTHLY_SESSIONS = 42
NORMAL_95 = 1.96


def calibration(sheet: Sheet) -> Section:
    """Whether a forecast of 1 % was followed by 1 %."""
    name, heading, diagnosis = "calibration", "Calibration", sheet.diagnosis
    if diagnosis.calibration.empty:
        return Section(name, heading, missing=NOT_VARYING)
    lead = (
        f"Return on forecast, both less the session's mean: slope {number(diagnosis.slope)}, "
        f"standard error {number(diagnosis.slope_error)}; 1 is right, 0 is worthless. Residuals "
        f"deviate by {percent(diagnosis.error, 3)}, returns by {percent(diagnosis.spread, 3)}."
    )
    return Section(name, heading, [lead], _draw_calibration)


def cumulated(sheet: Sheet) -> Section:
    """Whether the skill came all at once."""
    name, heading, diagnosis = "cumulated", "Skill over time", sheet.diagnosis
    if len(diagnosis.rank_ic_sum) < 2 or diagnosis.by_decile.empty:
        return Section(name, heading, missing=NOT_VARYING)
    correlations = diagnosis.autocorrelation
    lead = (
        "A steady skill rises in a straight line. The order of a session's forecasts resembles "
        f"that of the session before by a rank correlation of {number(correlations)}."
    )
    return Section(name, heading, [lead], _draw_cumulated)


def by_state(sheet: Sheet) -> Section:
    """Rank IC by month, by regime and by age of the forecast."""
    name, heading, diagnosis = "rank_ic_by", "Rank IC by month, regime and age", sheet.diagnosis
    if diagnosis.by_regime.empty:
        return Section(name, heading, missing=NOT_VARYING)
    lead = (
        "Mean over sessions, in hundredths by month. Of age n: the forecast of n sessions before "
        "against the return of today; how fast it fades."
    )
    shown = [_regimes(diagnosis.by_regime), _ages(diagnosis.by_age)]
    if len(diagnosis.rank_ic_sum) >= MIN_MONTHLY_SESSIONS:
        shown.append(tables.monthly(diagnosis.by_month))
    return Section(name, heading, [lead], tables=shown, wide=True)


def symbols(sheet: Sheet) -> Section:
    """Who made the profit and the loss."""
    name, heading, table = "symbols", "Profit by symbol", sheet.diagnosis.by_symbol
    if len(table) < 2 * EXTREME_SYMBOLS:
        few = f"trades in {count(len(table), 'symbol')}, {2 * EXTREME_SYMBOLS} are needed"
        return Section(name, heading, missing=few if sheet.traded else "no trades")
    total = float(table["net_pnl"].sum())
    best = float(table["net_pnl"].head(EXTREME_SYMBOLS).sum())
    lead = (
        f"Net P&L {number(total, 0, sign=True)} by {count(len(table), 'symbol')}; without the "
        f"{EXTREME_SYMBOLS} best {number(total - best, 0, sign=True)}."
    )
    ends = {"Most profitable": table.head(EXTREME_SYMBOLS), "Least": table.tail(EXTREME_SYMBOLS)}
    shown = [_symbols(part, caption) for caption, part in ends.items()]
    return Section(name, heading, [lead], tables=shown, wide=True)


def drivers(sheet: Sheet) -> Section:
    """What the forecasts of the model to serve hang on."""
    name, heading = "drivers", "What drives the forecasts"
    if sheet.drivers.empty:
        return Section(name, heading, missing="of a retrain's model alone")
    lead = (
        "Left, the mean size of each feature's part of the newest forecasts: terms of linear "
        "models, Shapley values of trees. Right, the rank IC lost out of sample when its values "
        "are shuffled between the symbols of a session, with its 95 % interval; below zero it did "
        "harm, or chance did; blank where that model hardly used it. All are in "
        f"{Tables.DRIVERS}.csv."
    )
    return Section(name, heading, [lead], _draw_drivers)


def _draw_calibration(sheet: Sheet) -> Any:
    table = 1e4 * sheet.diagnosis.calibration
    figure, (axes,) = style.panels(2.6)
    axes.axline((0.0, 0.0), slope=1.0, color=GREY, linestyle="--", linewidth=1.0)
    axes.plot(table["forecast"], table["return"], "o-", color=BLUE)
    style.zero_line(axes)
    axes.set_title("Return by decile of the forecast, bp (dashed: as forecast)")
    axes.set_xlabel("forecast, bp")
    style.in_numbers(axes)
    return figure


def _draw_cumulated(sheet: Sheet) -> Any:
    diagnosis = sheet.diagnosis
    figure, (above, below) = style.panels(3.6, (1.0, 1.0), sharex=True)
    above.plot(diagnosis.rank_ic_sum.index, diagnosis.rank_ic_sum, color=BLUE)
    above.set_title("Rank IC, cumulated")
    for name, color in (("lowest", VERMILLION), ("highest", BLUE)):
        below.plot(
            diagnosis.by_decile.index, 100.0 * diagnosis.by_decile[name], color=color, label=name
        )
    below.set_title("Decile less the session's mean, cumulated, %")
    below.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.1)
    for axes in (above, below):
        style.zero_line(axes)
        style.in_numbers(axes)
    style.by_date(below)
    return figure


def _draw_drivers(sheet: Sheet) -> Any:
    shown = sheet.drivers.head(MAIN_DRIVERS)[::-1]
    figure, (size, worth) = style.columns(0.7 + 0.22 * len(shown), 2, sharey=True)
    places = np.arange(len(shown))
    size.barh(places, 100.0 * shown["share"], color=BLUE, alpha=0.75)
    size.set_yticks(places, shown["feature"])
    size.set_title("Share, %")
    lost = 100.0 * shown["rank_ic_lost"]
    error = (lost / shown["t"]).abs()
    worth.barh(places, lost, color=BLUE, alpha=0.75)
    worth.errorbar(lost, places, xerr=NORMAL_95 * error, fmt="none", ecolor=GREY, linewidth=1.0)
    worth.axvline(0.0, color=INK, linewidth=0.8)
    worth.set_title("Rank IC lost x 100")
    return figure


def _regimes(table: pd.DataFrame) -> Table:
    rows = [
        [
            words(tables.regime(name)),
            Cell(number(row["sessions"], 0)),
            Cell(number(row["rank_ic"], 4)),
            Cell(number(row["t"], 1)),
        ]
        for name, row in table.iterrows()
    ]
    return Table([words("Regime"), Cell("Sessions"), Cell("Rank IC"), Cell("t")], rows)


def _ages(by_age: pd.Series) -> Table:
    named = zip(AGES, by_age, strict=True)
    rows = [[words(count(age, "session")), Cell(number(ic, 4))] for age, ic in named]
    return Table([words("Age of the forecast"), Cell("Rank IC")], rows)


def _symbols(part: pd.DataFrame, caption: str) -> Table:
    rows = [
        [
            words(symbol),
            Cell(number(row["trades"], 0)),
            Cell(number(row["net_pnl"], 2, sign=True)),
        ]
        for symbol, row in part.iterrows()
    ]
    return Table([words("Symbol"), Cell("Trades"), Cell("Net P&L")], rows, caption)
