"""One reading of a source into the store: what is asked, what differs, what is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import pandas as pd

from pipeline.contract import Metrics
from pipeline.io.sources.bar_rules import require_symbols
from pipeline.io.sources.protocol import DELISTED, Earnings, LiveProvider, Provider
from pipeline.io.sources.quality import quality
from pipeline.io.sources.settings import Download
from pipeline.io.store.bulk import WriteResult
from pipeline.io.store.delta import Delta, compare_with_store, mark_digests
from pipeline.io.store.earnings import refresh_earnings
from pipeline.io.store.increments import Increment, increment
from pipeline.io.store.reported_splits import mark_splits
from pipeline.io.store.store import Store
from pipeline.schemas import SYMBOL
from pipeline.selection import Selection
from pipeline.values import metric_name

FEW_BARS_FIRST = ("index", "stock")
"""Whoever adds few bars to full months has to read these again for their digests."""


@dataclass(frozen=True)
class Ingested:
    """What was read, how it differed from the store, and what was written; by kind of symbol."""

    read: Increment
    deltas: Mapping[str, Delta]
    written: Mapping[str, WriteResult]

    @property
    def refused(self) -> dict[str, str]:
        """Symbols or files of which nothing was taken, with the reason."""
        return _refused(self.read)

    @cached_property
    def quality(self) -> pd.DataFrame:
        """What the rules for bars did, of ``quality.quality``."""
        return quality({"stocks": self.read.stocks, "indices": self.read.indices})

    @cached_property
    def failed(self) -> pd.Series:
        """Reason by symbol that was asked for and not answered."""
        return pd.concat([self.read.stocks.failed, self.read.indices.failed])

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Recorded gaps of the stocks that were answered."""
        gaps = self.read.stocks.gaps
        return gaps[~gaps[SYMBOL].isin(self.failed.index)]

    @property
    def metrics(self) -> dict[str, float]:
        """``ingest/*`` of what was written and left out."""
        reasons = self.read.stocks.quarantine["reason"].value_counts()
        return {
            Metrics.INGEST_ROWS: sum(rows.rows for rows in self.written.values()),
            Metrics.INGEST_QUARANTINED: len(self.read.stocks.quarantine),
            Metrics.INGEST_GAPS: len(self.read.stocks.gaps),
            Metrics.INGEST_SET_ASIDE: len(self.refused),
            Metrics.INGEST_WITHDRAWN: sum(len(delta.withdrawn) for delta in self.deltas.values()),
            **{
                metric_name(Metrics.INGEST_QUARANTINED, str(reason)): int(count)
                for reason, count in reasons.items()
            },
        }

    @property
    def metrics_of_answers(self) -> dict[str, float]:
        """``ingest/*`` of what a source that is asked by name answered."""
        return {
            Metrics.INGEST_ASKED: self.read.requested,
            Metrics.INGEST_READJUSTED: len(self.read.readjusted),
            Metrics.INGEST_FAILED: len(self.failed),
            Metrics.INGEST_DELISTED: int((self.gaps["reason"] == DELISTED).sum()),
        }


@dataclass(frozen=True)
class Ingestion:
    """A source, the store it is read into, and what of it is requested.

    Attributes
    ----------
    members
        Of the universe; None: every symbol of the source.
    """

    store: Store
    source: Provider
    selection: Selection
    members: Sequence[str] | None

    @property
    def symbols(self) -> list[str] | None:
        """What is requested of the source: symbols named, else those of the universe; None: all."""
        chosen = self.selection.symbols or self.members
        return None if chosen is None else list(chosen)

    @property
    def is_current(self) -> bool:
        """Whether the store holds all that the source has of these symbols.

        A source without a version, one that goes on, has more.
        """
        built, version = self.store.built("ingest"), self.source.version
        if built is None or version is None or self.selection.is_partial:
            return False
        detail = built.detail
        return detail.get("source") == version and detail.get("symbols") in (None, self.symbols)

    @property
    def refused_before(self) -> Sequence[str]:
        """What nothing was taken of when the source was last read as a whole."""
        built = self.store.built("ingest")
        return [] if built is None else list(built.detail.get("set_aside") or ())

    def write_symbols(self) -> list[str]:
        """List the source's symbols in the store; gives those of the universe that it lacks.

        Raises
        ------
        InvalidData
            A name is none that a symbol can have.
        """
        listed = self.source.symbols()
        require_symbols(listed.index)
        self.store.write_symbols(listed)
        return sorted(set(self.members or ()).difference(listed.index))

    def read(self, download: Download | None) -> Increment:
        """Bars of the range asked for; of a source that goes on, what the store lacks.

        Parameters
        ----------
        download
            Of a source that goes on; else None.
        """
        symbols, first, last = self.symbols, self.selection.first, self.selection.last
        if download is None:
            stocks, indices = (
                self.source.bars(symbols, first, last),
                self.source.index_bars(first, last),
            )
            return Increment(stocks, indices, len(stocks.bars.index.unique(SYMBOL)), ())
        live, requested = cast(LiveProvider, self.source), sorted(set(symbols or ()))
        return increment(live, self.store, requested, download.overlap_sessions, first, last)

    def write(self, read: Increment, max_withdrawn: float | None) -> Ingested:
        """Write what differs, and note what the store now holds of the source.

        Parameters
        ----------
        max_withdrawn
            Of ``delta.compare_with_store``; None: the source is no whole that could lack something.
        """
        deltas = self._deltas(read, max_withdrawn)
        written = {
            kind: self.store.write_bars(
                deltas[kind].delivery, read.readjusted, deltas[kind].withdrawn.index
            )
            for kind in FEW_BARS_FIRST
        }
        is_whole = max_withdrawn is not None and not self.selection.is_partial
        if is_whole and read.stocks.all_read:
            self.store.withdraw_actions(read.stocks)
        mark_splits(self.store, read.stocks, is_whole=is_whole)
        if not self.selection.is_partial:
            for kind, delta in deltas.items():
                mark_digests(self.store, kind, self.symbols, delta)
            self.store.mark_built(
                "ingest",
                self.store.revision(),
                {
                    "source": self.source.version,
                    "symbols": self.symbols,
                    "set_aside": _refused(read),
                },
            )
        return Ingested(read, deltas, written)

    def earnings(self, download: Download | None) -> Earnings | None:
        """Earnings dates that were due, and were kept; None where nothing was requested."""
        if download is None or self.selection.is_partial:
            return None
        live = cast(LiveProvider, self.source)
        return refresh_earnings(self.store, live, self.symbols or (), download.earnings_days)

    def _deltas(self, read: Increment, max_withdrawn: float | None) -> dict[str, Delta]:
        """What there is to write; a part of a source says nothing about the rest of it."""
        parts = {"stock": read.stocks, "index": read.indices}
        if max_withdrawn is None or self.selection.is_partial:
            return {kind: Delta.everything(part) for kind, part in parts.items()}
        return {
            kind: compare_with_store(self.store, part, kind, self.symbols, max_withdrawn)
            for kind, part in parts.items()
        }


def _refused(read: Increment) -> dict[str, str]:
    return {**read.stocks.refused, **read.indices.refused}
