"""Opens as the store holds them: what they are measured by, and those that may be traded on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import pandas as pd

from pipeline.io.store.store import Store
from pipeline.market.features import FeatureInputs, known_before, market_closes
from pipeline.market.indication import (
    LOOKBACK,
    STALE_SESSIONS,
    Evening,
    bad_opens,
    evening,
    tradeable_opens,
)
from pipeline.market.membership import evening_of_members, stretches
from pipeline.selection import sessions_before

Members: TypeAlias = Sequence[str] | pd.DataFrame | None
"""Symbols; a table of bools, sessions x symbols, where they change; None: all of the store."""


def evening_before(
    store: Store, index: str, members: Members, sessions: pd.DatetimeIndex
) -> Evening:
    """What gaps of these sessions are measured by, as of the close before each.

    Parameters
    ----------
    index
        The market's.
    members
        Who is no member on a session has no measures there, and counts in nobody's.
    sessions
        In order; the last one may have no bar yet.
    """
    if not isinstance(members, pd.DataFrame):
        return _evening_among(store, index, members, sessions)
    whole = _evening_among(store, index, _names(members.columns), sessions)
    parts = (
        _evening_among(store, index, _names(members.columns[members.loc[first].to_numpy()]), part)
        for first, part in stretches(members)
    )
    return evening_of_members(whole, parts)


def _names(symbols: pd.Index) -> list[str]:
    return [str(name) for name in symbols]


def _evening_among(
    store: Store, index: str, symbols: Sequence[str] | None, sessions: pd.DatetimeIndex
) -> Evening:
    listed = store.sessions().union(sessions)
    start = sessions_before(listed, sessions[0], LOOKBACK)
    before = sessions_before(listed, sessions[-1], 1)
    bars = store.bar_panel(start, before, symbols)
    closes = market_closes(store.bar_panel(start, before, kind="index"), index)
    none = pd.DataFrame(index=bars.sessions)
    inputs = FeatureInputs(bars, {}, closes, none, store.symbols("stock"))
    calendar = listed[(listed >= start) & (listed <= sessions[-1])]
    return evening(known_before(inputs, calendar)).at(sessions)


def printed_opens(
    store: Store, members: Sequence[str] | None, sessions: pd.DatetimeIndex
) -> pd.DataFrame:
    """Printed opens that may be traded on; NaN where there is none, or a bad one.

    Where a split or a dividend goes ex there is none: the close before is of other shares, and a
    gap from it is none to trade.

    Parameters
    ----------
    members
        Symbols; None: all of the store.

    Returns
    -------
    DataFrame
        Sessions x symbols, currency per share; known once the session has opened.
    """
    start = sessions_before(store.sessions().union(sessions), sessions[0], 2 * STALE_SESSIONS)
    traded = tradeable_opens(store.bar_panel(start, sessions[-1], members), sessions)
    ex = store.goes_ex(sessions[0], sessions[-1], members)
    return traded.mask(ex.reindex(index=traded.index, columns=traded.columns, fill_value=False))


def copies_of_closes(
    store: Store, members: Sequence[str] | None, session: pd.Timestamp
) -> list[str]:
    """Symbols whose opens were copies of the close before, as is known before a session."""
    before = sessions_before(store.sessions(), session, 2 * STALE_SESSIONS)
    bars = store.bar_panel(before, session, members)
    known = bars.loc(bars.sessions.union(pd.DatetimeIndex([session])))
    copied = bad_opens(known)["copy of a close"].loc[[session]].to_numpy()[0]
    return [str(name) for name in known.symbols[copied]]
