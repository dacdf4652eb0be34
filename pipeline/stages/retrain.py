"""Retrain: search, evaluate out of sample, backtest, refit on the newest data, register."""

from __future__ import annotations

from pipeline.io.tracking import notes

import skops.io  # isort: skip  # noqa: F401  before others: it searches every module it finds

import logging
import time

from pipeline.config import build
from pipeline.config.compose import overridden_gates
from pipeline.config.settings import Settings
from pipeline.gates.judge import judge
from pipeline.io.evaluation_journal import EvaluationJournal
from pipeline.io.store.reported_splits import without_splits
from pipeline.io.tracking import runs
from pipeline.io.tracking.evaluation import recorded_evaluation
from pipeline.io.tracking.publish import Retrained, log_refit, publish
from pipeline.io.tracking.retrain import (
    record_drivers,
    record_inputs,
    record_look,
    record_overridden_gates,
    record_result,
    record_weights,
)
from pipeline.recipe.data import retrain_data
from pipeline.recipe.fit import refitted
from pipeline.recipe.importance import main_drivers
from pipeline.report.jobs import Traded
from pipeline.schemas import SYMBOL
from pipeline.serving.next_steps import Timed, next_steps
from pipeline.stages._cli import command, refresh
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.retrain")


def run(settings: Settings) -> Traded:
    """Retrain from the store, after bringing it up to date unless `retrain.refresh=false`."""
    if settings.retrain.refresh:
        with runs.timed("refresh"):
            refresh(settings)
    recipe, clock = build.recipe(settings), time.perf_counter
    with Workspace.open(settings) as workspace, build.pool(settings.compute, "retrain") as pool:
        data = retrain_data(recipe, workspace, workspace.store.label_ready_sessions())
        names = data.dataset.features.index.unique(SYMBOL)
        cautions = recipe.cautions(data.dataset, without_splits(workspace.store, names))
        for line in (data.sentence, *settings.cautions, *cautions):
            log.info("%s", line)
        notes.log_settings(settings.parameters)
        record_overridden_gates(overridden_gates(settings.gates))
        record_inputs(recipe, data, workspace.tags)
        folder = workspace.folder / "retrains" / data.name_of(recipe)
        journal = EvaluationJournal(folder, runs.current_run_id())
        is_resumed, began = journal.steps_done > 0, clock()
        outcome = recorded_evaluation(recipe, data, workspace, journal, clock=clock, pool=pool)
        timed = None if is_resumed else Timed.of(outcome, clock() - began)
        with runs.timed("backtest"):
            market = workspace.market(data.judged.sessions, recipe.rules)
            earlier = record_look(recipe, workspace, data, outcome, market)
            result = judge(recipe, outcome, data.judged, market, settings.gates, earlier)
        record_result(result)
        with runs.timed("refit"):
            model, weights = refitted(recipe, outcome.chosen, data.newest, pool)
        record_weights(weights)
        logged = log_refit(recipe, data, outcome, model, workspace.features.name)
        with runs.timed("importance"):
            drivers = main_drivers(recipe, data, outcome, model)
        record_drivers(drivers)
        evidence_plan = build.window_plan(settings).of_a_walk_forward
        steps = next_steps(recipe, workspace, result, evidence_plan, timed, settings.gates)
        name = settings.strategy.name
        retrained = Retrained(recipe, data, outcome, result, logged, drivers, name)
        with journal.until_done():
            publish(retrained, workspace, steps)
        return Traded(result.metrics, result.books.net_returns)


if __name__ == "__main__":
    command("retrain", run)
