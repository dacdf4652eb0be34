"""Whether the data are those of the session before the one that signals are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipeline.errors import NotReady, Refused
from pipeline.io import calendar
from pipeline.io.store import Store
from pipeline.settings import Settings
from pipeline.stages import _data

RECENT_SESSIONS = 20
"""A symbol without a bar among so many sessions is gone, not late."""


@dataclass(frozen=True)
class Asked:
    """The session that signals are asked for, and the one before it, whose bars they need."""

    session: pd.Timestamp
    needed: pd.Timestamp


def asked(settings: Settings, store: Store) -> Asked:
    """The session of `date=`, or the next one.

    Of a source that goes on, "next" is counted from the exchange's last completed session; of the
    others from the last one in the store.

    Raises
    ------
    NotReady
        The day is none of its sessions, or the session before it has not closed yet.
    """
    sessions = _data.require_bars(store, "signals")
    today = sessions[-1]
    if settings.data.download is not None:
        today = _data.source(settings).last_session()
        known = calendar.sessions(settings.data.exchange_calendar, sessions[0], today)
        sessions = sessions[sessions <= today].union(known)
    following = _data.next_session(settings, today)
    reachable = _data.with_next(sessions, following)
    if settings.day is None:
        return Asked(following, pd.Timestamp(reachable[-2]))
    session = _data.within(reachable, settings, "signals")[0]
    before = reachable[reachable < session]
    if before.empty:
        found = f"{session:%Y-%m-%d} is the first session there is"
        raise NotReady("signals", found, "a later one", "mlflow run . -e status")
    return Asked(pd.Timestamp(session), pd.Timestamp(before[-1]))


def last_bars(settings: Settings, store: Store, needed: pd.Timestamp) -> pd.Series:
    """Session of the newest final bar by symbol, of those with a bar of late.

    A bar that was read before its session closed is none: it is a part of one.
    """
    start = _data.sessions_before(store.sessions(), needed, RECENT_SESSIONS - 1)
    is_final = store.final_mask(start, needed, _data.universe(settings))
    newest_first = is_final.iloc[::-1]
    has_bar = newest_first.columns[newest_first.any()]
    return newest_first[has_bar].idxmax().rename("last_bar")


def stale(settings: Settings, store: Store, needed: pd.Timestamp) -> pd.Series:
    """Symbols that traded of late but lack the bar that is needed, with their newest bar.

    Raises
    ------
    Refused
        There are more of them than `signals.max_stale_fraction` of all; the oldest are named.
    """
    newest = last_bars(settings, store, needed)
    late = newest[newest < needed].sort_values(kind="stable")
    if newest.empty or len(late) > settings.signals.max_stale_fraction * len(newest):
        raise Refused(
            "signals",
            f"{len(late)} of {len(newest)} symbols have no bar of {needed:%Y-%m-%d}"
            + (f": {named(late)}" if len(late) else ""),
            "the bars of that session for at least "
            f"{1 - settings.signals.max_stale_fraction:.0%} of them",
            "mlflow run . -e daily",
        )
    return late


def named(late: pd.Series, most: int = 10) -> str:
    """The first of these symbols with their newest bars, in words."""
    listed = [f"{symbol} (last {day:%Y-%m-%d})" for symbol, day in late.iloc[:most].items()]
    return ", ".join(listed) + (f" and {len(late) - most} more" if len(late) > most else "")


def ages(store: Store, late: pd.Series, needed: pd.Timestamp, symbols: pd.Series) -> list[int]:
    """Sessions by which the newest bar of each symbol is older than the one needed; 0: it is it."""
    sessions = store.sessions()
    newest = {symbol: late.get(symbol, needed) for symbol in symbols.unique()}
    age = {s: int(((sessions > day) & (sessions <= needed)).sum()) for s, day in newest.items()}
    return [age[symbol] for symbol in symbols]
