"""Labels: the three open-to-close outcomes of every final bar, whatever the feature set."""

from __future__ import annotations

import logging

import pandas as pd

from pipeline.config.settings import Settings
from pipeline.contract import Metrics
from pipeline.io.tracking import later
from pipeline.market.labels import labels
from pipeline.recipe.feature_set import labels_made_by
from pipeline.selection import blocks
from pipeline.stages._cli import command
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.labels")


def run(settings: Settings) -> None:
    """Label a date, a range, or all final bars that changed, or all if the code did."""
    with Workspace.open(settings) as workspace, workspace.store.writer("labels"):
        store = workspace.store
        sessions = workspace.require_bars("labels")
        revision = store.revision()
        chosen = _to_label(workspace, sessions)
        if chosen.empty:
            log.info("labels: up to date")
            later.log_later({Metrics.LABEL_ROWS: 0})
            return
        symbols = workspace.selection.among(store.symbols("stock"), "labels")
        rows = 0
        for part in blocks(chosen, len(store.symbols("stock")), 0):
            bars = store.bar_panel(part[0], part[-1], symbols)
            outcomes = labels(bars, store.final_mask(part[0], part[-1], symbols))
            rows += store.write_labels(outcomes).rows
        if not workspace.selection.is_partial:
            store.mark_built("labels", revision, labels_made_by())
    log.info(
        "labels: %s rows written from %s to %s",
        f"{rows:,}", f"{chosen[0]:%Y-%m-%d}", f"{chosen[-1]:%Y-%m-%d}",
    )  # fmt: skip
    later.log_later({Metrics.LABEL_ROWS: rows})


def _to_label(workspace: Workspace, sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
    if workspace.selection.is_partial:
        return workspace.selection.within(sessions, "labels")
    changes = workspace.changes_since("labels", ("bars",), labels_made_by())
    first, last = changes["first_session"].min(), changes["last_session"].max()
    return sessions[(sessions >= first) & (sessions <= last)]


if __name__ == "__main__":
    command("labels", run)
