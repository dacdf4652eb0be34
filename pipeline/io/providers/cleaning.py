"""Rules that a bar from a file has to keep, and what does not look like its symbol's prices.

A bar that breaks a rule is set aside alone, as it was given; the first rule in the order of
`BAR_RULES` names the reason. A symbol whose prices as a whole can be read in two ways is set aside
whole, with both readings.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.io.providers import EVERY_SYMBOL
from pipeline.io.providers.calendars import Calendar
from pipeline.io.providers.splits import PRICES
from pipeline.schemas import BAR_FIELDS, ROW, SESSION, SYMBOL

RULES = 1
"""Counts up with every change of a rule, so that files are read again."""

ROUNDING = 1e-6
"""Relative; adjusted prices are stored with seven digits, so a high may lie that far too low."""

FEW_ROWS = 4
"""Fewer odd rows of a symbol are set aside alone and say nothing about the others."""

CONFLICTS = 0.01
OTHER_DAYS = 0.1
SESSIONS_APART = 3
WHOLE_PRICES = 0.5
HIGH_PRICE = 1000
ENOUGH_BARS = 60
DIFFERS = "two bars of one session that differ"
LARGE_MOVE = np.log(3.0)
STALE_OPENS = 0.2
US_CALENDARS = ("XNYS", "XNAS", "NYSE", "NASDAQ", "XASE", "ARCX", "BATS")


def faults(
    bars: pd.DataFrame,
    calendar: Calendar,
    *,
    is_index: bool,
    adjusts: bool,
) -> np.ndarray:
    """Why each bar is set aside, "" where it is good.

    Parameters
    ----------
    bars
        Sorted by symbol and session: session, symbol, ``schemas.BAR_FIELDS``, adjusted_close.
    calendar
        Up to today: no later bar can be known.
    is_index
        Whether the bars are of indices, which may lack volume.
    adjusts
        Whether the adjusted close is needed.
    """
    prices = bars[list(PRICES)].to_numpy()
    volume = bars["volume"].to_numpy()
    high, low = bars["high"].to_numpy(), bars["low"].to_numpy()
    is_session = calendar.has(bars[SESSION].to_numpy())
    missing = np.isnan(prices)
    again, differs = _duplicates(bars)
    with np.errstate(invalid="ignore"):
        rules = {
            DIFFERS: differs,
            "row given twice, kept once": again,
            "dated in the future": bars[SESSION].to_numpy() > np.datetime64(calendar.last),
            "forward fill: a day without session repeats the bar before": ~is_session
            & repeats(bars),
            f"no session of {calendar.name}": ~is_session,
            "empty row": missing.all(axis=1),
            "price missing": missing.any(axis=1),
            "volume missing": np.isnan(volume) & (not is_index),
            "price not positive": (prices <= 0).any(axis=1),
            "price not finite": np.isinf(prices).any(axis=1),
            "volume negative": volume < 0,
            "high below another price": high < prices.max(axis=1) * (1 - ROUNDING),
            "low above another price": low > prices.min(axis=1) * (1 + ROUNDING),
            "adjusted close missing": ~(bars["adjusted_close"].to_numpy() > 0) & adjusts,
            "no trading: one price and no volume": (volume == 0) & (high == low) & (not is_index),
        }
    return _first_broken(rules, len(bars))


def _first_broken(rules: dict[str, np.ndarray], size: int) -> np.ndarray:
    codes = np.zeros(size, np.int8)
    for code, broken in enumerate(reversed(rules.values()), start=1):
        codes[broken] = code
    return np.array(["", *reversed(rules)], dtype=object)[codes]


def _duplicates(bars: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a session given before with the same values, and those with other ones."""
    same_key = np.zeros(len(bars), dtype=bool)
    codes, sessions = bars[SYMBOL].cat.codes.to_numpy(), bars[SESSION].to_numpy()
    same_key[1:] = (codes[1:] == codes[:-1]) & (sessions[1:] == sessions[:-1])
    again = same_key & repeats(bars)
    if not same_key.any():
        return again, again
    group = np.cumsum(~same_key)
    odd = np.unique(group[same_key & ~again])
    differs = np.isin(group, odd)
    return again & ~differs, differs


def repeats(bars: pd.DataFrame) -> np.ndarray:
    """Whether a row has the prices of the row before, and its volume or none."""
    found = np.array(bars[SYMBOL].cat.codes.diff() == 0)
    for name in PRICES:
        values = bars[name].to_numpy()
        found[1:] &= (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    volume = np.nan_to_num(bars["volume"].to_numpy())
    found[1:] &= (volume[1:] == volume[:-1]) | (volume[1:] == 0)
    return found


def suspects(
    given: pd.DataFrame, reasons: np.ndarray, calendar: Calendar, *, is_index: bool
) -> dict[str, str]:
    """Symbols whose bars may be something else than daily prices of it: both readings by symbol."""
    symbols = given[SYMBOL]
    good = given[reasons == ""]
    found = dict(_of_other_days(symbols, reasons, calendar))
    found |= dict(_contradicted(given, reasons))
    found |= _not_daily(good, calendar)
    if not is_index and calendar.name in US_CALENDARS:
        found |= _of_other_money(good)
    return found


def _of_other_days(
    symbols: pd.Series, reasons: np.ndarray, calendar: Calendar
) -> Iterable[tuple[str, str]]:
    share = pd.Series(reasons == f"no session of {calendar.name}").groupby(
        symbols.to_numpy(), observed=True
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


def gaps(
    given: pd.DataFrame, good: pd.DataFrame, calendar: Calendar, *, is_index: bool
) -> pd.DataFrame:
    """Sessions without any good bar, and sessions inside a symbol's life without a bar of it.

    A bar that was set aside was given, and is no gap of its symbol. A session that indices lack is
    one of each of them: stocks may have it.
    """
    if good.empty:
        return pd.DataFrame({SESSION: calendar.sessions[:0], SYMBOL: [], "reason": []})
    sessions = calendar.sessions
    sessions = sessions[(sessions >= good[SESSION].min()) & (sessions <= good[SESSION].max())]
    names = given[SYMBOL].cat.categories
    has_bar = _cells(given, sessions, len(names))
    any_good = np.asarray(_cells(good, sessions, len(names)).any(axis=1)) | is_index
    alive = np.logical_or.accumulate(has_bar) & np.logical_or.accumulate(has_bar[::-1])[::-1]
    lacking = alive & ~has_bar & any_good[:, None]
    session, symbol = np.nonzero(lacking)
    single = pd.DataFrame(
        {SESSION: sessions[session], SYMBOL: names[symbol], "reason": "bar missing"}
    )
    whole = pd.DataFrame({SESSION: sessions[~any_good], SYMBOL: EVERY_SYMBOL})
    given_then = np.asarray(has_bar.any(axis=1))[~any_good]
    whole["reason"] = np.where(given_then, "session set aside", "session missing")
    return pd.concat([whole, single.astype({SYMBOL: "str"})]).sort_values(ROW, ignore_index=True)


def _cells(bars: pd.DataFrame, sessions: pd.DatetimeIndex, width: int) -> np.ndarray:
    cells = np.zeros((len(sessions), width), dtype=bool)
    at = sessions.get_indexer(pd.DatetimeIndex(bars[SESSION]))
    cells[at[at >= 0], bars[SYMBOL].cat.codes.to_numpy()[at >= 0]] = True
    return cells


def quarantine(given: pd.DataFrame, reasons: np.ndarray) -> pd.DataFrame:
    """Bars set aside, as given, one row a session and symbol."""
    left_out = given[reasons != ""].assign(reason=reasons[reasons != ""])
    listed = left_out[[*ROW, "reason", *BAR_FIELDS]].astype({SYMBOL: "str", "reason": "str"})
    return listed.drop_duplicates(ROW).sort_values(ROW, ignore_index=True)


def long(good: pd.DataFrame) -> pd.DataFrame:
    """Bars indexed by ``schemas.ROW``, sorted, with ``schemas.BAR_FIELDS`` and final."""
    session, days = pd.factorize(good[SESSION], sort=True)
    symbol = good[SYMBOL].cat.codes.to_numpy()
    order = np.lexsort((symbol, session))
    names = pd.Index(good[SYMBOL].cat.categories.astype("str"), name=SYMBOL)
    levels: list[Any] = [pd.DatetimeIndex(days, name=SESSION), names]
    codes: list[Any] = [session[order], symbol[order]]
    index = pd.MultiIndex(levels, codes, names=ROW, verify_integrity=False)
    values = {name: good[name].to_numpy()[order] for name in (*BAR_FIELDS, "final")}
    return pd.DataFrame(values, index=index)
