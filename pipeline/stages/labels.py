"""Labels: the three open-to-close outcomes of every final bar, whatever the feature set."""

from __future__ import annotations

import logging

import mlflow
import pandas as pd

from pipeline.io.store import Store
from pipeline.market.labels import labels
from pipeline.settings import Settings
from pipeline.stages import _data
from pipeline.stages._recipe import labels_made_by
from pipeline.stages._runner import command

log = logging.getLogger("pipeline.labels")


def run(settings: Settings) -> None:
    """Label a date, a range, or all final bars that changed, or all if the code did."""
    with _data.open_store(settings) as store, store.writer("labels"):
        sessions = _data.require_bars(store, "labels")
        revision = store.revision()
        wanted = _wanted(settings, store, sessions)
        if wanted.empty:
            log.info("labels: up to date")
            mlflow.log_metric("labels/rows", 0)
            return
        symbols = _data.chosen_symbols(settings, store, "labels")
        bars = store.bar_panel(wanted[0], wanted[-1], symbols)
        outcomes = labels(bars, store.final_mask(wanted[0], wanted[-1], symbols))
        written = store.write_labels(outcomes)
        if not _data.is_ranged(settings):
            store.mark_built("labels", revision, labels_made_by())
    log.info(
        "labels: %d rows written from %s to %s",
        written.rows, f"{wanted[0]:%Y-%m-%d}", f"{wanted[-1]:%Y-%m-%d}",
    )  # fmt: skip
    mlflow.log_metric("labels/rows", written.rows)


def _wanted(settings: Settings, store: Store, sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
    if _data.is_ranged(settings):
        return _data.within(sessions, settings, "labels")
    changes = _data.stale_since(store, "labels", ("bars",), labels_made_by())
    first, last = changes["first_session"].min(), changes["last_session"].max()
    return sessions[(sessions >= first) & (sessions <= last)]


if __name__ == "__main__":
    command("labels", run)
