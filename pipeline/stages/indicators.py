"""Indicators: RSI, MACD, ATR and OBV for the bars that lack them."""

from __future__ import annotations

import logging

import pandas as pd

from pipeline.config.settings import Settings
from pipeline.contract import Metrics
from pipeline.io.store.store import Store
from pipeline.io.tracking import later
from pipeline.market.indicators import WARM_UP, indicators
from pipeline.recipe.feature_set import indicators_made_by
from pipeline.schemas import BarPanel
from pipeline.selection import blocks, sessions_before
from pipeline.stages._cli import command
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.indicators")


def run(settings: Settings) -> None:
    """Calculate from the first changed bar on; `indicators.force=true` from the first bar."""
    with Workspace.open(settings) as workspace, workspace.store.writer("indicators"):
        sessions = workspace.require_bars("indicators")
        revision = workspace.store.revision()
        chosen = _to_calculate(workspace, sessions, force=settings.indicators.force)
        if chosen.empty:
            log.info("indicators: up to date")
            later.log_later({Metrics.INDICATOR_ROWS: 0})
            return
        width = len(workspace.store.symbols("stock"))
        rows = 0
        for part in blocks(chosen, width, WARM_UP):  # each goes on from what is stored by then
            panel, cells = _calculated(workspace, sessions, part)
            rows += workspace.store.write_indicators(panel, cells).rows
        if not workspace.selection.is_partial:
            workspace.store.mark_built("indicators", revision, indicators_made_by())
    log.info(
        "indicators: %s rows written from %s to %s",
        f"{rows:,}", f"{chosen[0]:%Y-%m-%d}", f"{chosen[-1]:%Y-%m-%d}",
    )  # fmt: skip
    later.log_later({Metrics.INDICATOR_ROWS: rows})


def _to_calculate(
    workspace: Workspace, sessions: pd.DatetimeIndex, *, force: bool
) -> pd.DatetimeIndex:
    if workspace.selection.is_partial:
        return workspace.selection.within(sessions, "indicators")
    if force:
        return sessions
    changes = workspace.changes_since("indicators", ("bars",), indicators_made_by())
    return sessions[sessions >= changes["first_session"].min()]


def _calculated(
    workspace: Workspace, sessions: pd.DatetimeIndex, chosen: pd.DatetimeIndex
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Indicators from a warm-up before the chosen sessions on, and the cells to write."""
    store = workspace.store
    start = sessions_before(sessions, chosen[0], WARM_UP)
    bars = store.bar_panel(start=start, end=chosen[-1])
    continued = _stored_obv(store, bars, chosen[0]) if start > sessions[0] else None
    panel = indicators(bars, obv_start=continued)
    cells = bars.close.notna() & bars.close.index.isin(chosen)[:, None]
    symbols = workspace.selection.among(store.symbols("stock"), "indicators")
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
