"""Symbols whose bars do not look like its daily prices, though each bar keeps the rules.

A symbol that can be read in two ways is refused whole, with both readings.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from pipeline.io.calendar import AMERICAN, Calendar
from pipeline.io.sources.bar_rules import PRICES
from pipeline.io.sources.files.cleaning import DIFFERS
from pipeline.schemas import SESSION, SYMBOL

FEW_ROWS = 4
"""Fewer odd rows of a symbol are quarantined alone and say nothing about the others."""

CONFLICTS = 0.01
OTHER_DAYS = 0.1
SESSIONS_APART = 3
"""Between neighbouring bars, in the median."""

HIGH_PRICE = 1000
ENOUGH_BARS = 60
"""From that price on, prices of a US stock over so many bars say whether they are in dollars."""

VERY_HIGH_PRICE = 20_000
MANY_SHARES = 20_000
"""A day, in the median. No US stock of so high a price trades so many."""

MANY_DOLLARS = 2e11
"""A day, in the median. No US stock trades for so much."""

STEP = 5e-5
"""Prices in steps of so large a part of themselves are no dollars and cents, from HIGH_PRICE on."""

STEP_OF_VERY_HIGH = 2e-3
"""Among prices that few people pay, dollars are quoted in tens and hundreds as well."""

WINDOW = 20
"""Bars between which an adjustment to dividends hardly changes."""

LARGE_MOVE = np.log(3.0)
STALE_OPENS = 0.2
WITHOUT_VOLUME = 0.5


def suspects(
    given: pd.DataFrame, reasons: np.ndarray, calendar: Calendar, *, is_index: bool
) -> dict[str, str]:
    """Symbols whose bars may be something else than daily prices of it: both readings by symbol."""
    symbols = given[SYMBOL]
    good = given[reasons == ""]
    refused = dict(_of_other_days(symbols, reasons, calendar))
    refused |= dict(_contradicted(given, reasons))
    refused |= _not_daily(good, calendar)
    if not is_index and calendar.name in AMERICAN:
        refused |= dict(_of_other_money(good))
    return refused


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
        files = sorted({str(file) for file in given["file"][rows].unique()})
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


def _of_other_money(good: pd.DataFrame) -> Iterable[tuple[str, str]]:
    """Prices that no US stock has: by its volume, by its turnover, or by the step of its prices."""
    grouped = good[["close", "volume"]].groupby(good[SYMBOL], observed=True)
    median, size = grouped.median(), grouped.size()
    for name in median.index[(median["close"] >= HIGH_PRICE) & (size >= ENOUGH_BARS)]:
        price, volume = median.loc[name, "close"], median.loc[name, "volume"]
        bars = good[(good[SYMBOL] == name).to_numpy()]
        is_very_high = price >= VERY_HIGH_PRICE
        if is_very_high and volume > MANY_SHARES:
            why = f"{volume:,.0f} shares a day at such a price"
        elif price * volume > MANY_DOLLARS:
            why = f"a turnover of {price * volume:,.0f} a day"
        elif (step := price_step(bars)) > (STEP_OF_VERY_HIGH if is_very_high else STEP):
            why = f"in steps of {step * price:.4g}, without cents before any adjustment"
        else:
            continue
        yield (
            str(name),
            f"prices around {price:,.0f}, {why}: prices in another currency, of another company "
            f"with this ticker; or real (needed: data.accept=[{name}])",
        )


def price_step(bars: pd.DataFrame) -> float:
    """Step of the prices as a part of them: all differences within a bar are multiples of it.

    An adjustment to dividends multiplies prices and step alike, so that a step of whole won or yen
    is still there among prices with cents. 0 where most windows of bars have none.
    """
    prices = bars[list(PRICES)].to_numpy()
    level = prices[:, 3]
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    differences = np.abs(np.stack([prices[:, a] - prices[:, b] for a, b in pairs], axis=1))
    steps = []
    for first in range(0, len(bars) - WINDOW + 1, WINDOW):
        some = differences[first : first + WINDOW].ravel()
        some = some[some > 1e-7 * level[first]]
        if len(some) < WINDOW:
            continue
        step = some.min()
        multiples = some / step
        fits = np.abs(multiples - np.round(multiples)) < 0.1
        steps.append(step / level[first] if fits.mean() > 0.95 else 0.0)
    return float(np.median(steps)) if steps else 0.0


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
    without = (good["volume"] == 0).groupby(good[SYMBOL].to_numpy(), observed=True).mean()
    without = without[without > WITHOUT_VOLUME]
    silent = [f"{name} ({100 * share:.0f} %)" for name, share in without.items()]
    large = np.flatnonzero(np.abs(step) > LARGE_MOVE)
    shown = [
        f"{good[SYMBOL].iloc[at]} {good[SESSION].iloc[at]:%Y-%m-%d} "
        f"{previous[at]:g} to {opens[at]:g}"
        for at in large[:10]
    ]
    count = f"{len(large)} overnight moves by more than three times, taken as real"
    remarks = [f"{count}: {', '.join(shown)}"] if shown else []
    if silent:
        named = ", ".join(silent[:10]) + (f" and {len(silent) - 10} more" if silent[10:] else "")
        remarks.append(
            f"volume 0 on most bars of {named}; data.columns.volume names another column"
        )
    return remarks
