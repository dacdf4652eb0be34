"""Bars that are no bars of their symbol for a moment: what the next session takes back is no move.

Each rule names its bound; the quarantine has the bar itself. A person overrules one of them by
``data.accept`` with symbol and session.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.io.sources.bar_rules import PRICES
from pipeline.schemas import SYMBOL

PRINT = 2.5
"""A high so many times above the open and close, and above its neighbours' highs, is no trade."""

WHOLE_BAR = 1.5
"""A whole bar so many times above or below both neighbours is of something else."""

RUNS = {1: 2.0, 2: 3.0, 3: 5.0, 4: 5.0, 5: 5.0}
"""By sessions in a row: the factor of a move that is taken back within `back`.

None of these bounds finds a bar among the 1.6 million of 500 US stocks from 2010 to 2023.
"""

BACK = 1.5
BACK_OF_SMALL = 1.25
"""Of moves by less than three times, of which a half is often real."""

UNCONFIRMED = 5.0
"""A move of the newest bar by so many times waits for the next session."""

HIGH = f"high more than {PRINT:g} times above the bar's other prices and its neighbours'"
LOW = f"low more than {PRINT:g} times below the bar's other prices and its neighbours'"
BAR = f"a bar more than {WHOLE_BAR:g} times off the sessions before and after it"
OPEN = f"an open more than {RUNS[1]:g} times off the close before and its own close"
NEWEST = f"a move by more than {UNCONFIRMED:g} times that no later session confirms yet"
FIRST = f"a first bar more than {UNCONFIRMED:g} times off the two after it"


def back(factor: float) -> float:
    """How near to where it began a move by this factor has to end to be none."""
    return BACK if factor >= 3 else BACK_OF_SMALL


def moved(factor: float, sessions: int) -> str:
    """The rule that a move by this factor, taken back after so many sessions, breaks."""
    many = "session takes" if sessions == 1 else f"{sessions} sessions take"
    return f"a move by more than {factor:g} times that the next {many} back"


REASONS = frozenset({HIGH, LOW, BAR, OPEN, NEWEST, FIRST, *(moved(f, n) for n, f in RUNS.items())})
"""Rules that a person overrules by ``data.accept``."""


def spikes(bars: pd.DataFrame) -> np.ndarray:
    """Why each bar is none of its symbol, "" where it may be one.

    Parameters
    ----------
    bars
        Good ones, sorted by symbol and session and adjusted for splits: symbol, open, high, low,
        close.
    """
    every = bars[SYMBOL].cat.codes.to_numpy()
    whole = {name: np.log(bars[name].to_numpy(dtype="float64")) for name in PRICES}
    some = _restless(every, whole)
    codes, logs = every[some], {name: values[some] for name, values in whole.items()}
    reasons = np.full(len(codes), "", dtype=object)
    all_reasons = np.full(len(bars), "", dtype=object)
    if len(codes) < 2:
        return all_reasons
    _mark_newest(reasons, codes, logs)
    _mark_first(reasons, codes, logs)
    _mark_whole_bars(reasons, codes, logs)
    for length, factor in RUNS.items():
        _mark_runs(reasons, codes, logs["close"], length, factor)
    _mark_opens(reasons, codes, logs)
    _mark_prints(reasons, codes, logs)
    all_reasons[some] = reasons
    return all_reasons


def _restless(codes: np.ndarray, logs: dict[str, np.ndarray]) -> np.ndarray:
    """Rows of symbols with any move that a rule looks at; most have none."""
    lowest = np.log(WHOLE_BAR)
    moves = logs["high"] - logs["low"] > lowest
    moves[1:] |= np.abs(np.diff(logs["close"])) > lowest
    moves[1:] |= np.abs(logs["open"][1:] - logs["close"][:-1]) > lowest
    moves[1:] &= (codes[1:] == codes[:-1]) | (logs["high"] - logs["low"] > lowest)[1:]
    return np.isin(codes, np.unique(codes[moves]))


def _shifted(values: np.ndarray, codes: np.ndarray, by: int) -> np.ndarray:
    """Values `by` rows later in the same symbol (earlier: negative); NaN where there is none."""
    other = np.full(len(values), np.nan)
    if by > 0:
        other[:-by] = np.where(codes[by:] == codes[:-by], values[by:], np.nan)
    else:
        other[-by:] = np.where(codes[:by] == codes[-by:], values[:by], np.nan)
    return other


def _mark_newest(reasons: np.ndarray, codes: np.ndarray, logs: dict[str, np.ndarray]) -> None:
    previous = _shifted(logs["close"], codes, -1)
    is_last = np.append(codes[1:] != codes[:-1], True)
    jump = np.abs(logs["open"] - previous) > np.log(UNCONFIRMED)
    jump |= np.abs(logs["close"] - logs["open"]) > np.log(UNCONFIRMED)
    reasons[is_last & jump] = NEWEST


def _mark_first(reasons: np.ndarray, codes: np.ndarray, logs: dict[str, np.ndarray]) -> None:
    """A first bar of another company or another scale: without it nothing is at another level."""
    is_first = np.append(True, codes[1:] != codes[:-1])
    following, second, third = (
        _shifted(logs[name], codes, by) for name, by in (("open", 1), ("close", 1), ("close", 2))
    )
    with np.errstate(invalid="ignore"):
        jump = np.abs(following - logs["close"]) > np.log(UNCONFIRMED)
        settled = np.abs(third - second) < np.log(back(UNCONFIRMED))
        settled &= np.abs(second - following) < np.log(back(UNCONFIRMED))
    reasons[is_first & jump & settled] = FIRST


def _mark_whole_bars(reasons: np.ndarray, codes: np.ndarray, logs: dict[str, np.ndarray]) -> None:
    """A bar that lies off both neighbours as a whole, in the same direction."""
    before, after = _shifted(logs["close"], codes, -1), _shifted(logs["open"], codes, 1)
    bound = np.log(WHOLE_BAR)
    with np.errstate(invalid="ignore"):
        above = (logs["low"] - before > bound) & (logs["low"] - after > bound)
        below = (before - logs["high"] > bound) & (after - logs["high"] > bound)
        back = np.abs(after - before) < np.log(1.2)
    reasons[(above | below) & back] = BAR


def _mark_runs(
    reasons: np.ndarray, codes: np.ndarray, close: np.ndarray, length: int, factor: float
) -> None:
    """Closes that leave their level by a factor for some sessions and come back to it."""
    before = _shifted(close, codes, -1)
    after = _shifted(close, codes, length)
    with np.errstate(invalid="ignore"):
        is_back = np.abs(after - before) < np.log(back(factor))
        for sign in (1, -1):
            off = is_back.copy()
            for place in range(length):
                here = close if place == 0 else _shifted(close, codes, place)
                low = np.where(sign > 0, np.maximum(before, after), np.minimum(before, after))
                off &= sign * (here - low) > np.log(factor)
            for place in range(length):
                rows = np.flatnonzero(off) + place
                free = rows[reasons[rows] == ""]
                reasons[free] = moved(factor, length)


def _mark_opens(reasons: np.ndarray, codes: np.ndarray, logs: dict[str, np.ndarray]) -> None:
    """An open far above or below the close before, which the same session takes back."""
    before, open_, close = _shifted(logs["close"], codes, -1), logs["open"], logs["close"]
    bound = np.log(RUNS[1])
    with np.errstate(invalid="ignore"):
        is_back = np.abs(close - before) < np.log(back(RUNS[1]))
        above = (open_ - before > bound) & (open_ - close > bound)
        below = (before - open_ > bound) & (close - open_ > bound)
    reasons[(above | below) & is_back & (reasons == "")] = OPEN


def _mark_prints(reasons: np.ndarray, codes: np.ndarray, logs: dict[str, np.ndarray]) -> None:
    """A high or low alone that nothing around it comes near to."""
    bound = np.log(PRINT)
    body_top = np.maximum(logs["open"], logs["close"])
    body_bottom = np.minimum(logs["open"], logs["close"])
    before, after = (_shifted(logs["high"], codes, by) for by in (-1, 1))
    top = np.fmax(np.fmax(before, after), body_top)
    before, after = (_shifted(logs["low"], codes, by) for by in (-1, 1))
    bottom = np.fmin(np.fmin(before, after), body_bottom)
    for name, off in (
        (HIGH, (logs["high"] - body_top > bound) & (logs["high"] - top > bound)),
        (LOW, (body_bottom - logs["low"] > bound) & (bottom - logs["low"] > bound)),
    ):
        reasons[off & (reasons == "")] = name
