"""Splits: those that files or people name, and those that nobody applied.

Bars lie sorted by symbol and session, so that a symbol is one slice and what stands before an event
is the part of it up to one place. Only events are looped over: they are few.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.schemas import SESSION, SYMBOL

PRICES = ("open", "high", "low", "close")
RATIOS = np.array([2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 20, 25, 30, 40, 50, 100], dtype=float)
"""New shares for one old share; the inverse for reverse splits."""

VISIBLE = np.log(1.2)
"""A split below six for five is lost among ordinary overnight moves."""

NEAR = 0.06
USUAL = np.log(3.0)
"""A day's volume within a third and the triple of the usual one is nothing special."""
VOLUME_BARS = 20
WIDE_RANGE = 0.2


@dataclass(frozen=True)
class Event:
    """A split: `ratio` new shares for one old share from `session` on."""

    symbol: str
    session: np.datetime64
    ratio: float
    sure: bool = False

    def __str__(self) -> str:
        return f"{self.symbol} {np.datetime_as_string(self.session, unit='D')} {self.ratio:g}"


def events(bars: pd.DataFrame, said: Iterable[Event]) -> list[Event]:
    """Splits of the split column, else those that the adjusted close implies, and those said.

    Parameters
    ----------
    bars
        Sorted by symbol and session: symbol, session, close, split and adjusted_close (or NaN).
    """
    said = list(said)
    named = bars["split"].notna().groupby(bars[SYMBOL], observed=True).transform("any").to_numpy()
    ratios = np.where(named, bars["split"], implied(bars))
    happened = np.isfinite(ratios) & (ratios > 0) & (ratios != 1)
    known = {(event.symbol, event.session) for event in said}
    rows = zip(
        bars[SYMBOL][happened], bars[SESSION].to_numpy()[happened], ratios[happened], strict=True
    )
    found = [Event(str(s), session, float(r)) for s, session, r in rows]
    return said + [event for event in found if (event.symbol, event.session) not in known]


def implied(bars: pd.DataFrame) -> np.ndarray:
    """Split ratio of each bar by the step of adjusted close over close; NaN where there is none."""
    factor = (bars["adjusted_close"] / bars["close"]).to_numpy()
    same = (bars[SYMBOL] == bars[SYMBOL].shift()).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(same, factor / np.roll(factor, 1), np.nan)
        nearest = nearest_ratio(step)
        return np.where(np.abs(np.log(step / nearest)) < 0.02, nearest, np.nan)


def nearest_ratio(step: np.ndarray) -> np.ndarray:
    """The ratio of a usual split, or of a reverse one, that is next to a step of the price."""
    every = np.sort(np.concatenate([RATIOS, 1.5 * np.ones(1), 1 / RATIOS]))
    at = np.searchsorted(np.sqrt(every[1:] * every[:-1]), step)
    return np.where(np.isfinite(step), every[at], np.nan)


def apply(bars: pd.DataFrame, found: Iterable[Event]) -> tuple[pd.DataFrame, list[Event]]:
    """Bars with prices before each split divided by its ratio and volumes multiplied by it.

    An event whose jump the prices do not show is in them already, unless it is sure. One too small
    to be seen goes with the symbol's others; without others it counts as applied.

    Returns
    -------
    bars
        A copy.
    applied
        The events that were.
    """
    found = list(found)
    if not found:
        return bars, []
    starts = bars.groupby(SYMBOL, observed=True).size().cumsum()
    ends = {str(name): int(end) for name, end in starts.items()}
    sizes = {str(name): int(n) for name, n in bars.groupby(SYMBOL, observed=True).size().items()}
    sessions = bars[SESSION].to_numpy()
    values = {name: bars[name].to_numpy(copy=True) for name in (*PRICES, "volume")}
    placed = []
    for event in found:
        end = ends.get(event.symbol, 0)
        start = end - sizes.get(event.symbol, 0)
        place = start + int(np.searchsorted(sessions[start:end], event.session))
        if start < place < end:
            jump = np.log(bars["close"].to_numpy()[place - 1] / bars["open"].to_numpy()[place])
            placed.append((event, start, place, abs(jump - np.log(event.ratio)) < abs(jump)))
    seen = {e.symbol for e, _, _, is_seen in placed if is_seen and abs(np.log(e.ratio)) >= VISIBLE}
    applied = []
    for event, start, place, is_seen in placed:
        visible = abs(np.log(event.ratio)) >= VISIBLE
        if event.sure or (is_seen if visible else event.symbol in seen):
            for name in PRICES:
                values[name][start:place] /= event.ratio
            values["volume"][start:place] *= event.ratio
            applied.append(event)
    return bars.assign(**values), [event for event in applied if event.ratio != 1]


def seams(bars: pd.DataFrame, known: Iterable[Event]) -> dict[str, str]:
    """Symbols with a jump overnight that looks like a split which nobody applied.

    The jump is by the ratio of a usual split, within 6 %; that day's range is ordinary; and its
    volume is the usual one, in shares or in money. News that halve a price bring far more volume.

    Parameters
    ----------
    known
        Events that are settled; a ratio of 1 says that the move was real.
    """
    settled = {(event.symbol, event.session) for event in known}
    close, open_ = bars["close"].to_numpy(), bars["open"].to_numpy()
    previous = np.roll(close, 1)
    step = np.where((bars[SYMBOL] == bars[SYMBOL].shift()).to_numpy(), previous / open_, 1.0)
    nearest = nearest_ratio(step)
    wide = (bars["high"] - bars["low"]).to_numpy() / open_ > WIDE_RANGE
    jumps = (np.abs(np.log(step / nearest)) < NEAR) & (np.abs(np.log(step)) > 0.6) & ~wide
    symbols, sessions = bars[SYMBOL], bars[SESSION].to_numpy()
    found: dict[str, str] = {}
    for at in np.flatnonzero(jumps):
        name = str(symbols.iloc[at])
        if (name, sessions[at]) in settled or not _is_usual_volume(bars, int(at), nearest[at]):
            continue
        day = np.datetime_as_string(sessions[at], unit="D")
        ratio = nearest[at]
        split = f"1:{ratio:g}" if ratio > 1 else f"{1 / ratio:g}:1 reverse"
        found.setdefault(
            name,
            f"{day}: open {open_[at]:g} after close {previous[at]:g} is a split {split} that was "
            f"not applied before it, or a move of {100 * (1 / step[at] - 1):+.0f} %; needed: "
            f"data.splits_path with a line {name},{day},{ratio:g} (or ,1 where the move is real)",
        )
    return found


def _is_usual_volume(bars: pd.DataFrame, at: int, ratio: float) -> bool:
    name = bars[SYMBOL].iloc[at]
    before = bars.iloc[max(at - VOLUME_BARS, 0) : at]
    usual = before["volume"][(before[SYMBOL] == name).to_numpy()].median()
    today = bars["volume"].iloc[at]
    if not (usual > 0 and today > 0):
        return True
    return bool(min(abs(np.log(today / usual)), abs(np.log(today / usual / ratio))) < USUAL)
