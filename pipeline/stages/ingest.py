"""Ingest: symbols, bars and index bars from the source into the store; only what changed."""

from __future__ import annotations

import logging

import mlflow

from pipeline.settings import Settings
from pipeline.stages import _data
from pipeline.stages._runner import command

log = logging.getLogger("pipeline.ingest")


def run(settings: Settings) -> None:
    """Write what the source has and the store lacks; bars set aside are counted and named."""
    source = _data.source(settings)
    first, last = _data.asked_range(settings)
    with _data.open_store(settings, create=True) as store, store.writer("ingest"):
        built = store.built("ingest")
        if not _data.is_ranged(settings) and built and built.detail.get("source") == source.version:
            log.info("ingest: up to date, %s", source.version)
            mlflow.log_metric("ingest/rows", 0)
            return
        store.write_symbols(source.symbols())
        wanted = list(settings.symbols) if settings.symbols else _data.universe(settings)
        stocks, indices = source.bars(wanted, first, last), source.index_bars(first, last)
        written = {"stocks": store.write_bars(stocks), "indices": store.write_bars(indices)}
        if not _data.is_ranged(settings):
            store.mark_built("ingest", store.revision(), {"source": source.version})
    for name, rows in written.items():
        log.info(
            "ingest: %s: %d bars new, %d changed, %d as before",
            name, rows.new, rows.changed, rows.unchanged,
        )  # fmt: skip
    reasons = stocks.quarantine["reason"].value_counts()
    for reason, count in reasons.items():
        log.info("ingest: set aside %d bars: %s", count, reason)
    mlflow.log_metrics(
        {
            "ingest/rows": sum(rows.rows for rows in written.values()),
            "ingest/quarantined": len(stocks.quarantine),
            "ingest/gaps": len(stocks.gaps),
            **{f"ingest/quarantined/{reason}": int(count) for reason, count in reasons.items()},
        }
    )


if __name__ == "__main__":
    command("ingest", run)
