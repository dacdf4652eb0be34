"""What does not look like the daily prices of its symbol, though each bar keeps the rules.

A symbol that can be read in two ways is set aside whole, with both readings.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.io.calendar import AMERICAN, Calendar
from pipeline.io.providers.cleaning import DIFFERS
from pipeline.io.providers.splits import PRICES
from pipeline.schemas import SESSION, SYMBOL

FEW_ROWS = 4
"""Fewer odd rows of a symbol are set aside alone and say nothing about the others."""

CONFLICTS = 0.01
OTHER_DAYS = 0.1
SESSIONS_APART = 3
"""Between neighbouring bars, in the median."""

HIGH_PRICE = 1000
WHOLE_PRICES = 0.5
ENOUGH_BARS = 60
"""A US stock of that price rarely trades at whole dollars; prices in won or yen mostly do."""

LARGE_MOVE = np.log(3.0)
STALE_OPENS = 0.2


def suspects(
    given: pd.DataFrame, reasons: np.ndarray, calendar: Calendar, *, is_index: bool
) -> dict[str, str]:
    """Symbols whose bars may be something else than daily prices of it: both readings by symbol."""
    symbols = given[SYMBOL]
    good = given[reasons == ""]
    found = dict(_of_other_days(symbols, reasons, calendar))
    found |= dict(_contradicted(given, reasons))
    found |= _not_daily(good, calendar)
    if not is_index and calendar.name in AMERICAN:
        found |= _of_other_money(good)
    return found


def _of_other_days(
    symbols: pd.Series, reasons: np.ndarray, calendar: Calendar
) -> Iterable[tuple[str, str]]:
    share = pd.Series(reasons == f"no session of {calendar.name}", index=symbols.index).groupby(
        symbols, observed=True
    )
    odd = share.sum()
    for name, value in share.mean()[odd >= FEW_ROWS].items():
        if value > OTHER_DAYS:
            yield (
                str(name),
                f"{100 * value:.0f} % of its days are no session of {calendar.name}: it trades "
                "elsewhere (needed: its data.exchange_calendar), or its dates are shifted",
            )


def _contradicted(given: pd.DataFrame, reasons: np.ndarray) -> Iterable[tuple[str, str]]:
    differs = pd.Series(reasons == DIFFERS, index=given.index)
    by_symbol = differs.groupby(given[SYMBOL], observed=True)
    share, odd = by_symbol.mean(), by_symbol.sum()
    for name, value in share[(share > CONFLICTS) & (odd >= FEW_ROWS)].items():
        rows = differs & (given[SYMBOL] == name)
        files = sorted({Path(file).name for file in given["file"][rows].unique()})
        yield (
            str(name),
            f"{int(rows.sum())} of its bars, {100 * value:.0f} %, are given more than once with "
            f"other values, in {' and '.join(files)}; needed: one file of it",
        )


def _not_daily(good: pd.DataFrame, calendar: Calendar) -> dict[str, str]:
    place = pd.Series(calendar.sessions.searchsorted(good[SESSION].to_numpy()), index=good.index)
    apart = place.groupby(good[SYMBOL], observed=True).diff()
    by_symbol = apart.groupby(good[SYMBOL], observed=True)
    typical = by_symbol.median()[by_symbol.count() >= FEW_ROWS]
    return {
        str(name): f"its bars lie {days:.0f} sessions apart: weekly or monthly bars, or a symbol "
        "that hardly trades; needed: daily bars"
        for name, days in typical[typical >= SESSIONS_APART].items()
    }


def _of_other_money(good: pd.DataFrame) -> dict[str, str]:
    closes = good["close"].groupby(good[SYMBOL], observed=True)
    median, size = closes.median(), closes.size()
    high = set(median[(median >= HIGH_PRICE) & (size >= ENOUGH_BARS)].index)
    few = good[good[SYMBOL].isin(high)]
    whole = (few[list(PRICES)] % 1 == 0).all(axis=1).groupby(few[SYMBOL], observed=True).mean()
    return {
        str(
            name
        ): f"prices around {median.loc[str(name)]:,.0f}, {100 * share:.0f} % of the bars without "
        "cents: prices in another currency, of another company with this ticker; or real "
        f"(needed: data.accept=[{name}])"
        for name, share in whole[whole >= WHOLE_PRICES].items()
    }


def remarks(good: pd.DataFrame, *, is_index: bool) -> list[str]:
    """What is loaded as it stands and still deserves a word."""
    same = (good[SYMBOL].cat.codes.diff() == 0).to_numpy()
    previous, opens = np.asarray(np.roll(good["close"].to_numpy(), 1)), good["open"].to_numpy()
    if is_index:
        stale = pd.Series(same & (previous == opens)).groupby(
            good[SYMBOL].to_numpy(), observed=True
        )
        share = stale.mean()
        return [
            f"{name}: the open is the previous close on {100 * value:.0f} % of the sessions: "
            "no opening price"
            for name, value in share[share > STALE_OPENS].items()
        ]
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(same, np.log(opens / previous), 0.0)
    large = np.flatnonzero(np.abs(step) > LARGE_MOVE)
    shown = [
        f"{good[SYMBOL].iloc[at]} {good[SESSION].iloc[at]:%Y-%m-%d} "
        f"{previous[at]:g} to {opens[at]:g}"
        for at in large[:10]
    ]
    return (
        [
            f"{len(large)} overnight moves by more than three times, taken as real: "
            f"{', '.join(shown)}"
        ]
        if shown
        else []
    )
