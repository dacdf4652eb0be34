"""Regimes: the state of the market at the open of every session, the next one included."""

from __future__ import annotations

import logging

import pandas as pd

from pipeline.config.settings import Settings
from pipeline.contract import Metrics, Tags
from pipeline.io.store.coverage import rebuild_reasons
from pipeline.io.store.market_index import MarketIndex
from pipeline.io.tracking import later, notes
from pipeline.market.regimes import VIX, lookback, moves_of, regimes
from pipeline.recipe.feature_set import RegimeLimits, regimes_made_by
from pipeline.report.numbers import counts_in_words
from pipeline.selection import sessions_before
from pipeline.stages._cli import command
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.regimes")


def run(settings: Settings) -> None:
    """Calculate a range, the last `regimes.days`, or everything that changed."""
    days = settings.regimes.days
    with Workspace.open(settings) as workspace, workspace.store.writer("regimes"):
        store, index = workspace.store, workspace.index
        limits = workspace.features.limits
        sessions = workspace.require_bars("regimes")
        revision = store.revision()
        is_partial = workspace.selection.is_partial or days is not None
        made_by = regimes_made_by(limits, index.symbol)
        changes = workspace.changes_since("regimes", ("bars",), made_by)
        if not is_partial and changes.empty:
            log.info("regimes: up to date, from %s", index.symbol)
            later.log_later({Metrics.REGIME_ROWS: 0})
            return
        chosen = _chosen(workspace, workspace.with_next(sessions), days)
        if not is_partial:
            chosen = chosen[chosen >= changes["first_session"].min()]
        states = _states(workspace, chosen)
        before = store.built("regimes")
        switched = before is not None and before.detail.get("index") != index.symbol
        made_of = _symbols_behind(workspace)
        why = [] if before is None else rebuild_reasons(store, before.revision, made_of)
        written = store.write_regimes(states, index.symbol, whole=not is_partial, switched=switched)
        if not is_partial:
            store.mark_built("regimes", revision, made_by)
    _report(limits, index, states)
    for reason in why:
        log.info("regimes: rebuilt from %s on: %s", f"{chosen[0]:%Y-%m-%d}", reason)
    counts = states["regime"].value_counts()
    notes.set_tags({Tags.REGIMES_INDEX: index.symbol})
    by_regime = {f"{Metrics.REGIMES}{name}": int(count) for name, count in counts.items()}
    later.log_later({Metrics.REGIME_ROWS: written.rows, **by_regime})


def _chosen(workspace: Workspace, sessions: pd.DatetimeIndex, days: int | None) -> pd.DatetimeIndex:
    if days is not None:
        return sessions[sessions > sessions[-1] - pd.Timedelta(days=days)]
    return workspace.selection.within(sessions, "regimes")


def _states(workspace: Workspace, chosen: pd.DatetimeIndex) -> pd.DataFrame:
    store, index, limits = workspace.store, workspace.index, workspace.features.limits
    back = lookback(limits.volatility_window) + 1
    kind = "stock" if index.is_universe else "index"
    start = sessions_before(store.sessions(kind), chosen[0], back)
    stocks = store.bar_panel(start=start) if index.is_universe else None
    moves, vix = moves_of(stocks, store.bar_panel(start=start, kind="index"), index.symbol)
    return regimes(moves, chosen, vix, **dict(limits))


def _symbols_behind(workspace: Workspace) -> list[str]:
    """Symbols whose bars decide regimes."""
    index = workspace.index
    stocks = workspace.store.symbols("stock").index
    return [*(stocks if index.is_universe else [index.symbol]), VIX]


def _report(limits: RegimeLimits, index: MarketIndex, states: pd.DataFrame) -> None:
    counts = states["regime"].value_counts()
    log.info("regimes: from %s (%s)", index.symbol, index.why)
    log.info("regimes: %d sessions: %s", len(states), counts_in_words(counts.to_dict()))
    if states["vix_level"].isna().all():
        log.info("regimes: no VIX in the store, regimes come from trend and volatility alone")
    if "UNKNOWN" in counts:
        log.info(
            "regimes: %d sessions are UNKNOWN: they lack %d sessions of %s before them",
            counts["UNKNOWN"], lookback(limits.volatility_window), index.symbol,
        )  # fmt: skip


if __name__ == "__main__":
    command("regimes", run)
