"""Ingest: symbols, bars and index bars from the source into the store; only what changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import cast

import mlflow
import pandas as pd

from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Artifacts, Metrics, Tables
from pipeline.io.sources.bar_rules import require_symbols
from pipeline.io.sources.files.spikes import REASONS
from pipeline.io.sources.protocol import DELISTED, LiveProvider
from pipeline.io.sources.quality import quality
from pipeline.io.sources.settings import Download
from pipeline.io.store.bulk import WriteResult
from pipeline.io.store.delta import Delta, compare_with_store, mark_digests
from pipeline.io.store.increments import Increment, increment
from pipeline.io.store.revisions import BuildMark
from pipeline.io.tracking import runs
from pipeline.report.quality_page import printed_quality, quality_page
from pipeline.schemas import SESSION, SYMBOL
from pipeline.selection import listed_names
from pipeline.stages._cli import command
from pipeline.values import metric_name
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.ingest")
NAMES = {"stock": "stocks", "index": "indices"}
FEW_BARS_FIRST = ("index", "stock")
"""Whoever adds few bars to full months has to read these again for their digests."""


def run(settings: Settings) -> None:
    """Write what the source has and the store lacks; quarantined bars are counted and named."""
    build.source(settings)  # what cannot be opened is refused before a store is made for it
    with (
        Workspace.open(settings, create=True) as workspace,
        workspace.store.writer("ingest"),
    ):
        store, source = workspace.store, workspace.source
        built = store.built("ingest")
        symbols = _symbols(workspace)
        if _is_current(workspace, built, symbols):
            log.info("ingest: up to date, %s", source.version)
            before = built.detail.get("set_aside") if built else None
            if before:
                log.warning("ingest: nothing was read from %s", ", ".join(before))
            mlflow.log_metric(Metrics.INGEST_ROWS, 0)
            return
        listed = source.symbols()
        require_symbols(listed.index)
        store.write_symbols(listed)
        _name_absent(workspace, listed)
        read = _read(workspace, settings.data.download, symbols)
        refused = {**read.stocks.refused, **read.indices.refused}
        deltas = _deltas(workspace, settings.data.max_withdrawn, read, symbols)
        written = {
            kind: store.write_bars(
                deltas[kind].delivery, read.readjusted, deltas[kind].withdrawn.index
            )
            for kind in FEW_BARS_FIRST
        }
        if not workspace.selection.is_partial:
            for kind, delta in deltas.items():
                mark_digests(store, kind, symbols, delta)
            detail = {"source": source.version, "symbols": symbols, "set_aside": refused}
            store.mark_built("ingest", store.revision(), detail)
    _report_written(written, deltas)
    _report_delivery(read, refused)
    table = quality({"stocks": read.stocks, "indices": read.indices})
    runs.log_table(table, Tables.QUALITY)
    stocks = read.stocks
    page = quality_page(table, stocks.bars, stocks.quarantine, refused, REASONS)
    mlflow.log_text(page, f"{Tables.QUALITY}.html")
    if len(read.stocks.actions):
        runs.log_table(read.stocks.actions, Tables.ACTIONS)
    print(f"\n{printed_quality(table)}\n", flush=True)
    mlflow.log_metrics(_metrics(written, deltas, read, refused))
    if workspace.is_live:
        _report(read)


def _symbols(workspace: Workspace) -> list[str] | None:
    """What is requested of the source: symbols named, else those of the universe; None: all."""
    chosen = workspace.selection.symbols or workspace.members
    return None if chosen is None else list(chosen)


def _is_current(workspace: Workspace, built: BuildMark | None, symbols: list[str] | None) -> bool:
    """Whether the store holds all that this source has of these symbols; a live one has more."""
    version = workspace.source.version
    if built is None or version is None or workspace.selection.is_partial:
        return False
    detail = built.detail
    return detail.get("source") == version and detail.get("symbols") in (None, symbols)


def _read(workspace: Workspace, download: Download | None, symbols: list[str] | None) -> Increment:
    selection, source = workspace.selection, workspace.source
    first, last = selection.first, selection.last
    if download is None:
        stocks, indices = source.bars(symbols, first, last), source.index_bars(first, last)
        return Increment(stocks, indices, len(stocks.bars.index.unique(SYMBOL)), ())
    live = cast(LiveProvider, source)
    requested = sorted(set(symbols or ()))
    return increment(live, workspace.store, requested, download.overlap_sessions, first, last)


def _deltas(
    workspace: Workspace, max_withdrawn: float | None, read: Increment, symbols: list[str] | None
) -> dict[str, Delta]:
    """What there is to write, by kind; a part of a source says nothing about the rest of it."""
    parts = {"stock": read.stocks, "index": read.indices}
    if max_withdrawn is None or workspace.selection.is_partial:
        return {kind: Delta.everything(part) for kind, part in parts.items()}
    return {
        kind: compare_with_store(workspace.store, part, kind, symbols, max_withdrawn)
        for kind, part in parts.items()
    }


def _metrics(
    written: Mapping[str, WriteResult],
    deltas: Mapping[str, Delta],
    read: Increment,
    refused: Mapping[str, str],
) -> dict[str, float]:
    reasons = read.stocks.quarantine["reason"].value_counts()
    return {
        Metrics.INGEST_ROWS: sum(rows.rows for rows in written.values()),
        Metrics.INGEST_QUARANTINED: len(read.stocks.quarantine),
        Metrics.INGEST_GAPS: len(read.stocks.gaps),
        Metrics.INGEST_SET_ASIDE: len(refused),
        Metrics.INGEST_WITHDRAWN: sum(len(delta.withdrawn) for delta in deltas.values()),
        **{
            metric_name(Metrics.INGEST_QUARANTINED, str(reason)): int(count)
            for reason, count in reasons.items()
        },
    }


def _report_written(written: Mapping[str, WriteResult], deltas: Mapping[str, Delta]) -> None:
    for kind, name in NAMES.items():
        rows = written[kind]
        log.info(
            "ingest: %s: %s bars new, %s changed, %s as before",
            name, f"{rows.new:,}", f"{rows.changed:,}",
            f"{rows.unchanged + deltas[kind].unchanged:,}",
        )  # fmt: skip
        _report_gone(name, deltas[kind])


def _name_absent(workspace: Workspace, listed: pd.DataFrame) -> None:
    absent = sorted(set(workspace.members or ()).difference(listed.index))
    if absent:
        log.info(
            "ingest: %d symbols of the universe are not in the source: %s", *listed_names(absent)
        )
        mlflow.log_metric(Metrics.INGEST_UNKNOWN_SYMBOLS, len(absent))


def _report_delivery(read: Increment, refused: Mapping[str, str]) -> None:
    """Say how the source was read and what was left out of it, by reason."""
    for note in (*read.stocks.notes, *read.indices.notes):
        log.info("ingest: %s", note)
    for name, why in refused.items():
        log.warning("ingest: nothing was read from %s: %s", name, why)
    if refused:
        mlflow.log_dict(dict(refused), Artifacts.SET_ASIDE)


def _report_gone(kind: str, part: Delta) -> None:
    fates = {
        "no longer in the files, quarantined": part.withdrawn,
        "kept: not in the files, but not all of these can be read": part.undecided,
    }
    for what, bars in fates.items():
        if len(bars):
            days = bars.index.get_level_values(SESSION)
            log.warning(
                "ingest: %s: %d bars %s, from %s to %s: %d symbols: %s",
                kind, len(bars), what, f"{days.min():%Y-%m-%d}", f"{days.max():%Y-%m-%d}",
                *listed_names(bars.index.unique(SYMBOL)),
            )  # fmt: skip


def _report(read: Increment) -> None:
    """Log what was requested and did not come; every symbol without an answer is named."""
    log.info("ingest: %d stocks requested", read.requested)
    if read.readjusted:
        found = "ingest: history re-adjusted by the source, read again as a whole: %d stocks: %s"
        log.info(found, *listed_names(read.readjusted))
    failed = pd.concat([read.stocks.failed, read.indices.failed])
    for reason, symbols in failed.groupby(failed):
        log.warning(
            "ingest: %s: %d symbols: %s", reason, *listed_names(symbols.index, len(symbols))
        )
    gaps = read.stocks.gaps[~read.stocks.gaps[SYMBOL].isin(failed.index)]
    for reason, rows in gaps.groupby("reason"):
        log.info("ingest: %s: %d symbols: %s", reason, *listed_names(rows[SYMBOL].unique()))
    mlflow.log_metrics(
        {
            Metrics.INGEST_ASKED: read.requested,
            Metrics.INGEST_READJUSTED: len(read.readjusted),
            Metrics.INGEST_FAILED: len(failed),
            Metrics.INGEST_DELISTED: int((gaps["reason"] == DELISTED).sum()),
        }
    )


if __name__ == "__main__":
    command("ingest", run)
