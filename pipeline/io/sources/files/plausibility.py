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
ENOUGH_BARS = 20
"""From that price on, so many bars of a US stock say whether they are in dollars: none of
331 such windows of four stocks is mistaken."""

VERY_HIGH_PRICE = 20_000
MANY_SHARES = 20_000
"""A day, in the median. No US stock of so high a price trades so many."""

MANY_DOLLARS = 2e11
"""A day, in the median. No US stock trades for so much."""

BILLIONTHS, STEP_OF_BILLIONTHS = 1e8, 100_000
"""A tenth of a unit of money and a ten-thousandth of it, counted in billionths."""

STEP = 5e-5
"""Prices in steps of so large a part of themselves are no dollars and cents, from HIGH_PRICE on."""

STEP_OF_VERY_HIGH = 2e-3
"""Among prices that few people pay, dollars are quoted in tens and hundreds as well."""

WINDOW = 20
"""Bars between which an adjustment to dividends hardly changes."""

DIFFERENT = 3
"""Numbers of steps between prices, from which on they tell what a step is."""

LARGE_MOVE = np.log(3.0)
STALE_OPENS = 0.2
WITHOUT_VOLUME = 0.5
NO_OPENS = 0.5
"""Share of a stock's bars whose open repeats another price; of 500 US stocks one in ten at most."""

OTHER_UNIT = np.log(30.0)
UNIT_BARS = 10
"""Volumes that rise or fall by so much, and stay so for so many bars, are counted otherwise."""


def suspects(
    given: pd.DataFrame, reasons: np.ndarray, calendar: Calendar, *, is_index: bool
) -> dict[str, str]:
    """Symbols whose bars may be something else than daily prices of it: both readings by symbol."""
    symbols = given[SYMBOL]
    good = given[reasons == ""]
    refused = dict(_of_other_days(symbols, reasons, calendar))
    refused |= dict(_contradicted(given, reasons))
    refused |= _not_daily(good, calendar)
    refused |= dict(_of_fixed_point(good))
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


def _of_fixed_point(good: pd.DataFrame) -> Iterable[tuple[str, str]]:
    """Prices that are whole numbers of billionths, as some data bases keep them."""
    lowest = good["low"].groupby(good[SYMBOL], observed=True).min()
    for name in lowest.index[lowest >= BILLIONTHS]:
        bars = good[(good[SYMBOL] == name).to_numpy()]
        if (bars[list(PRICES)].to_numpy() % STEP_OF_BILLIONTHS == 0).all():
            yield (
                str(name),
                f"prices from {lowest[name]:,.0f} on in steps of {STEP_OF_BILLIONTHS:,}: whole "
                "numbers of billionths (needed: prices with their point), or real (needed: "
                f"data.accept=[{name}])",
            )


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
        if len(np.unique(np.round(multiples))) < DIFFERENT:
            continue
        fits = np.abs(multiples - np.round(multiples)) < 0.1
        steps.append(step / level[first] if fits.mean() > 0.95 else 0.0)
    return float(np.median(steps)) if steps else 0.0


def remarks(good: pd.DataFrame, *, is_index: bool) -> list[str]:
    """What is loaded as it stands and still deserves a word."""
    same = (good[SYMBOL].cat.codes.diff() == 0).to_numpy()
    opens, closes = good["open"].to_numpy(), good["close"].to_numpy()
    previous = np.asarray(np.roll(closes, 1))
    stale = _shares(same & (previous == opens), good, STALE_OPENS if is_index else NO_OPENS)
    stale_in_words = [
        f"{name}: the open is the previous close on {100 * value:.0f} % of the sessions: "
        "no opening price"
        for name, value in stale.items()
    ]
    if is_index:
        return stale_in_words
    remarks = []
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(same, np.log(opens / previous), 0.0)
    large = np.flatnonzero(np.abs(step) > LARGE_MOVE)
    if len(large):
        shown = [f"{_bar(good, at)} {previous[at]:g} to {opens[at]:g}" for at in large[:10]]
        count = f"{len(large)} overnight moves by more than three times, taken as real"
        remarks.append(f"{count}: {', '.join(shown)}")
    if len(without := _shares(good["volume"].to_numpy() == 0, good, WITHOUT_VOLUME)):
        remarks.append(
            f"volume 0 on most bars of {_named(without)}; data.columns.volume names another column"
        )
    if len(flat := _shares(opens == closes, good, NO_OPENS)):
        remarks.append(
            f"open and close are one price on most bars of {_named(flat)}: no opening price"
        )
    if others := [f"{_bar(good, at)} by {factor:.3g} times" for at, factor in _units(good, same)]:
        remarks.append(
            f"volumes that step and stay, as other units do: {', '.join(others[:10])}"
            + (f" and {len(others) - 10} more" if others[10:] else "")
        )
    return stale_in_words + remarks


def _bar(good: pd.DataFrame, at: int) -> str:
    return f"{good[SYMBOL].iloc[at]} {good[SESSION].iloc[at]:%Y-%m-%d}"


def _shares(odd: np.ndarray, good: pd.DataFrame, bound: float) -> pd.Series:
    """Share of the bars of which this holds by symbol, where it exceeds a bound."""
    symbols = good[SYMBOL].cat
    codes, names = symbols.codes.to_numpy(), symbols.categories
    bars = np.bincount(codes, minlength=len(names))
    share = pd.Series(np.bincount(codes, odd, len(names)) / np.maximum(bars, 1), names)
    return share[share > bound].sort_index()


def _named(shares: pd.Series) -> str:
    """The first ten symbols with their shares."""
    named = [f"{name} ({100 * share:.0f} %)" for name, share in shares.items()]
    return ", ".join(named[:10]) + (f" and {len(named) - 10} more" if named[10:] else "")


def _units(good: pd.DataFrame, same: np.ndarray) -> Iterable[tuple[int, float]]:
    """Bars from which on the volume is counted otherwise, and by what factor."""
    with np.errstate(divide="ignore"):
        volume = np.log(good["volume"].to_numpy(dtype="float64"))
    starts = np.append(np.flatnonzero(~same), len(same))
    with np.errstate(invalid="ignore"):
        jumps = np.flatnonzero(same[1:] & (np.abs(np.diff(volume)) > OTHER_UNIT)) + 1
    for at in map(int, jumps):
        place = int(np.searchsorted(starts, at, side="right"))
        before = volume[max(starts[place - 1], at - UNIT_BARS) : at]
        after = volume[at : min(starts[place], at + UNIT_BARS)]
        if min(len(before), len(after)) < UNIT_BARS or not np.isfinite([*before, *after]).all():
            continue
        step = float(np.median(after) - np.median(before))
        apart = max(after.min() - before.max(), before.min() - after.max())
        if abs(step) > OTHER_UNIT and apart > 0.5 * OTHER_UNIT:
            yield at, float(np.exp(step))
