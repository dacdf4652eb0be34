"""Regimes: the state of the market at the open of every session, the next one included."""

from __future__ import annotations

import logging

import mlflow
import pandas as pd

from pipeline.io.store import Store
from pipeline.market.regimes import VIX, lookback, moves_of, regimes
from pipeline.settings import Settings
from pipeline.stages import _data, _index
from pipeline.stages._past import reasons
from pipeline.stages._recipe import regimes_made_by
from pipeline.stages._runner import command

log = logging.getLogger("pipeline.regimes")


def run(settings: Settings) -> None:
    """Calculate a range, the last `regimes.days`, or everything that changed."""
    with _data.open_store(settings) as store, store.writer("regimes"):
        sessions = _data.require_bars(store, "regimes")
        revision = store.revision()
        index = _index.market_index(settings, store)
        partial = _data.is_ranged(settings) or settings.regimes.days is not None
        made_by = regimes_made_by(settings, index.symbol)
        changes = _data.stale_since(store, "regimes", ("bars",), made_by)
        if not partial and changes.empty:
            log.info("regimes: up to date, from %s", index.symbol)
            mlflow.log_metric("regimes/rows", 0)
            return
        following = _data.next_session(settings, sessions[-1])
        wanted = _wanted(settings, _data.with_next(sessions, following))
        if not partial:
            wanted = wanted[wanted >= changes["first_session"].min()]
        states = _states(settings, store, index, wanted)
        before = store.built("regimes")
        switched = before is not None and before.detail.get("index") != index.symbol
        why = [] if before is None else reasons(store, before.revision, _made_of(store, index))
        written = store.write_regimes(states, index.symbol, whole=not partial, switched=switched)
        if not partial:
            store.mark_built("regimes", revision, made_by)
    _report(settings, index, states)
    for reason in why:
        log.info("regimes: rebuilt from %s on: %s", f"{wanted[0]:%Y-%m-%d}", reason)
    counts = states["regime"].value_counts()
    mlflow.set_tag("regimes.index", index.symbol)
    mlflow.log_metrics(
        {"regimes/rows": written.rows, **{f"regimes/{n}": int(c) for n, c in counts.items()}}
    )


def _wanted(settings: Settings, sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
    days = settings.regimes.days
    if days is not None:
        return sessions[sessions > sessions[-1] - pd.Timedelta(days=days)]
    return _data.within(sessions, settings, "regimes")


def _states(
    settings: Settings, store: Store, index: _index.MarketIndex, wanted: pd.DatetimeIndex
) -> pd.DataFrame:
    back = lookback(settings.regimes.volatility_window) + 1
    kind = "stock" if index.is_universe else "index"
    start = _data.sessions_before(store.sessions(kind), wanted[0], back)
    stocks = store.bar_panel(start=start) if index.is_universe else None
    moves, vix = moves_of(stocks, store.bar_panel(start=start, kind="index"), index.symbol)
    return regimes(moves, wanted, vix, **settings.regimes.model_dump(exclude={"days"}))


def _made_of(store: Store, index: _index.MarketIndex) -> list[str]:
    """Symbols whose bars decide regimes."""
    own = store.symbols("stock").index if index.is_universe else [index.symbol]
    return [*own, VIX]


def _report(settings: Settings, index: _index.MarketIndex, states: pd.DataFrame) -> None:
    counts = states["regime"].value_counts()
    log.info("regimes: from %s (%s)", index.symbol, index.why)
    log.info("regimes: %d sessions: %s", len(states), counts.to_dict())
    if states["vix_level"].isna().all():
        log.info("regimes: no VIX in the store, regimes come from trend and volatility alone")
    if "UNKNOWN" in counts:
        log.info(
            "regimes: %d sessions are UNKNOWN: they lack %d sessions of %s before them",
            counts["UNKNOWN"],
            lookback(settings.regimes.volatility_window),
            index.symbol,
        )


if __name__ == "__main__":
    command("regimes", run)
