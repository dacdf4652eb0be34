"""Features: snapshots of every session that lacks them, the next session included."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pandas as pd

from pipeline.config import build
from pipeline.config.feature_blocks import Block, BlockSnapshots, block_snapshots
from pipeline.config.sections import Compute
from pipeline.config.settings import Settings
from pipeline.contract import Metrics
from pipeline.io.sources.universe import members
from pipeline.io.store.coverage import missing_sessions, oldest_revision, rebuild_reasons
from pipeline.io.tracking import later
from pipeline.market.features import FeatureInputs, catalogue, market_closes
from pipeline.report.numbers import counts_in_words
from pipeline.report.text_tables import paragraphs
from pipeline.selection import blocks, sessions_before
from pipeline.stages._cli import command
from pipeline.values import metric_name
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.features")


def run(settings: Settings) -> None:
    """Build a date, a range, an exchange, some symbols, or all that is missing or stale."""
    if settings.features.list:
        print(paragraphs(catalogue(build.feature_set(settings).features)))
        return
    with Workspace.open(settings) as workspace, workspace.store.writer("features"):
        store, stored = workspace.store, workspace.snapshot_store
        sessions = workspace.require_bars("features")
        revision = store.revision()
        calendar = workspace.with_next(sessions)
        covered = stored.covered(store.store_id)["revision"]
        stored.forget(pd.DatetimeIndex(covered.index.difference(calendar)))
        chosen = _to_build(workspace, calendar, overwrite=settings.features.overwrite)
        if chosen.empty:
            log.info("features: up to date, %s", workspace.features.name)
            later.log_later({Metrics.FEATURE_ROWS: 0})
            return
        symbols = workspace.selection.among(store.symbols("stock"), "features")
        count, months, left_out = 0, 0, Counter[str]()
        for built in _built(workspace, _blocks(workspace, chosen, calendar[-1]), settings.compute):
            rows = built.made.rows
            rows = rows if symbols is None else rows.loc[(slice(None), symbols), :]
            months += stored.write(
                rows, sessions=built.sessions, revision=revision, store_id=store.store_id,
                whole=symbols is None,
            )  # fmt: skip
            count += len(rows)
            left_out.update(built.made.left_out)
        before = oldest_revision(store, covered.reindex(chosen).dropna())
        why = [] if before is None else rebuild_reasons(store, before, store.symbols("stock").index)
    log.info(
        "features: %s snapshots of %d sessions from %s to %s; left out: %s",
        f"{count:,}", len(chosen), f"{chosen[0]:%Y-%m-%d}", f"{chosen[-1]:%Y-%m-%d}",
        counts_in_words(left_out),
    )  # fmt: skip
    for reason in why:
        log.info("features: rebuilt %d months from %s on: %s", months, f"{chosen[0]:%Y-%m}", reason)
    by_reason = {metric_name(Metrics.FEATURES_LEFT_OUT, why): n for why, n in left_out.items()}
    later.log_later({Metrics.FEATURE_ROWS: count, Metrics.FEATURE_MONTHS: months, **by_reason})


def _to_build(
    workspace: Workspace, sessions: pd.DatetimeIndex, *, overwrite: bool
) -> pd.DatetimeIndex:
    """Sessions to build: all that were requested by symbol, else those that are missing."""
    chosen = workspace.selection.within(sessions, "features")
    if overwrite or workspace.selection.by_symbol:
        return chosen
    return missing_sessions(
        workspace.store, workspace.snapshot_store, sessions, workspace.features.warm_up
    ).intersection(chosen)


def _built(
    workspace: Workspace, parts: Iterator[Block], compute: Compute
) -> Iterator[BlockSnapshots]:
    """The snapshots of each part, in order: one after the other here, side by side on a cluster."""
    shared = (workspace.features.name, dict(workspace.features.rows))
    if compute.name == "local":
        yield from map(partial(block_snapshots, *shared), parts)
        return
    with build.pool(compute, "features") as pool:
        yield from pool.map(block_snapshots, parts, *shared)


def _blocks(
    workspace: Workspace, chosen: pd.DatetimeIndex, following: pd.Timestamp
) -> Iterator[Block]:
    """Parts of the sessions, each with what it is made of; read when it is asked for."""
    store, features, dated = workspace.store, workspace.features, workspace.dated
    sessions, symbols = store.sessions(), store.symbols("stock")
    for part in blocks(chosen, len(symbols), features.warm_up + 1):
        start = sessions_before(sessions, part[0], features.warm_up + 1)
        end = min(part[-1], sessions[-1])
        indicators_from = sessions_before(sessions, part[0], features.indicator_lookback + 1)
        inputs = FeatureInputs(
            bars=store.bar_panel(start=start, end=end),
            indicators=store.indicator_panel(start=indicators_from, end=end),
            market=market_closes(
                store.bar_panel(start=start, end=end, kind="index"), workspace.index.symbol
            ),
            regimes=workspace.regimes(), symbols=symbols,
            short_sessions=workspace.short_sessions(part),
            price_factor=store.price_factor(sessions),
        )  # fmt: skip
        yield Block(inputs, part, following, None if dated is None else members(dated, part))


if __name__ == "__main__":
    command("features", run)
