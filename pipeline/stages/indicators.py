"""Indicators: RSI, MACD, ATR and OBV for the bars that lack them."""

from __future__ import annotations

import logging

import mlflow
import pandas as pd

from pipeline.io.store import Store
from pipeline.market.indicators import WARM_UP, indicators
from pipeline.schemas import BarPanel
from pipeline.settings import Settings
from pipeline.stages import _data
from pipeline.stages._recipe import indicators_made_by
from pipeline.stages._runner import command

log = logging.getLogger("pipeline.indicators")


def run(settings: Settings) -> None:
    """Calculate from the first changed bar on; `indicators.force=true` from the first bar."""
    with _data.open_store(settings) as store, store.writer("indicators"):
        sessions = _data.require_bars(store, "indicators")
        revision = store.revision()
        wanted = _wanted(settings, store, sessions)
        if wanted.empty:
            log.info("indicators: up to date")
            mlflow.log_metric("indicators/rows", 0)
            return
        written = store.write_indicators(*_calculated(store, sessions, wanted, settings))
        if not _data.is_ranged(settings):
            store.mark_built("indicators", revision, indicators_made_by())
    log.info(
        "indicators: %d rows written from %s to %s",
        written.rows, f"{wanted[0]:%Y-%m-%d}", f"{wanted[-1]:%Y-%m-%d}",
    )  # fmt: skip
    mlflow.log_metric("indicators/rows", written.rows)


def _wanted(settings: Settings, store: Store, sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
    if _data.is_ranged(settings):
        return _data.within(sessions, settings, "indicators")
    if settings.indicators.force:
        return sessions
    changes = _data.stale_since(store, "indicators", ("bars",), indicators_made_by())
    return sessions[sessions >= changes["first_session"].min()]


def _calculated(
    store: Store, sessions: pd.DatetimeIndex, wanted: pd.DatetimeIndex, settings: Settings
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Indicators from a warm-up before `wanted` on, and the cells to write."""
    start = _data.sessions_before(sessions, wanted[0], WARM_UP)
    bars = store.bar_panel(start=start, end=wanted[-1])
    continued = _stored_obv(store, bars, wanted[0]) if start > sessions[0] else None
    panel = indicators(bars, obv_start=continued)
    cells = bars.close.notna() & bars.close.index.isin(wanted)[:, None]
    symbols = _data.chosen_symbols(settings, store, "indicators")
    return panel, cells if symbols is None else cells & cells.columns.isin(symbols)


def _stored_obv(store: Store, bars: BarPanel, before: pd.Timestamp) -> pd.Series:
    """Stored OBV of each symbol at its first bar, where that lies before the session."""
    rows = bars.close.notna().to_numpy().argmax(axis=0)
    first = pd.Series(bars.sessions[rows], bars.symbols)
    parts = [
        store.indicator_panel(day, day, first.index[first == day], ["obv"])["obv"].iloc[0]
        for day in first[first < before].unique()
    ]
    return pd.concat(parts) if parts else pd.Series(dtype="float64")


if __name__ == "__main__":
    command("indicators", run)
