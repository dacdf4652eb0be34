"""Steps overnight that look like splits which nobody applied: refused, or named.

Bars lie sorted by symbol and session. Only steps are looped over: they are few.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd

from pipeline.io.sources.files.splits import CLEAR, Event, nearest_ratio, usual_move
from pipeline.schemas import SESSION, SYMBOL

NEAR = 0.06
USUAL = np.log(3.0)
"""A day's volume within a third and the triple of the usual one is nothing special."""
VOLUME_BARS = 20
WIDE_RANGE = 0.2
MIN_STEP = 0.6
"""Logarithm; below it, from 1.8 times down, small ratios are looked for, and nearer by."""

THREE_FOR_TWO = 0.025
SMALL = tuple(
    up
    for part in ("11/10", "6/5", "5/4", "4/3", "7/5", "3/2", "8/5", "5/3", "7/4", "9/5")
    for up in (float(Fraction(part)), float(1 / Fraction(part)))
)
SMALL_WITHIN = 0.025
USUAL_OF_SMALL = np.log(1.7)
SMALLEST, REFUSED = np.log(1.09), np.log(1.18)
"""Smaller steps are lost among ordinary moves; up to the second they are named and stay."""

CALM_RANGE = 2.0
"""Times the usual range of a day: on the day of a split it is not wider, on one of news it is.

With usual volume, and net of what all symbols did overnight, no step of 500 US stocks from 2010 to
2023 is so calm.
"""

YEAR, ALONE = 250, 1.5
"""Bars before, whose largest overnight move it exceeds by so much: many small companies move so."""

MANY_SYMBOLS = 10
ENOUGH_MOVES = 5
SHOWN = 10


@dataclass(frozen=True)
class _Bars:
    """Columns of bars as arrays, the place of each symbol's first bar, and ratios applied."""

    names: np.ndarray
    sessions: np.ndarray
    open: np.ndarray
    close: np.ndarray
    range: np.ndarray
    volume: np.ndarray
    same: np.ndarray
    starts: np.ndarray
    applied: Mapping[tuple[str, np.datetime64], float]

    @classmethod
    def of(cls, bars: pd.DataFrame, applied: Mapping[tuple[str, np.datetime64], float]) -> _Bars:
        codes = bars[SYMBOL].cat.codes.to_numpy()
        same = np.append(False, codes[1:] == codes[:-1])[: len(codes)]
        names = bars[SYMBOL].cat.categories.astype("str").to_numpy()[codes]
        high, low = (np.log(bars[name].to_numpy()) for name in ("high", "low"))
        session, opens, closes, volume = (
            bars[name].to_numpy() for name in (SESSION, "open", "close", "volume")
        )
        starts = np.flatnonzero(~same)
        return cls(names, session, opens, closes, high - low, volume, same, starts, applied)

    @property
    def step(self) -> np.ndarray:
        """Close before over open; 1 on a symbol's first bar."""
        return np.where(self.same, np.roll(self.close, 1) / self.open, 1.0)

    def first(self, at: int, bars: int) -> int:
        """Place of the bar so many before, or of the symbol's first."""
        start = self.starts[np.searchsorted(self.starts, at, side="right") - 1]
        return max(int(start), at - bars)

    def day(self, at: int) -> str:
        return str(np.datetime_as_string(self.sessions[at], unit="D"))


def seams(
    bars: pd.DataFrame, sure: Iterable[Event], applied: Iterable[Event] = ()
) -> tuple[dict[str, str], list[str]]:
    """Symbols with a step overnight that looks like a split; in words, smaller steps that stay.

    The step is near a whole number of any size, or a ratio of `SMALL`; that day's range is
    ordinary; and its volume is the usual one, in shares or in money. News that move a price so far
    bring far more volume.

    Parameters
    ----------
    bars
        Good ones, sorted by symbol and session.
    sure
        Events that are settled; a ratio of 1 says that the move was real. One of a column that the
        prices contradict settles nothing.
    applied
        Events whose ratio the bars have in; what is left of the step is looked at as any other.
    """
    if bars.empty:
        return {}, []
    settled = {(event.symbol, event.session) for event in sure}
    done = {(event.symbol, event.session): event.ratio for event in applied}
    held = _Bars.of(bars, done)
    refused = dict(_large(held, settled))
    small, named = _small(held, settled, refused)
    return {**small, **refused}, named


def _large(held: _Bars, settled: set[tuple[str, np.datetime64]]) -> Iterable[tuple[str, str]]:
    """By a whole number, or three for two."""
    step = held.step
    nearest = nearest_ratio(step)
    size, off = np.abs(np.log(step)), np.abs(np.log(step / nearest))
    is_small = np.abs(np.log(nearest)) < MIN_STEP
    jumps = np.where(
        is_small, (off < THREE_FOR_TWO) & (size > 0.3), (off < NEAR) & (size > MIN_STEP)
    )
    jumps &= np.expm1(held.range) <= WIDE_RANGE
    unclear: dict[str, str] = {}
    for at in np.flatnonzero(jumps):
        name = held.names[at]
        is_settled = name in unclear or (name, held.sessions[at]) in settled
        if not is_settled and _is_usual_volume(held, int(at), nearest[at]):
            unclear[name] = _both_readings(held, int(at), _round(step[at], nearest[at]))
    return unclear.items()


def _small(
    held: _Bars, settled: set[tuple[str, np.datetime64]], refused: Container[str]
) -> tuple[dict[str, str], list[str]]:
    """By a ratio of `SMALL`, net of what all symbols did that night."""
    step = np.log(held.step) + _overnight_of_all(held)
    ratios = np.log(np.array(SMALL))
    likely = np.flatnonzero((np.abs(step) > SMALLEST) & (np.abs(step) < MIN_STEP) & held.same)
    unclear: dict[str, str] = {}
    named: list[str] = []
    for at in map(int, likely):
        off = np.abs(step[at] - ratios)
        ratio = float(np.exp(ratios[off.argmin()]))
        name = str(held.names[at])
        is_known = name in refused or (name, held.sessions[at]) in settled
        if off.min() > SMALL_WITHIN or is_known:
            continue
        usual = max(_usual(held, at, 60), _usual(held, at, 20))
        if abs(step[at]) <= CLEAR * usual or not _is_usual_volume(held, at, ratio):
            continue
        year = np.abs(step[held.first(at, YEAR) + 1 : at])
        is_alone = abs(step[at]) > ALONE * year.max()
        if abs(step[at]) > REFUSED and is_alone and _is_calm(held, at):
            unclear.setdefault(name, _both_readings(held, at, ratio))
        else:
            named.append(f"{name},{held.day(at)},{ratio:.9g}")
    if not named:
        return unclear, []
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return unclear, [
        f"{len(named)} overnight moves by a ratio of small splits in usual volume, taken as real; "
        f"a line of data.splits_path makes one a split: {' '.join(named[:SHOWN])}{more}"
    ]


def _overnight_of_all(held: _Bars) -> np.ndarray:
    """The median move of all symbols into each bar's session; 0 where they are few. Logarithm."""
    moves = pd.Series(np.where(held.same, -np.log(held.step), np.nan))
    if len(held.starts) < MANY_SYMBOLS:
        return np.zeros(len(moves))
    grouped = moves.groupby(held.sessions)
    enough = grouped.transform("count") >= MANY_SYMBOLS
    return np.asarray(grouped.transform("median").where(enough, 0.0).fillna(0.0))


def _usual(held: _Bars, at: int, bars: int) -> float:
    """The usual overnight move before a bar; infinite where there are too few."""
    start = held.first(at, bars)
    if at - start - 1 < ENOUGH_MOVES:
        return np.inf
    return usual_move(held.open[start:at], held.close[start:at])


def _is_calm(held: _Bars, at: int) -> bool:
    before = held.range[held.first(at, VOLUME_BARS) : at]
    return bool(held.range[at] <= CALM_RANGE * np.median(before))


def _is_usual_volume(held: _Bars, at: int, ratio: float) -> bool:
    bound = USUAL_OF_SMALL if abs(np.log(ratio)) < MIN_STEP else USUAL
    usual = float(np.median(held.volume[held.first(at, VOLUME_BARS) : at]))
    today = float(held.volume[at])
    if not (usual > 0 and today > 0):
        return True
    return bool(min(abs(np.log(today / usual)), abs(np.log(today / usual / ratio))) < bound)


def _round(step: float, nearest: float) -> float:
    """The roundest whole number within 3 % of a step by more than ten times, else the nearest."""
    upward = max(step, 1 / step)
    if upward <= 10:
        return float(nearest)
    for unit in (1000, 500, 100, 50, 25, 10, 5):
        number = round(upward / unit) * unit
        if number and abs(np.log(number / upward)) < 0.03:
            return float(number if step > 1 else 1 / number)
    return float(nearest)


def _both_readings(held: _Bars, at: int, ratio: float) -> str:
    name, day = held.names[at], held.day(at)
    before, open_ = held.close[at - 1], held.open[at]
    part = Fraction(float(ratio)).limit_denominator(2000 if ratio < 0.5 else 10)
    split = f"{part.denominator}:{part.numerator}" + ("" if ratio > 1 else " reverse")
    done = held.applied.get((str(name), held.sessions[at]), 1.0)
    beside = "" if done == 1 else f" beside the {done:g} of its column"
    pence = ", or pence for pounds" if round(max(ratio, 1 / ratio)) == 100 else ""
    return (
        f"{day}: open {open_:g} after close {before:g} is a split {split} that was not applied "
        f"before it{beside}{pence}, or a move of {100 * (open_ / before - 1):+.0f} %; needed: "
        f"data.splits_path with a line {name},{day},{ratio * done:.9g} (with the ratio that was "
        f"announced; or ,{done:.9g} where the move is real)"
    )
