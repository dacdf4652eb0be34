"""Whether the data are those of the session before the one that signals are made for."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipeline.commands import Command
from pipeline.errors import Fault, NotReady, Refused
from pipeline.io import calendar
from pipeline.io.sources.universe import members_on
from pipeline.io.store.store import Store
from pipeline.selection import sessions_before, with_following
from pipeline.workspace import Workspace

RECENT_SESSIONS = 20
"""A symbol without a bar among so many sessions is gone, not late."""


@dataclass(frozen=True)
class SignalSession:
    """The session that signals are made for, and the one before it, whose bars they need."""

    session: pd.Timestamp
    needed: pd.Timestamp


def signal_session(workspace: Workspace) -> SignalSession:
    """The session of `date=`, or the next one.

    Of a source that goes on, "next" is counted from the exchange's last completed session; of the
    others from the last one in the store.

    Raises
    ------
    NotReady
        The day is none of its sessions, or the session before it has not closed yet.
    """
    sessions = workspace.require_bars("signals")
    today = sessions[-1]
    if workspace.is_live:
        today = workspace.source.last_session()
        known = calendar.sessions(workspace.exchange_calendar, sessions[0], today)
        sessions = sessions[sessions <= today].union(known)
    following = workspace.next_session(today)
    reachable = with_following(sessions, following)
    if workspace.selection.first is None:
        return SignalSession(following, pd.Timestamp(reachable[-2]))
    session = workspace.selection.within(reachable, "signals")[0]
    before = reachable[reachable < session]
    if before.empty:
        found = f"{session:%Y-%m-%d} is the first session there is"
        raise NotReady("signals", found, "a later one", Command("status"))
    return SignalSession(pd.Timestamp(session), pd.Timestamp(before[-1]))


def last_bars(workspace: Workspace, needed: pd.Timestamp) -> pd.Series:
    """Session of the newest final bar by symbol, of those with a bar of late.

    A bar that was read before its session closed is none: it is a part of one.
    """
    store = workspace.store
    start = sessions_before(store.sessions(), needed, RECENT_SESSIONS - 1)
    dated = workspace.dated  # who has left need not be up to date
    symbols = workspace.members if dated is None else members_on(dated, needed)
    is_final = store.final_mask(start, needed, symbols)
    newest_first = is_final.iloc[::-1]
    has_bar = newest_first.columns[newest_first.any()]
    return newest_first[has_bar].idxmax().rename("last_bar")


def stale_symbols(
    workspace: Workspace, needed: pd.Timestamp, max_stale_fraction: float
) -> pd.Series:
    """Symbols that traded of late but lack the bar that is needed, with their newest bar.

    Raises
    ------
    Refused
        There are more of them than that fraction of all; each is a fault of it, the oldest are
        named.
    """
    newest = last_bars(workspace, needed)
    late = newest[newest < needed].sort_values(kind="stable")
    if newest.empty or len(late) > max_stale_fraction * len(newest):
        without = f"{len(late)} of {len(newest)} symbols have no bar of {needed:%Y-%m-%d}"
        raise Refused(
            "signals",
            f"no symbol has a final bar of the {RECENT_SESSIONS} sessions until {needed:%Y-%m-%d}"
            if newest.empty
            else f"{without}: {in_words(late)}",
            f"the bars of that session for at least {1 - max_stale_fraction:.0%} of them",
            Command("daily"),
            faults=[Fault(str(name), f"last bar {day:%Y-%m-%d}") for name, day in late.items()],
        )
    return late


def in_words(late: pd.Series, max_names: int = 10) -> str:
    """The first of these symbols with their newest bars.

    Parameters
    ----------
    late
        Newest bar by symbol.
    """
    listed = [f"{symbol} (last {day:%Y-%m-%d})" for symbol, day in late.iloc[:max_names].items()]
    more = f" and {len(late) - max_names} more" if len(late) > max_names else ""
    return ", ".join(listed) + more


def ages(store: Store, late: pd.Series, needed: pd.Timestamp, symbols: pd.Series) -> list[int]:
    """Sessions by which the newest bar of each symbol is older than the one needed; 0: it is it.

    Parameters
    ----------
    late
        Newest bar by symbol, of those that lack the one needed.
    needed
        Session before the one that is forecast.
    symbols
        Whose ages are given, in this order.
    """
    sessions = store.sessions()
    newest = {symbol: late.get(symbol, needed) for symbol in symbols.unique()}
    age = {s: int(((sessions > day) & (sessions <= needed)).sum()) for s, day in newest.items()}
    return [age[symbol] for symbol in symbols]
