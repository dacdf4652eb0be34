"""Splits that files or people name; those that nobody applied are found in `seams`.

Bars lie sorted by symbol and session, so that a symbol is one slice and what stands before an event
is the part of it up to one place. Only events are looped over: they are few.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.io.sources.bar_rules import PRICES
from pipeline.io.sources.protocol import no_actions
from pipeline.schemas import ROW, SESSION, SYMBOL

VISIBLE = np.log(1.2)
"""A split below six for five is lost among ordinary overnight moves."""

CLEAR = 6.0
"""A step so many times the usual overnight move is distinguished from none: it errs once in 700
times."""

LARGE_PAYMENT = 0.1
"""Of the price: a dividend or spin-off that is named."""

SEEN_PAYMENT, ROUNDED = 5e-4, 0.012
"""Of the price, and of a share's currency: the adjusted close steps by more where one is paid, and
by no more where two of them were rounded to cents."""


@dataclass(frozen=True)
class Event:
    """A split: `ratio` new shares for one old share from `session` on."""

    symbol: str
    session: np.datetime64
    ratio: float
    sure: bool = False

    def __str__(self) -> str:
        return f"{self.symbol} {np.datetime_as_string(self.session, unit='D')} {self.ratio:g}"


def events(bars: pd.DataFrame, given: Iterable[Event]) -> list[Event]:
    """Splits of the split column, else those that the adjusted close implies, and those given.

    Parameters
    ----------
    bars
        Sorted by symbol and session: symbol, session, close, split and adjusted_close (or NaN).
    """
    given = list(given)
    named = bars["split"].notna().groupby(bars[SYMBOL], observed=True).transform("any").to_numpy()
    ratios = np.where(named, bars["split"], implied(bars))
    happened = np.isfinite(ratios) & (ratios > 0) & (ratios != 1)
    known = {(event.symbol, event.session) for event in given}
    rows = zip(
        bars[SYMBOL][happened], bars[SESSION].to_numpy()[happened], ratios[happened], strict=True
    )
    listed = {(str(s), session): Event(str(s), session, float(r)) for s, session, r in rows}
    return given + [event for key, event in listed.items() if key not in known]


def implied(bars: pd.DataFrame) -> np.ndarray:
    """Split ratio of each bar by the step of adjusted close over close; NaN where there is none."""
    step = _factor_steps(bars)
    nearest = nearest_ratio(step)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(np.log(step / nearest)) < 0.02, nearest, np.nan)


def payments(bars: pd.DataFrame, known: Iterable[Event]) -> list[str]:
    """Special dividends and spin-offs in words: what prices are not adjusted for.

    They are named where a column of dividends or the adjusted close shows them.
    """
    events_of = {(event.symbol, event.session) for event in known}
    previous = bars["close"].shift().to_numpy()
    same = (bars[SYMBOL] == bars[SYMBOL].shift()).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        paid = np.where(same, bars["dividend"].to_numpy() / previous, np.nan)
        step = 1 - 1 / _factor_steps(bars)
    part = np.where(paid > 0, paid, step)
    large = np.flatnonzero((part > LARGE_PAYMENT) & (part < 1))
    shown = []
    for at in large:
        name, day = str(bars[SYMBOL].iloc[at]), bars[SESSION].to_numpy()[at]
        if (name, day) not in events_of:
            shown.append(f"{name} {np.datetime_as_string(day, unit='D')} {100 * part[at]:.0f} %")
    if not shown:
        return []
    more = f" and {len(shown) - 10} more" if len(shown) > 10 else ""
    return [
        "special dividends or spin-offs, which prices are not adjusted for: "
        f"{', '.join(shown[:10])}{more}"
    ]


def actions(bars: pd.DataFrame, known: Iterable[Event]) -> pd.DataFrame:
    """What goes ex: dividends that a column names or the adjusted close shows, and these splits.

    Parameters
    ----------
    bars
        Sorted by symbol and session, as given: symbol, session, close, dividend, adjusted_close.

    Returns
    -------
    DataFrame
        As of ``protocol.Delivery.actions``.
    """
    adjusted, split_on = bars["adjusted_close"].to_numpy(), {(e.symbol, e.session) for e in known}
    with np.errstate(invalid="ignore", divide="ignore"):
        part = 1 - 1 / _factor_steps(bars)
        shown = np.where(part > SEEN_PAYMENT + ROUNDED / adjusted, part, np.nan)
    named, previous = bars["dividend"].to_numpy(), bars["close"].shift().to_numpy()
    paid = np.where(named > 0, named, shown * previous)
    paying = np.flatnonzero(paid > 0)
    names, days = bars[SYMBOL].iloc[paying].astype("str"), bars[SESSION].to_numpy()[paying]
    is_split = [pair in split_on for pair in zip(names, days, strict=True)]
    dividends = pd.DataFrame({SESSION: days, SYMBOL: names.to_numpy(), "dividend": paid[paying]})
    ratios = [(event.session, event.symbol, event.ratio) for event in known if event.ratio != 1]
    splits = pd.DataFrame(ratios, columns=[SESSION, SYMBOL, "split"])
    parts = [part for part in (splits, dividends[~np.array(is_split, bool)]) if len(part)]
    return pd.concat([no_actions(), *parts]).sort_values(ROW, ignore_index=True)


def reported(bars: pd.DataFrame, known: Iterable[Event]) -> frozenset[str]:
    """Symbols of which every split is known: by a column, an adjusted close, or an event given.

    Parameters
    ----------
    bars
        Symbol, split and adjusted_close (or NaN).
    """
    named = bars["split"].notna() | bars["adjusted_close"].notna()
    return frozenset(bars[SYMBOL][named].astype("str").unique()) | {e.symbol for e in known}


def _factor_steps(bars: pd.DataFrame) -> np.ndarray:
    """Step of adjusted close over close from the bar before; NaN where there is none."""
    factor = (bars["adjusted_close"] / bars["close"]).to_numpy()
    same = (bars[SYMBOL] == bars[SYMBOL].shift()).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(same, factor / np.roll(factor, 1), np.nan)


def nearest_ratio(step: np.ndarray) -> np.ndarray:
    """The whole number, or 3:2 or 5:2, that is next to a step of the price, forward or reverse."""
    with np.errstate(divide="ignore", invalid="ignore"):
        upward = np.maximum(step, 1 / step)
        near = np.round(2 * upward) / 2
        ratio = np.where(upward < 2.75, np.maximum(near, 1.5), np.round(upward))
        return np.where(np.isfinite(upward), np.where(step >= 1, ratio, 1 / ratio), np.nan)


def apply(
    bars: pd.DataFrame, splits: Iterable[Event]
) -> tuple[pd.DataFrame, list[Event], list[Event]]:
    """Bars with prices before each split divided by its ratio and volumes multiplied by it.

    An event whose jump the prices do not show is in them already, unless it is sure. A small one is
    applied where the adjusted close steps by it, as it does over prices that are not adjusted;
    without an adjusted close, where its step is `CLEAR` times as large as the symbol's usual
    overnight moves, by what prices show; else it goes with the symbol's others.

    Returns
    -------
    bars
        A copy.
    applied
        The events that were.
    unclear
        Small ones that nothing shows: they count as applied in the prices already.
    """
    splits = list(splits)
    if not splits:
        return bars, [], []
    starts = bars.groupby(SYMBOL, observed=True).size().cumsum()
    ends = {str(name): int(end) for name, end in starts.items()}
    sizes = {str(name): int(n) for name, n in bars.groupby(SYMBOL, observed=True).size().items()}
    sessions = bars[SESSION].to_numpy()
    values = {name: bars[name].to_numpy(copy=True) for name in (*PRICES, "volume")}
    placed = []
    for event in splits:
        end = ends.get(event.symbol, 0)
        start = end - sizes.get(event.symbol, 0)
        place = start + int(np.searchsorted(sessions[start:end], event.session))
        if start < place < end:
            jump = np.log(bars["close"].to_numpy()[place - 1] / bars["open"].to_numpy()[place])
            placed.append((event, start, place, abs(jump - np.log(event.ratio)) < abs(jump)))
    seen = {e.symbol for e, _, _, is_seen in placed if is_seen and abs(np.log(e.ratio)) >= VISIBLE}
    steps = np.log(_factor_steps(bars))
    values_of = {name: bars[name].to_numpy() for name in ("open", "close")}
    applied, unclear = [], []
    for event, start, place, is_seen in placed:
        size = abs(np.log(event.ratio))
        if size < VISIBLE:
            end = ends[event.symbol]
            near = slice(max(start, place - 60), min(end, place + 60))
            by_factor = abs(steps[place] - np.log(event.ratio)) < abs(steps[place])
            if np.isfinite(steps[place]):
                is_seen = by_factor
            elif size < CLEAR * usual_move(*(values_of[n][near] for n in ("open", "close"))):
                is_seen = event.symbol in seen
                unclear += [event] if not event.sure and not is_seen else []
        if event.sure or is_seen:
            for name in PRICES:
                values[name][start:place] /= event.ratio
            values["volume"][start:place] *= event.ratio
            applied.append(event)
    return bars.assign(**values), [event for event in applied if event.ratio != 1], unclear


def usual_move(opens: np.ndarray, closes: np.ndarray) -> float:
    """Robust standard deviation of the overnight moves of one symbol's rows; logarithm."""
    moves = np.log(opens[1:] / closes[:-1])
    return 1.4826 * float(np.median(np.abs(moves))) if len(moves) else np.inf
