"""Rules that a bar from a file has to keep.

A bar that breaks one is set aside alone, as it was given; the first rule broken is the reason.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.io.calendar import Calendar
from pipeline.io.providers import EVERY_SYMBOL
from pipeline.io.providers.splits import PRICES
from pipeline.schemas import BAR_FIELDS, ROW, SESSION, SYMBOL

RULES = 1
"""Counts up with every change of a rule, so that files are read again."""

ROUNDING = 1e-6
"""Relative; adjusted prices are stored with seven digits, so a high may lie that far too low."""

DIFFERS = "two bars of one session that differ"


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
