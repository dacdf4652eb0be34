"""Regimes: the state of the market at the open of every session, the next one included."""

from __future__ import annotations

import logging

import mlflow
import pandas as pd

from pipeline.io.store import Store
from pipeline.market.regimes import lookback, moves_of, regimes
from pipeline.schemas import UNIVERSE_INDEX
from pipeline.settings import Settings
from pipeline.stages import _data
from pipeline.stages._runner import command

log = logging.getLogger("pipeline.regimes")


def run(settings: Settings) -> None:
    """Calculate a range, the last `regimes.days`, or everything that changed."""
    with _data.open_store(settings) as store, store.writer("regimes"):
        sessions = _data.require_bars(store, "regimes")
        revision = store.revision()
        index = _data.market_index(settings, store)
        partial = _data.is_ranged(settings) or settings.regimes.days is not None
        changes = _data.stale_since(store, f"regimes {index}", ("bars",))
        if not partial and changes.empty:
            log.info("regimes: up to date, from %s", index)
            mlflow.log_metric("regimes/rows", 0)
            return
        following = _data.next_session(settings, sessions[-1])
        wanted = _wanted(settings, _data.with_next(sessions, following))
        if not partial:
            wanted = wanted[wanted >= changes["first_session"].min()]
        states = _states(settings, store, index, wanted)
        written = store.write_regimes(states, index)
        if not partial:
            store.mark_built(f"regimes {index}", revision)
    counts = states["regime"].value_counts()
    log.info("regimes: from %s, %d sessions: %s", index, len(states), counts.to_dict())
    if index == UNIVERSE_INDEX:
        log.info("regimes: no index in the store, the universe's equal-weight mean is used")
    if states["vix_level"].isna().all():
        log.info("regimes: no VIX in the store, regimes come from trend and volatility alone")
    if "UNKNOWN" in counts:
        log.info(
            "regimes: %d sessions are UNKNOWN: they lack %d sessions of %s before them",
            counts["UNKNOWN"],
            lookback(settings.regimes.volatility_window),
            index,
        )
    mlflow.set_tag("regimes.index", index)
    mlflow.log_metrics(
        {"regimes/rows": written.rows, **{f"regimes/{n}": int(c) for n, c in counts.items()}}
    )


def _wanted(settings: Settings, sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
    days = settings.regimes.days
    if days is not None:
        return sessions[sessions > sessions[-1] - pd.Timedelta(days=days)]
    return _data.within(sessions, settings, "regimes")


def _states(settings: Settings, store: Store, index: str, wanted: pd.DatetimeIndex) -> pd.DataFrame:
    kind = "stock" if index == UNIVERSE_INDEX else "index"
    back = lookback(settings.regimes.volatility_window) + 1
    start = _data.sessions_before(store.sessions(kind), wanted[0], back)
    moves, vix = moves_of(store.bar_panel(start=start, kind=kind), index)
    limits = settings.regimes.model_dump(exclude={"days"})
    return regimes(moves, wanted, vix, **limits)


if __name__ == "__main__":
    command("regimes", run)
