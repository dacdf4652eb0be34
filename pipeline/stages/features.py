"""Features: snapshots of every session that lacks them, the next session included."""

from __future__ import annotations

import logging

import mlflow
import pandas as pd

from pipeline.io import tracking
from pipeline.io.store import Store
from pipeline.market.features import (
    FeatureInputs,
    Snapshots,
    catalogue,
    market_closes,
    snapshots,
    warm_up,
)
from pipeline.settings import Settings
from pipeline.stages import _data, _index
from pipeline.stages._past import reasons
from pipeline.stages._recipe import feature_set, row_selection
from pipeline.stages._runner import command

log = logging.getLogger("pipeline.features")
MADE_OF = ("bars", "symbols", "indicators", "regimes")


def run(settings: Settings) -> None:
    """Build a date, a range, an exchange, some symbols, or all that is missing or stale."""
    if settings.features.list:
        print(catalogue(feature_set(settings)).to_string(index=False))
        return
    with _data.open_store(settings) as store, store.writer("features"):
        sessions = _data.require_bars(store, "features")
        revision = store.revision()
        following = _data.next_session(settings, sessions[-1])
        calendar = _data.with_next(sessions, following)
        kept = _data.snapshot_store(settings)
        covered = kept.covered(store.store_id)["revision"]
        kept.forget(pd.DatetimeIndex(covered.index.difference(calendar)))
        wanted = _wanted(settings, store, calendar, covered)
        if wanted.empty:
            log.info("features: up to date, %s", settings.features.name)
            mlflow.log_metric("features/rows", 0)
            return
        built = _built(settings, store, wanted, following)
        symbols = _data.chosen_symbols(settings, store, "features")
        rows = built.rows if symbols is None else built.rows.loc[(slice(None), symbols), :]
        months = kept.write(
            rows,
            sessions=wanted,
            revision=revision,
            store_id=store.store_id,
            whole=symbols is None,
        )
        before = covered.reindex(wanted).min()  # NaN where none of them was built before
        why = [] if pd.isna(before) else reasons(store, int(before), store.symbols("stock").index)
    log.info(
        "features: %d snapshots of %d sessions from %s to %s; left out: %s",
        len(rows), len(wanted), f"{wanted[0]:%Y-%m-%d}", f"{wanted[-1]:%Y-%m-%d}", built.left_out,
    )  # fmt: skip
    for reason in why:
        log.info("features: rebuilt %d months from %s on: %s", months, f"{wanted[0]:%Y-%m}", reason)
    left_out = {
        tracking.metric_name("features/left_out", reason): n for reason, n in built.left_out.items()
    }
    mlflow.log_metrics({"features/rows": len(rows), "features/months": months, **left_out})


def _wanted(
    settings: Settings, store: Store, sessions: pd.DatetimeIndex, covered: pd.Series
) -> pd.DatetimeIndex:
    """Sessions to build: all that were asked for by symbol, else those that are missing."""
    chosen = _data.within(sessions, settings, "features")
    by_symbol = settings.symbols is not None or settings.exchange is not None
    if settings.features.overwrite or by_symbol:
        return chosen
    return _missing(settings, store, sessions, covered).intersection(chosen)


def missing_sessions(
    settings: Settings, store: Store, sessions: pd.DatetimeIndex
) -> pd.DatetimeIndex:
    """Those of the sessions that were never built, or whose look-back changed since."""
    covered = _data.snapshot_store(settings).covered(store.store_id)["revision"]
    return _missing(settings, store, sessions, covered)


def _missing(
    settings: Settings, store: Store, sessions: pd.DatetimeIndex, covered: pd.Series
) -> pd.DatetimeIndex:
    revisions = covered.reindex(sessions, fill_value=-1)
    changes = store.changes(since_revision=max(int(revisions.min()), 0))
    back = warm_up(feature_set(settings), settings.features.min_history)
    stale = revisions.to_numpy() < 0
    for revision, change in changes[changes["kind"].isin(MADE_OF)].iterrows():
        reach = _reach(sessions, change["first_session"], change["last_session"], back)
        stale |= (revisions.to_numpy() < revision) & sessions.isin(reach)
    return sessions[stale]


def _reach(
    sessions: pd.DatetimeIndex, first: pd.Timestamp, last: pd.Timestamp, back: int
) -> pd.DatetimeIndex:
    """Sessions whose snapshots look at a change; one without dates concerns all."""
    if pd.isna(first):
        return sessions
    end = int((sessions <= last).sum()) + back
    return sessions[int((sessions < first).sum()) : end]


def _built(
    settings: Settings, store: Store, wanted: pd.DatetimeIndex, following: pd.Timestamp
) -> Snapshots:
    features = feature_set(settings)
    back = warm_up(features, settings.features.min_history)
    sessions = store.sessions()
    start = _data.sessions_before(sessions, wanted[0], back + 1)
    end = min(wanted[-1], sessions[-1])
    listed = store.bar_panel(start=start, end=end, kind="index")
    index = _index.market_index(settings, store).symbol
    read_back = max((f.lookback for f in features if "indicators" in f.reads), default=0)
    first_read = _data.sessions_before(sessions, wanted[0], read_back + 1)
    inputs = FeatureInputs(
        bars=store.bar_panel(start=start, end=end),
        indicators=store.indicator_panel(start=first_read, end=end),
        market=market_closes(listed, index),
        regimes=store.regimes(index),
        symbols=store.symbols("stock"),
        short_sessions=_data.short_sessions(settings, wanted),
    )
    return snapshots(
        features,
        inputs,
        wanted,
        next_session=following if wanted[-1] == following else None,
        **row_selection(settings),
    )


if __name__ == "__main__":
    command("features", run)
