"""Which results are missing, or were made of other bars than the store holds now, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.commands import Command
from pipeline.errors import Fault, NotReady
from pipeline.io.store.bar_writes import CHANGED, GONE, LATE, NEW
from pipeline.io.store.revisions import numbers_in
from pipeline.io.store.snapshots import SnapshotStore
from pipeline.io.store.store import Store
from pipeline.schemas import SYMBOL
from pipeline.values import listed_names

MADE_OF = ("bars", "splits", "symbols", "indicators", "regimes")
"""Kinds of changes that snapshots are made of."""

ANOTHER_STATE = (
    "made of another state of the store than any it knows, as after a backup was put back"
)

NEVER = "never"
"""Stands for the revision of a session without snapshots; it is none of any store."""

REBUILD_REASONS = {
    NEW: "new in the store: %s; ranks and means of all symbols change from %s on",
    CHANGED: "other values of old bars: %s; ranks and means of their sessions change, the first %s",
    LATE: "bars that came late: %s; ranks and means of their sessions change, the first %s",
    GONE: "bars that are gone: %s; ranks and means of their sessions change, the first %s",
}


def missing_sessions(
    store: Store, snapshots: SnapshotStore, sessions: pd.DatetimeIndex, look_back: int
) -> pd.DatetimeIndex:
    """Those of the sessions that have no snapshots, or whose look-back changed since.

    A snapshot of a state that is none of the store's past counts as missing: of a store that was
    put back from a backup since.

    Parameters
    ----------
    sessions
        All sessions with bars, and the next one.
    look_back
        Sessions before a snapshot that it is made of.
    """
    history = store.changes()
    return sessions[_is_missing(store, snapshots, history, sessions, sessions, look_back)]


@dataclass(frozen=True)
class StaleResult:
    """A result that does not belong to the bars as they are now.

    Attributes
    ----------
    name
        The stage that makes it: indicators, regimes, features or labels.
    since
        First session, of those that were checked, from which on it is not to be used.
    why
        In words.
    """

    name: str
    since: pd.Timestamp
    why: str


def stale_results(
    store: Store,
    snapshots: SnapshotStore | None,
    sessions: pd.DatetimeIndex,
    *,
    made_by: Mapping[str, Mapping[str, str]],
    look_back: int,
) -> list[StaleResult]:
    """Results that do not belong to the bars as they are now, in the order they are to be made.

    Parameters
    ----------
    snapshots
        None: they are not looked at.
    sessions
        Those whose results are to be used, ascending; the last one may have no bar yet.
    made_by
        By ``indicators``, ``regimes`` and ``labels``: what they are made by now, as it is given to
        `Store.mark_built`. One that is not named is not looked at.
    look_back
        Sessions before a snapshot that it is made of.
    """
    history = store.changes()
    results = [
        _stale_mark(store, history, name, sessions, marks)
        for name, marks in made_by.items()
        if name in ("indicators", "regimes")
    ]
    if snapshots is not None:
        results.append(_stale_features(store, snapshots, history, sessions, look_back))
    if "labels" in made_by:
        results.append(_stale_mark(store, history, "labels", sessions, made_by["labels"]))
    return [result for result in results if result is not None]


def require_current(who: str, stale: Sequence[StaleResult]) -> None:
    """Refuse what would be worked out from results of other bars.

    Parameters
    ----------
    who
        The stage that complains.
    stale
        As `stale_results` gives them.

    Raises
    ------
    NotReady
        There are any; each is a fault of it, and the next commands make them again, in order.
    """
    if stale:
        faults = [Fault(each.name, f"from {each.since:%Y-%m-%d} on ({each.why})") for each in stale]
        named = "; ".join(f"{each.key} {each.found}" for each in faults)
        raise NotReady(
            who,
            f"results that do not belong to the bars as they are now: {named}",
            "these results, made again",
            tuple(Command(each.name) for each in stale),
            faults=faults,
        )


def _stale_mark(
    store: Store,
    history: pd.DataFrame,
    name: str,
    sessions: pd.DatetimeIndex,
    made_by: Mapping[str, str],
) -> StaleResult | None:
    """Whether a result that is marked as a whole stands, up to the last of the sessions."""
    built = store.built(name)
    if built is None:
        return StaleResult(name, sessions[0], "never made for all sessions")
    if dict(built.detail) != dict(made_by):
        return StaleResult(name, sessions[0], "made by other code, limits or index")
    number = max(numbers_in(history, [built.revision])[0], 0)
    bars = history[(history["kind"] == "bars") & (history.index > number)]
    first, last = bars["first_session"], bars["last_session"]
    concerned = first <= sessions[-1]
    if name == "labels":  # a label is made of its own bar alone
        concerned &= last >= sessions[0]
    if not concerned.any():
        return None
    since = max(first[concerned].min(), sessions[0])
    return StaleResult(name, since, "bars changed since it was made")


def _stale_features(
    store: Store,
    snapshots: SnapshotStore,
    history: pd.DataFrame,
    sessions: pd.DatetimeIndex,
    look_back: int,
) -> StaleResult | None:
    every = store.sessions().union(sessions)
    missing = sessions[_is_missing(store, snapshots, history, every, sessions, look_back)]
    if missing.empty:
        return None
    why = "not made, or bars, indicators or regimes before it changed since"
    return StaleResult("features", missing[0], why)


def _is_missing(
    store: Store,
    snapshots: SnapshotStore,
    history: pd.DataFrame,
    every: pd.DatetimeIndex,
    sessions: pd.DatetimeIndex,
    look_back: int,
) -> np.ndarray:
    """Mask over `sessions`, which are some of `every`; `history` are all changes."""
    covered = snapshots.covered(store.store_id, sessions)["revision"].reindex(sessions)
    built = numbers_in(history, covered.fillna(NEVER))
    newest = _newest_change(history, every, look_back)[every.get_indexer(sessions)]
    return np.asarray(built < newest)  # -1, unknown to the store, is before all


def _newest_change(history: pd.DataFrame, every: pd.DatetimeIndex, look_back: int) -> np.ndarray:
    """By session, the number of the newest change that its snapshots look at; 0 for none."""
    changes = history[history["kind"].isin(MADE_OF)]
    start = every.searchsorted(changes["first_session"].fillna(every[0]))
    end = every.searchsorted(changes["last_session"].fillna(every[-1]), side="right") + look_back
    newest = np.zeros(len(every), np.int64)
    for number, first, last in zip(changes.index, start, end, strict=True):  # ascending
        newest[first:last] = number
    return newest


def oldest_revision(store: Store, revisions: Iterable[str]) -> str | None:
    """The one that lies furthest back, those unknown to the store first; None of none."""
    listed = list(revisions)
    return listed[int(numbers_in(store.changes(), listed).argmin())] if listed else None


def rebuild_reasons(store: Store, since_revision: str, symbols: Iterable[str]) -> list[str]:
    """In words, what changed the past of these symbols since a revision; new sessions do not."""
    if numbers_in(store.changes(), [since_revision])[0] < 0:
        return [ANOTHER_STATE]
    causes = store.causes(since_revision)
    causes = causes[causes[SYMBOL].isin(list(symbols))]
    return [
        sentence % (_in_words(rows), f"{rows['first_session'].min():%Y-%m-%d}")
        for what, sentence in REBUILD_REASONS.items()
        if len(rows := causes[causes["what"] == what])
    ]


def _in_words(rows: pd.DataFrame) -> str:
    count, names = listed_names(rows[SYMBOL].unique(), 5)
    return f"{count} symbol{'s' if count > 1 else ''} ({names})"
