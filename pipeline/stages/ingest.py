"""Ingest: symbols, bars and index bars from the source into the store; only what changed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import cast

import mlflow
import pandas as pd

from pipeline.io import tracking
from pipeline.io.bulk import Written
from pipeline.io.increments import Increment, increment
from pipeline.io.news import News, mark, news
from pipeline.io.providers import DELISTED, LiveProvider, Provider
from pipeline.io.revisions import Built
from pipeline.io.store import Store
from pipeline.schemas import SESSION, SYMBOL
from pipeline.settings import Settings
from pipeline.stages import _data
from pipeline.stages._runner import command

log = logging.getLogger("pipeline.ingest")
NAMES = {"stock": "stocks", "index": "indices"}


def run(settings: Settings) -> None:
    """Write what the source has and the store lacks; bars set aside are counted and named."""
    source = _data.source(settings)
    ranged = _data.is_ranged(settings)
    with _data.open_store(settings, create=True) as store, store.writer("ingest"):
        built = store.built("ingest")
        wanted = _data.named_symbols(settings) or _data.universe(settings)
        unchanging = source.version is not None
        known = built is not None and _is_of(built, source, wanted)
        if unchanging and not ranged and known:
            log.info("ingest: up to date, %s", source.version)
            if built and built.detail.get("set_aside"):
                log.warning("ingest: nothing was taken of %s", ", ".join(built.detail["set_aside"]))
            mlflow.log_metric("ingest/rows", 0)
            return
        listed = source.symbols()
        store.write_symbols(listed)
        _name_absent(settings, listed)
        read = _read(settings, source, store, wanted)
        set_aside = {**read.stocks.set_aside, **read.indices.set_aside}
        found = _news(settings, store, read, wanted)
        written = {kind: _written(store, part, read.reread) for kind, part in found.items()}
        if not ranged:
            for kind, part in found.items():
                mark(store, kind, wanted, part)
            detail = {"source": source.version, "symbols": wanted, "set_aside": sorted(set_aside)}
            store.mark_built("ingest", store.revision(), detail)
    for kind, rows in written.items():
        log.info(
            "ingest: %s: %d bars new, %d changed, %d as before",
            NAMES[kind], rows.new, rows.changed, rows.unchanged + found[kind].as_before,
        )  # fmt: skip
        _report_gone(NAMES[kind], found[kind])
    _report_delivery(read, set_aside)
    reasons = read.stocks.quarantine["reason"].value_counts()
    mlflow.log_metrics(
        {
            "ingest/rows": sum(rows.rows for rows in written.values()),
            "ingest/quarantined": len(read.stocks.quarantine),
            "ingest/gaps": len(read.stocks.gaps),
            "ingest/set_aside": len(set_aside),
            "ingest/withdrawn": sum(len(part.gone) for part in found.values()),
            **{
                tracking.metric_name("ingest/quarantined", str(reason)): int(count)
                for reason, count in reasons.items()
            },
        }
    )
    if not unchanging:
        _report(read)


def _is_of(built: Built, source: Provider, wanted: list[str] | None) -> bool:
    """Whether what was built holds all that this source has of these symbols."""
    detail = built.detail
    return detail.get("source") == source.version and detail.get("symbols") in (None, wanted)


def _read(
    settings: Settings, source: Provider, store: Store, wanted: list[str] | None
) -> Increment:
    first, last = _data.asked_range(settings)
    download = settings.data.download
    if download is None:
        stocks, indices = source.bars(wanted, first, last), source.index_bars(first, last)
        return Increment(stocks, indices, len(stocks.bars.index.unique(SYMBOL)), ())
    symbols = sorted(set(wanted or ()))
    live = cast(LiveProvider, source)
    return increment(live, store, symbols, download.overlap_sessions, first, last)


def _news(
    settings: Settings, store: Store, read: Increment, wanted: list[str] | None
) -> dict[str, News]:
    """What there is to write, by kind; a part of a source says nothing about the rest of it."""
    most = settings.data.max_withdrawn
    parts = {"stock": read.stocks, "index": read.indices}
    if most is None or _data.is_ranged(settings):
        return {kind: News.all_of(part) for kind, part in parts.items()}
    return {kind: news(store, part, kind, wanted, most) for kind, part in parts.items()}


def _written(store: Store, part: News, reread: Iterable[str]) -> Written:
    return store.write_bars(part.delivery, reread, part.gone.index)


def _name_absent(settings: Settings, listed: pd.DataFrame) -> None:
    absent = sorted(set(_data.universe(settings) or ()).difference(listed.index))
    if absent:
        log.info(
            "ingest: %d symbols of the universe are not in the source: %s", *_data.named(absent)
        )
        mlflow.log_metric("ingest/unknown_symbols", len(absent))


def _report_delivery(read: Increment, set_aside: Mapping[str, str]) -> None:
    """Say how the source was read and what was left out of it, by reason."""
    for note in (*read.stocks.notes, *read.indices.notes):
        log.info("ingest: %s", note)
    for name, why in set_aside.items():
        log.warning("ingest: nothing taken of %s: %s", name, why)
    for kind, delivery in (("stocks", read.stocks), ("indices", read.indices)):
        for reason, count in delivery.quarantine["reason"].value_counts().items():
            log.info("ingest: %s: set aside %d bars: %s", kind, count, reason)
    if set_aside:
        mlflow.log_dict(dict(set_aside), "set_aside.json")


def _report_gone(kind: str, part: News) -> None:
    fates = {
        "no longer in the files, set aside": part.gone,
        "kept: not in the files, but not all of these can be read": part.kept,
    }
    for what, bars in fates.items():
        if len(bars):
            days = bars.index.get_level_values(SESSION)
            log.warning(
                "ingest: %s: %d bars %s, from %s to %s: %d symbols: %s",
                kind, len(bars), what, f"{days.min():%Y-%m-%d}", f"{days.max():%Y-%m-%d}",
                *_data.named(bars.index.unique(SYMBOL)),
            )  # fmt: skip


def _report(read: Increment) -> None:
    """Say what was asked for and did not come; every symbol without an answer is named."""
    log.info("ingest: asked for %d stocks", read.asked)
    if read.reread:
        found = "ingest: history re-adjusted by the source, read again as a whole: %d stocks: %s"
        log.info(found, *_data.named(read.reread))
    failed = pd.concat([read.stocks.failed, read.indices.failed])
    for reason, symbols in failed.groupby(failed):
        log.warning("ingest: %s: %d symbols: %s", reason, *_data.named(symbols.index, len(symbols)))
    gaps = read.stocks.gaps[~read.stocks.gaps[SYMBOL].isin(failed.index)]
    for reason, rows in gaps.groupby("reason"):
        log.info("ingest: %s: %d symbols: %s", reason, *_data.named(rows[SYMBOL].unique()))
    mlflow.log_metrics(
        {
            "ingest/asked": read.asked,
            "ingest/readjusted": len(read.reread),
            "ingest/failed": len(failed),
            "ingest/delisted": int((gaps["reason"] == DELISTED).sum()),
        }
    )


if __name__ == "__main__":
    command("ingest", run)
