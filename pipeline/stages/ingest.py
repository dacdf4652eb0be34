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
            if built.detail.get("set_aside"):
                log.warning("ingest: nothing was taken of %s", ", ".join(built.detail["set_aside"]))
            mlflow.log_metric("ingest/rows", 0)
            return
        store.write_symbols(source.symbols())
        wanted = list(settings.symbols) if settings.symbols else _data.universe(settings)
        stocks, indices = source.bars(wanted, first, last), source.index_bars(first, last)
        set_aside = {**stocks.set_aside, **indices.set_aside}
        written = {"stocks": store.write_bars(stocks), "indices": store.write_bars(indices)}
        if not _data.is_ranged(settings):
            detail = {"source": source.version, "set_aside": sorted(set_aside)}
            store.mark_built("ingest", store.revision(), detail)
    for name, rows in written.items():
        log.info(
            "ingest: %s: %d bars new, %d changed, %d as before",
            name, rows.new, rows.changed, rows.unchanged,
        )  # fmt: skip
    delivered = {"stocks": stocks, "indices": indices}
    for note in (*stocks.notes, *indices.notes):
        log.info("ingest: %s", note)
    for name, why in set_aside.items():
        log.warning("ingest: nothing taken of %s: %s", name, why)
    for kind, delivery in delivered.items():
        for reason, count in delivery.quarantine["reason"].value_counts().items():
            log.info("ingest: %s: set aside %d bars: %s", kind, count, reason)
    reasons = stocks.quarantine["reason"].value_counts()
    if set_aside:
        mlflow.log_dict(set_aside, "set_aside.json")
    mlflow.log_metrics(
        {
            "ingest/rows": sum(rows.rows for rows in written.values()),
            "ingest/quarantined": len(stocks.quarantine),
            "ingest/gaps": len(stocks.gaps),
            "ingest/set_aside": len(set_aside),
            **{f"ingest/quarantined/{reason}": int(count) for reason, count in reasons.items()},
        }
    )


if __name__ == "__main__":
    command("ingest", run)
