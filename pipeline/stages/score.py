"""Score: forecasts and orders of past signals against what happened, and how their models are."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.config.settings import Settings
from pipeline.contract import LifeMetrics, LifeTables, Tags
from pipeline.io import process
from pipeline.io.tracking import champion as champion_moves
from pipeline.io.tracking import life, monitoring, notes, runs
from pipeline.monitor.health import EXPIRED as EXPIRED_HEALTH
from pipeline.monitor.health import STOP, Thresholds, curves
from pipeline.monitor.history import EXPIRED, STOPPED
from pipeline.report.life import health_table, printed_health
from pipeline.serving import scoring
from pipeline.stages._cli import command
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.serving.scoring import Watched

log = logging.getLogger("pipeline.score")


def run(settings: Settings) -> None:
    """Score every session whose final bars are there, draw it, and judge the models by it.

    A second call changes nothing. The champion that breaks its promise is stopped: from then on
    `signals` lists no orders of it.
    """
    champion_moves.settle("score")  # a move by hand comes before what is decided of its version
    with Workspace.open(settings) as workspace:
        scored = scoring.score(workspace)
        listed = list(scoring.watched(workspace, settings.monitor))
        for each in listed:
            _draw(workspace, each, settings.monitor)
            _decide(each)
        runs.log_table(workspace.store.outcomes().tail(2000), LifeTables.OUTCOMES)
    notes.log_metrics({LifeMetrics.SCORED: scored})
    table = health_table([(e.model, e.is_champion, e.kind, e.outcomes, e.health) for e in listed])
    runs.log_table(table, LifeTables.HEALTH)
    notes.set_tags({Tags.DATA_SOURCE: settings.data.name})
    print(printed_health(table, scored))


def _draw(workspace: Workspace, each: Watched, thresholds: Thresholds) -> None:
    """The sessions that are new, on the model's monitoring run; nothing without outcomes."""
    if each.outcomes.empty:
        return
    store = workspace.store
    run_id = monitoring.monitoring_run(each.model, workspace.data_source, store.store_id)
    drawn = curves(each.outcomes, each.promises, thresholds)
    ages = scoring.ages(workspace, each.version, drawn.index)
    if not monitoring.log_curves(run_id, each.kind, drawn, ages):
        return
    last = pd.Timestamp(drawn.index[-1])
    figures = each.health.figures
    age = int(ages.iloc[-1])
    monitoring.log_health(run_id, each.kind, each.health.in_words, figures, last, age)
    if not each.is_champion:
        return
    from pipeline.report.tear_sheet.live import Life, live_page  # brings matplotlib

    seen = Life(each.model, each.kind, each.outcomes, drawn, each.promises, each.health,
                each.drift, thresholds)  # fmt: skip
    monitoring.log_page(run_id, live_page(seen))


def _decide(each: Watched) -> None:
    """Write the health on the version; a champion's end is an event of the model's history."""
    if each.version is None:
        return
    health = each.health
    life.record_health(each.version, health.answer, health.in_words)
    if not each.is_champion or health.answer not in (STOP, EXPIRED_HEALTH):
        return
    action = STOPPED if health.answer == STOP else EXPIRED
    day = f"{each.outcomes['session'].iloc[-1]:%Y-%m-%d}" if len(each.outcomes) else ""
    run_id = runs.current_run_id()
    reason = "; ".join(health.reasons)
    if life.decide(action, each.version, reason=reason, by=f"score ({process.user()})",
                   evidence=run_id, session=day):  # fmt: skip
        log.warning("score: the champion, version %s: %s", each.model, health.in_words)
    champion_moves.refresh_page()  # rebuilt too: a kill may have come before


if __name__ == "__main__":
    command("score", run)
