"""Ingest: symbols, bars and index bars from the source into the store; only what changed."""

from __future__ import annotations

import json
import logging

from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Artifacts, Metrics, Tables
from pipeline.io.sources.files.spikes import REASONS
from pipeline.io.store.ingestion import Ingested, Ingestion
from pipeline.io.store.ingestion_log import log_answers, log_ingested
from pipeline.io.tracking import later, run_files, runs
from pipeline.report.quality_page import printed_quality, quality_page
from pipeline.stages._cli import command
from pipeline.values import listed_names
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.ingest")


def run(settings: Settings) -> None:
    """Write what the source has and the store lacks; quarantined bars are counted and named."""
    build.source(settings)  # what cannot be opened is refused before a store is made for it
    with (
        Workspace.open(settings, create=True) as workspace,
        workspace.store.writer("ingest"),
    ):
        ingestion = Ingestion(
            workspace.store, workspace.source, workspace.selection, workspace.members
        )
        if ingestion.is_current:
            log.info("ingest: up to date, %s", ingestion.source.version)
            if before := ingestion.refused_before:
                log.warning("ingest: nothing was read from %s", ", ".join(before))
            later.log_later({Metrics.INGEST_ROWS: 0})
            return
        if absent := ingestion.write_symbols():
            log.info(
                "ingest: %d symbols of the universe are not in the source: %s",
                *listed_names(absent),
            )
            later.log_later({Metrics.INGEST_UNKNOWN_SYMBOLS: len(absent)})
        read = ingestion.read(settings.data.download)
        done = ingestion.write(read, settings.data.max_withdrawn)
        log_ingested(done)
        earnings = ingestion.earnings(settings.data.download)
    if earnings is not None:
        runs.log_table(earnings.rows, Tables.EARNINGS)
    _record(done)
    if workspace.is_live:
        log_answers(done)
        later.log_later(done.metrics_of_answers)


def _record(done: Ingested) -> None:
    """Tables, the page of the data's quality, and metrics of the open run."""
    stocks, refused = done.read.stocks, done.refused
    if refused:
        run_files.log_text(json.dumps(refused, indent=2), Artifacts.SET_ASIDE)
    runs.log_table(done.quality, Tables.QUALITY)
    page = quality_page(done.quality, stocks.bars, stocks.quarantine, refused, REASONS)
    run_files.log_text(page, Artifacts.QUALITY_PAGE)
    if len(stocks.actions):
        runs.log_table(stocks.actions, Tables.ACTIONS)
    print(f"\n{printed_quality(done.quality)}\n", flush=True)
    later.log_later(done.metrics)


if __name__ == "__main__":
    command("ingest", run)
