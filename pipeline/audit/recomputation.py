"""Indicators, regimes and snapshots of single sessions, each from history that ends before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.market.definitions import Feature
from pipeline.market.features import FeatureInputs, market_closes, snapshots
from pipeline.market.indicators import indicators
from pipeline.market.membership import among
from pipeline.market.regimes import moves_of, regimes
from pipeline.schemas import ROW, SESSION, SYMBOL, BarPanel, Panel


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
    members
        Of the universe, bool, sessions x symbols; None: all symbols, always.
    price_factor
        Of `FeatureInputs`, on all sessions.
    """

    bars: BarPanel
    index_bars: BarPanel
    symbols: pd.DataFrame
    short_sessions: pd.DatetimeIndex | None = None
    members: pd.DataFrame | None = None
    price_factor: pd.DataFrame | None = None

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

    def newest(self, sessions: int) -> History:
        """The last sessions, so many of them."""
        return replace(
            self,
            bars=self.bars.loc(self.bars.sessions[-sessions:]),
            index_bars=self.index_bars.loc(self.index_bars.sessions[-sessions:]),
        )

    def renamed(self, names: Mapping[str, str]) -> History:
        """Every symbol under another name, in the order of `names`."""
        order = pd.Index(list(names))
        bars = self.bars.loc(slice(None), order)
        for frame in (bars.open, bars.high, bars.low, bars.close, bars.volume):
            frame.columns = frame.columns.map(names).rename(SYMBOL)
        symbols = self.symbols.reindex(order).rename(index=names)
        members = None if self.members is None else self.members.rename(columns=names)
        factor = None if self.price_factor is None else self.price_factor.rename(columns=names)
        return replace(self, bars=bars, symbols=symbols, members=members, price_factor=factor)


Calculation = Callable[[History, pd.Timestamp], pd.DataFrame]
"""What is known at the open of a session, from the history before it: a long frame."""

Rows = Mapping[pd.Timestamp, pd.DataFrame]
"""Long frames by the session at whose open they are known."""


@dataclass(frozen=True)
class Recomputation:
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
        return indicator_rows(indicators(history.bars), last).loc[(slice(None), traded), :]

    def regimes(self, history: History, session: pd.Timestamp) -> pd.DataFrame:
        """The regime at the open of the session, under the name of its index."""
        return regime_rows(self._states(history, pd.DatetimeIndex([session])), self.index)

    def snapshots(self, history: History, session: pd.Timestamp) -> pd.DataFrame:
        """Feature rows of the session."""
        calendar = history.bars.sessions.union(pd.DatetimeIndex([session]))
        newest = calendar[-1:]
        inputs = self.inputs(history, calendar)
        if history.members is not None:
            now = history.members.loc[session].to_numpy()
            inputs = among(inputs, history.members.columns[now])
        return snapshots(
            self.features, inputs, newest, next_session=newest[0], **self.selection
        ).rows

    def inputs(self, history: History, sessions: pd.DatetimeIndex) -> FeatureInputs:
        """What features are made of, with the regimes of these sessions."""
        return FeatureInputs(
            bars=history.bars,
            indicators=indicators(history.bars),
            market=market_closes(history.index_bars, self.index),
            regimes=self._states(history, sessions),
            symbols=history.symbols,
            short_sessions=history.short_sessions,
            price_factor=history.price_factor,
        )

    def _states(self, history: History, sessions: pd.DatetimeIndex) -> pd.DataFrame:
        moves, vix = moves_of(history.bars, history.index_bars, self.index)
        return regimes(moves, sessions, vix, **self.limits)


def recompute(calculate: Calculation, history: History, sessions: pd.DatetimeIndex) -> Rows:
    """What is known at each session, from history that is cut before it."""
    return {session: calculate(history.before(session), session) for session in sessions}


def sample_sessions(sessions: pd.DatetimeIndex, count: int, seed: int) -> pd.DatetimeIndex:
    """One random session of each of `count` equal parts; all of them where they are fewer."""
    random = np.random.default_rng(seed)
    parts = np.array_split(np.arange(len(sessions)), min(count, len(sessions)))
    return sessions[[int(random.choice(part)) for part in parts]]


def rows_by_session(rows: pd.DataFrame, sessions: pd.DatetimeIndex) -> Rows:
    """A long frame (session, symbol) cut into one of each session; empty where it has no row.

    Parameters
    ----------
    rows
        By (session, symbol), any columns.
    sessions
        Keys of what is returned.
    """
    of_row = rows.index.get_level_values(SESSION)
    return {session: rows[of_row == session] for session in sessions}


def indicator_rows(panel: Panel, session: pd.Timestamp) -> pd.DataFrame:
    """One session of indicators, sessions x symbols each, as a long frame."""
    values = pd.DataFrame({f"indicators.{n}": frame.loc[session] for n, frame in panel.items()})
    return pd.concat({session: values}, names=ROW)


def regime_rows(states: pd.DataFrame, index: str) -> pd.DataFrame:
    """Regimes by session as a long frame, whose symbol is the name of their index.

    Parameters
    ----------
    states
        By session.

    Returns
    -------
    DataFrame
        By (session, symbol).
    """
    rows = pd.MultiIndex.from_product([states.index, [index]], names=ROW)
    return states.set_axis(rows).add_prefix("regimes.")


def _until(bars: BarPanel, session: pd.Timestamp) -> BarPanel:
    known = bars.sessions[bars.sessions < session]
    return bars.loc(slice(None, known[-1])) if len(known) else bars.loc(known)
