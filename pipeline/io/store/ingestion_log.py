"""What an ingestion says: how the source was read, what was written, what did not come."""

from __future__ import annotations

import logging

from pipeline.io.store.delta import Delta
from pipeline.io.store.ingestion import Ingested
from pipeline.schemas import SESSION, SYMBOL
from pipeline.values import listed_names

log = logging.getLogger("pipeline.ingest")
NAMES = {"stock": "stocks", "index": "indices"}


def log_ingested(done: Ingested) -> None:
    """Bars written and withdrawn, how the source was read, and what was left out of it."""
    for kind, name in NAMES.items():
        rows, delta = done.written[kind], done.deltas[kind]
        log.info(
            "ingest: %s: %s bars new, %s changed, %s as before",
            name, f"{rows.new:,}", f"{rows.changed:,}", f"{rows.unchanged + delta.unchanged:,}",
        )  # fmt: skip
        _log_missing(name, delta)
    for note in (*done.read.stocks.notes, *done.read.indices.notes):
        log.info("ingest: %s", note)
    for name, why in done.refused.items():
        log.warning("ingest: nothing was read from %s: %s", name, why)


def _log_missing(name: str, delta: Delta) -> None:
    """Bars that the store holds and the source no longer has."""
    fates = {
        "no longer in the files, quarantined": delta.withdrawn,
        "kept: not in the files, but not all of these can be read": delta.undecided,
    }
    for what, bars in fates.items():
        if len(bars):
            days = bars.index.get_level_values(SESSION)
            log.warning(
                "ingest: %s: %d bars %s, from %s to %s: %d symbols: %s",
                name, len(bars), what, f"{days.min():%Y-%m-%d}", f"{days.max():%Y-%m-%d}",
                *listed_names(bars.index.unique(SYMBOL)),
            )  # fmt: skip


def log_answers(done: Ingested) -> None:
    """Log what was requested and did not come; every symbol without an answer is named."""
    read, failed = done.read, done.failed
    log.info("ingest: %d stocks requested", read.requested)
    if read.readjusted:
        found = "ingest: history re-adjusted by the source, read again as a whole: %d stocks: %s"
        log.info(found, *listed_names(read.readjusted))
    for reason, symbols in failed.groupby(failed):
        log.warning(
            "ingest: %s: %d symbols: %s", reason, *listed_names(symbols.index, len(symbols))
        )
    for reason, rows in done.gaps.groupby("reason"):
        log.info("ingest: %s: %d symbols: %s", reason, *listed_names(rows[SYMBOL].unique()))
