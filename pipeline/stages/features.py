"""Features: snapshots of every session that lacks them, the next session included."""

from __future__ import annotations

import logging

import mlflow
import pandas as pd

from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Metrics
from pipeline.io.sources.universe import members
from pipeline.io.store.coverage import missing_sessions, oldest_revision, rebuild_reasons
from pipeline.market.features import (
    FeatureInputs,
    Snapshots,
    catalogue,
    market_closes,
    snapshots,
)
from pipeline.market.membership import of_members
from pipeline.selection import sessions_before
from pipeline.stages._cli import command
from pipeline.values import metric_name
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.features")


def run(settings: Settings) -> None:
    """Build a date, a range, an exchange, some symbols, or all that is missing or stale."""
    if settings.features.list:
        print(catalogue(build.feature_set(settings).features).to_string(index=False))
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
            mlflow.log_metric(Metrics.FEATURE_ROWS, 0)
            return
        built = _built(workspace, chosen, following=calendar[-1])
        symbols = workspace.selection.among(store.symbols("stock"), "features")
        rows = built.rows if symbols is None else built.rows.loc[(slice(None), symbols), :]
        months = stored.write(
            rows,
            sessions=chosen,
            revision=revision,
            store_id=store.store_id,
            whole=symbols is None,
        )
        before = oldest_revision(store, covered.reindex(chosen).dropna())
        stocks = store.symbols("stock").index
        why = [] if before is None else rebuild_reasons(store, before, stocks)
    log.info(
        "features: %d snapshots of %d sessions from %s to %s; left out: %s",
        len(rows), len(chosen), f"{chosen[0]:%Y-%m-%d}", f"{chosen[-1]:%Y-%m-%d}", built.left_out,
    )  # fmt: skip
    for reason in why:
        log.info("features: rebuilt %d months from %s on: %s", months, f"{chosen[0]:%Y-%m}", reason)
    left_out = {
        metric_name(Metrics.FEATURES_LEFT_OUT, reason): n for reason, n in built.left_out.items()
    }
    mlflow.log_metrics(
        {Metrics.FEATURE_ROWS: len(rows), Metrics.FEATURE_MONTHS: months, **left_out}
    )


def _to_build(
    workspace: Workspace, sessions: pd.DatetimeIndex, *, overwrite: bool
) -> pd.DatetimeIndex:
    """Sessions to build: all that were asked for by symbol, else those that are missing."""
    chosen = workspace.selection.within(sessions, "features")
    if overwrite or workspace.selection.by_symbol:
        return chosen
    return missing_sessions(
        workspace.store, workspace.snapshot_store, sessions, workspace.features.warm_up
    ).intersection(chosen)


def _built(workspace: Workspace, chosen: pd.DatetimeIndex, following: pd.Timestamp) -> Snapshots:
    store, features = workspace.store, workspace.features
    sessions = store.sessions()
    start = sessions_before(sessions, chosen[0], features.warm_up + 1)
    end = min(chosen[-1], sessions[-1])
    indicators_from = sessions_before(sessions, chosen[0], features.indicator_lookback + 1)
    inputs = FeatureInputs(
        bars=store.bar_panel(start=start, end=end),
        indicators=store.indicator_panel(start=indicators_from, end=end),
        market=market_closes(
            store.bar_panel(start=start, end=end, kind="index"), workspace.index.symbol
        ),
        regimes=workspace.regimes(),
        symbols=store.symbols("stock"),
        short_sessions=workspace.short_sessions(chosen),
    )

    def make(inputs: FeatureInputs, sessions: pd.DatetimeIndex) -> Snapshots:
        return snapshots(
            features.features,
            inputs,
            sessions,
            next_session=following if sessions[-1] == following else None,
            **dict(features.rows),
        )

    if workspace.dated is None:
        return make(inputs, chosen)
    return of_members(make, inputs, members(workspace.dated, chosen))


if __name__ == "__main__":
    command("features", run)
