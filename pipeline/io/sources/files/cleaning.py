"""Rules that a bar from a file has to keep.

A bar that breaks one is quarantined alone, as it was given; the first rule broken is the reason.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.io.calendar import Calendar
from pipeline.io.sources.bar_rules import PRICES, ROUNDING, broken, first_broken
from pipeline.io.sources.protocol import EVERY_SYMBOL
from pipeline.schemas import BAR_FIELDS, ROW, SESSION, SYMBOL

RULES = 8
"""Counts up with every change of a rule, so that files are read again."""

CENTS = 0.00501
"""Prices of one bar that differ by no more were rounded to cents in one place."""

LATE_VOLUME = 0.05
"""Share by which the volume of a session may grow after its close."""

FUTURE = "dated in the future"
FILLED = "forward fill: a day without session repeats the bar before"
AT_NO_SESSION = (FUTURE, FILLED, "empty row")
"""Rules by which no session of the symbol is lost."""

UNREADABLE = "a text that is no number"
DIFFERS = "two bars of one session that differ"


def faults(
    bars: pd.DataFrame,
    calendar: Calendar,
    *,
    is_index: bool,
    adjusts: bool,
) -> np.ndarray:
    """Why each bar is quarantined, "" where it is good.

    Parameters
    ----------
    bars
        Sorted by symbol and session: session, symbol, ``schemas.BAR_FIELDS``, adjusted_close, and
        whether one of its texts was unreadable.
    calendar
        Up to today: no later bar can be known.
    is_index
        Whether the bars are of indices, which may lack volume.
    adjusts
        Whether the adjusted close is needed.
    """
    prices = bars[list(PRICES)].to_numpy()
    volume = bars["volume"].to_numpy()
    days = bars[SESSION].to_numpy()
    is_session = calendar.has(days)
    unreadable = bars["unreadable"].to_numpy()
    again, alike, differs = _duplicates(bars)
    common = broken(bars)
    with np.errstate(invalid="ignore"):
        rules = {
            UNREADABLE: unreadable,
            DIFFERS: differs,
            "row given twice, kept once": again,
            "row given twice, alike within rounding, kept once": alike,
            FUTURE: days > np.datetime64(calendar.last),
            f"before {calendar.name} is known, from {calendar.begins:%Y-%m-%d} on": days
            < np.datetime64(calendar.begins),
            f"after {calendar.name} is known, up to {calendar.ends:%Y-%m-%d}": days
            > np.datetime64(calendar.ends),
            FILLED: ~is_session & repeats(bars),
            f"no session of {calendar.name}": ~is_session,
            "empty row": np.isnan(prices).all(axis=1),
            "price missing": common.pop("price missing"),
            "volume missing": np.isnan(volume) & (not is_index),
            "price not positive": common.pop("price not positive"),
            "price not finite": np.isinf(prices).any(axis=1),
            "volume not finite": np.isinf(volume),
            "volume negative": volume < 0,
            **common,
            "adjusted close missing": ~(bars["adjusted_close"].to_numpy() > 0) & adjusts,
            "no trading: one price and no volume": (volume == 0)
            & (bars["high"] == bars["low"]).to_numpy()
            & (not is_index),
        }
    return first_broken(rules, len(bars))


def _duplicates(bars: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of a session to leave out: repeated ones, those alike within rounding, all that differ.

    Of rows that are alike the one with the largest volume stays, as the later download. A row that
    lacks a price says nothing against another one.
    """
    again, alike, differs = (np.zeros(len(bars), dtype=bool) for _ in range(3))
    whole = ~bars["unreadable"].to_numpy() & bars[list(PRICES)].notna().all(axis=1).to_numpy()
    places = np.flatnonzero(whole)
    codes, sessions = bars[SYMBOL].cat.codes.to_numpy()[places], bars[SESSION].to_numpy()[places]
    same = np.zeros(len(places), dtype=bool)
    same[1:] = (codes[1:] == codes[:-1]) & (sessions[1:] == sessions[:-1])
    if not same.any():
        return again, alike, differs
    group = np.cumsum(~same)
    several = np.isin(group, group[same])
    rows, group = places[several], group[several]
    values = bars.iloc[rows][list(BAR_FIELDS)].reset_index(drop=True)
    values["volume"] = values["volume"].replace(0.0, np.nan)  # says nothing against another one
    lowest, highest = values.groupby(group).min(), values.groupby(group).max()
    spread = (highest - lowest)[list(PRICES)]
    cents = np.minimum(CENTS, 0.01 * highest[list(PRICES)]) + ROUNDING * highest[list(PRICES)]
    is_alike = (spread <= cents).all(axis=1)
    is_alike &= ~((highest["volume"] - lowest["volume"]) > LATE_VOLUME * highest["volume"])
    is_same = (spread == 0).all(axis=1) & ~(highest["volume"] > lowest["volume"])
    first = pd.Series(rows).groupby(group).first()
    chosen = values["volume"].fillna(-1).groupby(group).idxmax().map(lambda at: rows[at])
    stays = rows == np.where(is_same, first, chosen)[group_places(group)]
    alike_row, same_row = is_alike.loc[group].to_numpy(), is_same.loc[group].to_numpy()
    again[rows] = same_row & ~stays
    alike[rows] = alike_row & ~same_row & ~stays
    differs[rows] = ~alike_row
    return again, alike, differs


def group_places(group: np.ndarray) -> np.ndarray:
    """Place of each row's group among the groups, in order."""
    return np.unique(group, return_inverse=True)[1]


def repeats(bars: pd.DataFrame) -> np.ndarray:
    """Whether a row has the prices of the row before, and its volume or none."""
    is_repeat = np.array(bars[SYMBOL].cat.codes.diff() == 0)
    for name in PRICES:
        values = bars[name].to_numpy()
        is_repeat[1:] &= (values[1:] == values[:-1]) | (
            np.isnan(values[1:]) & np.isnan(values[:-1])
        )
    volume = np.nan_to_num(bars["volume"].to_numpy())
    is_repeat[1:] &= (volume[1:] == volume[:-1]) | (volume[1:] == 0)
    return is_repeat


def gaps(
    given: pd.DataFrame, good: pd.DataFrame, calendar: Calendar, *, is_index: bool
) -> pd.DataFrame:
    """Sessions without any good bar, and sessions inside a symbol's life without a bar of it.

    A bar that was quarantined was given, and is no gap of its symbol. A session that indices lack
    is one of each of them: stocks may have it.
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
    whole["reason"] = np.where(given_then, "session quarantined", "session missing")
    return pd.concat([whole, single.astype({SYMBOL: "str"})]).sort_values(ROW, ignore_index=True)


def _cells(bars: pd.DataFrame, sessions: pd.DatetimeIndex, width: int) -> np.ndarray:
    cells = np.zeros((len(sessions), width), dtype=bool)
    at = sessions.get_indexer(pd.DatetimeIndex(bars[SESSION]))
    cells[at[at >= 0], bars[SYMBOL].cat.codes.to_numpy()[at >= 0]] = True
    return cells


def quarantine(given: pd.DataFrame, reasons: np.ndarray) -> pd.DataFrame:
    """Quarantined bars, as given, one row a session and symbol."""
    left_out = given[reasons != ""].assign(reason=reasons[reasons != ""])
    listed = left_out[[*ROW, "reason", *BAR_FIELDS]].astype({SYMBOL: "str", "reason": "str"})
    return listed.drop_duplicates(ROW).sort_values(ROW, ignore_index=True)


def lost(given: pd.DataFrame, good: pd.DataFrame, reasons: np.ndarray) -> list[str]:
    """Symbols whose newest session is quarantined, by name and rule."""
    known = np.ones(len(reasons), dtype=bool)
    odd = np.flatnonzero(reasons != "")
    known[odd] = [
        why not in AT_NO_SESSION and not why.startswith("no session of") for why in reasons[odd]
    ]
    newest = given[SESSION][known].groupby(given[SYMBOL][known], observed=True).max()
    newest_good = good[SESSION].groupby(good[SYMBOL], observed=True).max().reindex(newest.index)
    shown = []
    for name, day in newest[~(newest_good >= newest)].items():
        rows = ((given[SYMBOL] == name) & (given[SESSION] == day)).to_numpy()
        shown.append(f"{name} {day:%Y-%m-%d} ({reasons[rows][0]})")
    return [f"newest session quarantined: {', '.join(shown)}"] if shown else []


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
