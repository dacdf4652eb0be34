"""What to ask of a source that has no version: what the store lacks, and a little of what it has.

Each symbol is requested from some sessions before its newest final bar on. Where Yahoo applied a
split since, all prices before it changed by one factor, and the oldest bar requested again shows
it: the median of its four price ratios is not 1. Then the overlap cannot be joined to what is
stored, and the symbol's whole history is read and replaces it. A correction of single values moves
no median; the bar is written like any other. What changed only before the overlap is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from pipeline.commands import Command
from pipeline.errors import NotReady
from pipeline.io.sources.protocol import NOT_DELIVERED, Delivery, LiveProvider
from pipeline.io.store.bulk import stacked
from pipeline.io.store.store import Store
from pipeline.schemas import SESSION, SYMBOL

PRICES = ["open", "high", "low", "close"]
ROUNDING = 1e-3
"""Relative change of a bar's prices up to which it is the same bar: cents of a low price."""


@dataclass(frozen=True)
class Increment:
    """What was read.

    Attributes
    ----------
    requested
        Number of stocks requested.
    readjusted
        Stocks whose stored bars `stocks` replaces as a whole.
    """

    stocks: Delivery
    indices: Delivery
    requested: int
    readjusted: tuple[str, ...]


def increment(
    source: LiveProvider,
    store: Store,
    symbols: Sequence[str],
    overlap: int,
    first: pd.Timestamp | None = None,
    last: pd.Timestamp | None = None,
) -> Increment:
    """Ask for what is missing of these stocks and the indices, or for the range given.

    Parameters
    ----------
    overlap
        Sessions with final bars that are requested again.

    Raises
    ------
    NotReady
        No stock was answered, for a reason that may pass.
    """
    ranged = first is not None or last is not None
    starts = _starts(source, store, symbols, overlap)
    if ranged:
        starts = dict.fromkeys(symbols, first)
    parts: list[Delivery] = []
    replaced: list[str] = []
    for start, group in _grouped(starts):
        fresh = source.bars(group, start, last)
        changed = readjusted_symbols(store, fresh)
        if changed:
            fresh, came = _with_whole_histories(source, store, fresh, changed)
            replaced += came
        parts.append(fresh)
    stocks = joined(parts) if parts else source.bars([])
    _require_answers(stocks, len(starts))
    indices = _indices(source, store, overlap, (first, last) if ranged else None)
    return Increment(stocks, indices, len(starts), tuple(sorted(replaced)))


def readjusted_symbols(store: Store, fresh: Delivery) -> list[str]:
    """Symbols whose stored bars cannot be joined to the fresh ones: another factor, or no overlap.

    Only final bars are compared.
    """
    symbols = fresh.bars.index.unique(SYMBOL)
    has_bars = store.last_final_sessions().index.intersection(symbols)
    if has_bars.empty:
        return []
    sessions = fresh.bars.index.get_level_values(SESSION)
    overlap = (sessions.min(), sessions.max(), list(has_bars))
    panel = store.bar_panel(*overlap)
    stored = stacked({name: getattr(panel, name) for name in PRICES}, store.final_mask(*overlap))
    common = fresh.bars.index.intersection(stored.index)
    ratios = fresh.bars.loc[common, PRICES] / stored.loc[common]
    oldest = ratios.median(axis=1).sort_index().groupby(SYMBOL).first()
    same = oldest.index[(oldest - 1).abs() <= ROUNDING]
    return sorted(has_bars.difference(same))


def joined(parts: Iterable[Delivery]) -> Delivery:
    """Deliveries of different symbols as one."""
    listed = list(parts)
    bars = pd.concat([part.bars for part in listed]).sort_index()
    quarantine = pd.concat([part.quarantine for part in listed], ignore_index=True)
    gaps = pd.concat([part.gaps for part in listed], ignore_index=True)
    actions = pd.concat([part.actions for part in listed], ignore_index=True)
    reported = frozenset().union(*(part.all_splits for part in listed))
    return Delivery(bars, quarantine, gaps, actions=actions, all_splits=reported)


def _starts(
    source: LiveProvider, store: Store, symbols: Sequence[str], overlap: int
) -> dict[str, pd.Timestamp | None]:
    """First session to ask for, by symbol that lacks one; None: everything."""
    newest = source.newest_session()
    finals = store.last_final_sessions()
    sessions = store.sessions()
    starts: dict[str, pd.Timestamp | None] = dict.fromkeys(symbols)
    for name, last in finals.loc[finals.index.intersection(list(symbols))].items():
        if last >= newest:
            del starts[str(name)]
        else:
            starts[str(name)] = _before(sessions, last, overlap)
    return starts


def _before(sessions: pd.DatetimeIndex, last: pd.Timestamp, overlap: int) -> pd.Timestamp:
    return pd.Timestamp(sessions[max(int(sessions.searchsorted(last)) - overlap + 1, 0)])


def _grouped(
    starts: dict[str, pd.Timestamp | None],
) -> list[tuple[pd.Timestamp | None, list[str]]]:
    groups: dict[pd.Timestamp | None, list[str]] = {}
    for name, start in starts.items():
        groups.setdefault(start, []).append(name)
    return sorted(groups.items(), key=lambda group: (group[0] is not None, group[0] or 0, group[1]))


def _with_whole_histories(
    source: LiveProvider, store: Store, fresh: Delivery, changed: list[str]
) -> tuple[Delivery, list[str]]:
    """The delivery with whole histories of the changed symbols; without those that did not come."""
    oldest = min(store.sessions()[0], fresh.bars.index[0][0])
    whole = source.bars(changed, min(source.start, oldest))
    came = whole.bars.index.unique(SYMBOL)
    return joined([_without(fresh, changed), whole]), sorted(came)


def _without(delivery: Delivery, symbols: Iterable[str]) -> Delivery:
    left_out = list(symbols)
    bars = delivery.bars[~delivery.bars.index.get_level_values(SYMBOL).isin(left_out)]
    quarantine, gaps, actions = (
        rows[~rows[SYMBOL].isin(left_out)]
        for rows in (delivery.quarantine, delivery.gaps, delivery.actions)
    )
    return replace(delivery, bars=bars, quarantine=quarantine, gaps=gaps, actions=actions)


def _require_answers(stocks: Delivery, requested: int) -> None:
    failed = stocks.failed
    if not requested or len(failed) < requested:
        return
    reasons = failed.str.removeprefix(f"{NOT_DELIVERED}: ").value_counts()
    raise NotReady(
        "ingest",
        f"no answer for any of {requested} symbols: {reasons.index[0]}",
        "the network, and a source that answers, later; what is in the store is untouched",
        Command("ingest"),
    )


def _indices(
    source: LiveProvider,
    store: Store,
    overlap: int,
    requested: tuple[pd.Timestamp | None, pd.Timestamp | None] | None,
) -> Delivery:
    if requested is not None:
        return source.index_bars(*requested)
    listed = source.symbols()
    names = list(listed.index[listed["kind"] == "index"])
    finals = store.last_final_sessions("index").reindex(names)
    if finals.isna().any():
        return source.index_bars()
    if finals.min() >= source.newest_session():
        return source.bars([])
    return source.index_bars(_before(store.sessions("index"), finals.min(), overlap))
