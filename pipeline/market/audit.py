"""Looks for knowledge of the future: everything made anew from history that is cut.

What is known before session t opens must follow from bars up to t-1, from no more of them than the
stated look-back, and must not depend on what a symbol is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from pipeline.leaks import Checked, compared, together
from pipeline.market.definitions import Feature
from pipeline.market.features import FeatureInputs, known_before, market_closes, snapshots
from pipeline.market.indicators import WARM_UP, first_values, indicators
from pipeline.market.regimes import lookback, moves_of, regimes
from pipeline.schemas import ROW, SYMBOL, UNIVERSE_INDEX, BarPanel, Panel


@dataclass(frozen=True)
class History:
    """What the market layer makes everything of.

    Attributes
    ----------
    bars, index_bars
        Of the stocks and of the indices.
    symbols
        Index symbol; columns exchange and sector.
    short_sessions
        Sessions that close early, by the exchange's calendar.
    """

    bars: BarPanel
    index_bars: BarPanel
    symbols: pd.DataFrame
    short_sessions: pd.DatetimeIndex | None = None

    def before(self, session: pd.Timestamp) -> History:
        """Nothing of the session or later, and no symbol that had no bar until then."""
        known = _until(self.bars, session)
        listed = known.symbols[known.close.notna().any()]
        return replace(
            self,
            bars=known.loc(slice(None), listed),
            index_bars=_until(self.index_bars, session),
            symbols=self.symbols.reindex(listed),
        )

    def newest(self, count: int) -> History:
        """The last `count` sessions."""
        return replace(
            self,
            bars=self.bars.loc(self.bars.sessions[-count:]),
            index_bars=self.index_bars.loc(self.index_bars.sessions[-count:]),
        )

    def renamed(self, names: Mapping[str, str]) -> History:
        """Every symbol under another name, in the order of `names`."""
        order = pd.Index(list(names))
        bars = self.bars.loc(slice(None), order)
        for frame in (bars.open, bars.high, bars.low, bars.close, bars.volume):
            frame.columns = frame.columns.map(names).rename(SYMBOL)
        return replace(self, bars=bars, symbols=self.symbols.reindex(order).rename(index=names))


Calculation = Callable[[History, pd.Timestamp], pd.DataFrame]
"""What is known at the open of a session, from the history before it: a long frame."""

Rows = Mapping[pd.Timestamp, pd.DataFrame]
"""Long frames by the session at whose open they are known."""


@dataclass(frozen=True)
class Recalculation:
    """Indicators, regimes and snapshots as the stages make them, in one go from bars alone.

    Attributes
    ----------
    index
        The index that regimes come from.
    limits, selection
        Keyword arguments of `regimes.regimes` and of `features.snapshots`.
    """

    features: Sequence[Feature]
    index: str
    limits: Mapping[str, Any]
    selection: Mapping[str, Any]

    def indicators(self, history: History, _: pd.Timestamp) -> pd.DataFrame:
        """As of the close of the last session there is."""
        last = history.bars.sessions[-1]
        traded = history.bars.close.loc[last].dropna().index
        return at_close(indicators(history.bars), last).loc[(slice(None), traded), :]

    def regimes(self, history: History, session: pd.Timestamp) -> pd.DataFrame:
        """The regime at the open of the session, under the name of its index."""
        return under(self._states(history, pd.DatetimeIndex([session])), self.index)

    def snapshots(self, history: History, session: pd.Timestamp) -> pd.DataFrame:
        """Feature rows of the session."""
        calendar = history.bars.sessions.union(pd.DatetimeIndex([session]))
        asked = calendar[-1:]
        inputs = self.inputs(history, calendar)
        return snapshots(self.features, inputs, asked, next_session=asked[0], **self.selection).rows

    def inputs(self, history: History, sessions: pd.DatetimeIndex) -> FeatureInputs:
        """What features are made of, with the regimes of these sessions."""
        return FeatureInputs(
            bars=history.bars,
            indicators=indicators(history.bars),
            market=market_closes(history.index_bars, self.index),
            regimes=self._states(history, sessions),
            symbols=history.symbols,
            short_sessions=history.short_sessions,
        )

    def _states(self, history: History, sessions: pd.DatetimeIndex) -> pd.DataFrame:
        moves, vix = moves_of(history.bars, history.index_bars, self.index)
        return regimes(moves, sessions, vix, **self.limits)


def spread(sessions: pd.DatetimeIndex, count: int, seed: int) -> pd.DatetimeIndex:
    """One session of each of `count` equal parts, by chance."""
    random = np.random.default_rng(seed)
    parts = np.array_split(np.arange(len(sessions)), min(count, len(sessions)))
    return sessions[[int(random.choice(part)) for part in parts]]


def at_close(panel: Panel, session: pd.Timestamp) -> pd.DataFrame:
    """One session of indicators, sessions x symbols each, as a long frame."""
    values = pd.DataFrame({f"indicators.{n}": frame.loc[session] for n, frame in panel.items()})
    return pd.concat({session: values}, names=ROW)


def under(states: pd.DataFrame, index: str) -> pd.DataFrame:
    """Regimes by session as a long frame, whose symbol is the name of their index."""
    rows = pd.MultiIndex.from_product([states.index, [index]], names=ROW)
    return states.set_axis(rows).add_prefix("regimes.")


def recalculated(calculate: Calculation, history: History, sessions: pd.DatetimeIndex) -> Rows:
    """What is known at each session, from history that is cut before it."""
    return {session: calculate(history.before(session), session) for session in sessions}


def truncation(stored: Rows, anew: Rows) -> Checked:
    """What is stored for each session, against the same from history that is cut before it."""
    return together(compared(stored[session], rows) for session, rows in anew.items())


def symbol_order(calculate: Calculation, history: History, anew: Rows, seed: int) -> Checked:
    """The same with symbols under each other's names, in another order: nothing may change."""
    random = np.random.default_rng(seed)
    return together(
        compared(rows, _under_other_names(calculate, history.before(session), session, random))
        for session, rows in anew.items()
    )


def _under_other_names(
    calculate: Calculation, known: History, session: pd.Timestamp, random: np.random.Generator
) -> pd.DataFrame:
    names, others = random.permutation(known.bars.symbols), random.permutation(known.bars.symbols)
    rows = calculate(known.renamed(dict(zip(names, others, strict=True))), session)
    return rows.rename(index=dict(zip(others, names, strict=True)), level=SYMBOL).sort_index()


def startup(made: Recalculation, history: History, sessions: pd.DatetimeIndex) -> Checked:
    """The longest history there is, against one that begins at the stated look-back.

    Sessions that have no more than the look-back before them show nothing and are passed over.
    """
    return together(
        [
            *_startup_of_features(made, history, sessions),
            *_startup_of_indicators(history, sessions),
            *_startup_of_regimes(made, history, sessions),
        ]
    )


def _startup_of_features(
    made: Recalculation, history: History, sessions: pd.DatetimeIndex
) -> Iterator[Checked]:
    calendar = history.bars.sessions.union(sessions)
    inputs = made.inputs(history, calendar)
    names = inputs.bars.symbols.sort_values()
    places = [int(place) for place in calendar.get_indexer(sessions)]
    longest = known_before(inputs, calendar)
    numbers = [feature for feature in made.features if feature.kind != "static"]
    whole = {feature.name: feature(longest)[[p - 1 for p in places]] for feature in numbers}
    by_lookback = groupby(sorted(numbers, key=_needed), key=_needed)
    for needed, group in [(needed, list(group)) for needed, group in by_lookback]:
        for number, place in enumerate(places):
            if place <= needed:
                continue
            known = known_before(inputs, calendar[place - needed : place + 1])
            full = {feature.name: whole[feature.name][number] for feature in group}
            short = {feature.name: feature(known)[-1] for feature in group}
            yield compared(*(_row(values, calendar[place], names) for values in (full, short)))


def _row(values: Mapping[str, Any], session: pd.Timestamp, symbols: pd.Index) -> pd.DataFrame:
    """One session of features, sessions x symbols or one value a session each, as a long frame."""
    columns = {name: np.broadcast_to(value, len(symbols)) for name, value in values.items()}
    return pd.concat({session: pd.DataFrame(columns, symbols)}, names=ROW)


def _needed(feature: Feature) -> int:
    return max(feature.lookback, 1)


def _startup_of_indicators(history: History, sessions: pd.DatetimeIndex) -> Iterator[Checked]:
    for session in sessions:
        known = history.before(session)
        recent = known.newest(WARM_UP + 1).bars
        if len(recent.sessions) < len(known.bars.sessions):
            whole = indicators(known.bars)
            begun = first_values(whole["obv"].loc[recent.sessions])
            last = recent.sessions[-1]
            yield compared(at_close(whole, last), at_close(indicators(recent, begun), last))


def _startup_of_regimes(
    made: Recalculation, history: History, sessions: pd.DatetimeIndex
) -> Iterator[Checked]:
    needed = lookback(made.limits["volatility_window"]) + 1
    for session in sessions:
        known = history.before(session)
        listed = known.bars if made.index == UNIVERSE_INDEX else known.index_bars
        if len(listed.sessions) > needed:
            short = made.regimes(known.newest(needed), session)
            yield compared(made.regimes(known, session), short)


def _until(bars: BarPanel, session: pd.Timestamp) -> BarPanel:
    known = bars.sessions[bars.sessions < session]
    return bars.loc(slice(None, known[-1])) if len(known) else bars.loc(known)
