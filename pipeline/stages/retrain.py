"""Retrain: search, evaluate out of sample, backtest, refit on the newest data, register."""

from __future__ import annotations

import logging
import time

import mlflow

from pipeline.config import build
from pipeline.config.compose import shipped_gates
from pipeline.config.settings import Settings
from pipeline.contract import Metrics, Tags
from pipeline.gates.gates import in_words
from pipeline.gates.judge import judge
from pipeline.io.evaluation_journal import EvaluationJournal
from pipeline.io.tracking import looks, runs
from pipeline.io.tracking.evaluation import recorded_evaluation
from pipeline.io.tracking.identity import data_identity, log_identity
from pipeline.io.tracking.retrain import (
    publish,
    record_drivers,
    record_inputs,
    record_result,
)
from pipeline.recipe.data import retrain_data
from pipeline.recipe.fit import refitted, weight_metrics
from pipeline.report.doubts import printed_doubts
from pipeline.serving.next_steps import Timed, next_steps
from pipeline.stages._cli import command, refresh
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.retrain")


def run(settings: Settings) -> None:
    """Retrain from the store, after bringing it up to date unless `retrain.refresh=false`."""
    if settings.retrain.refresh:
        with runs.timed("refresh"):
            refresh(settings)
    recipe = build.recipe(settings)
    with Workspace.open(settings) as workspace, build.pool(settings.compute, "retrain") as pool:
        data = retrain_data(recipe, workspace, workspace.store.label_ready_sessions())
        for line in (data.sentence, *recipe.cautions(data.dataset)):
            log.info("%s", line)
        runs.log_settings(settings.parameters)
        if overridden := settings.gates.overridden(shipped_gates(settings.gates.name)):
            log.warning("gates that differ from their file: %s; `promote` asks for a reason",
                        in_words(overridden))  # fmt: skip
            mlflow.set_tag(Tags.OVERRIDDEN_GATES, in_words(overridden))
        record_inputs(recipe, data, workspace.tags)
        folder = workspace.folder / "retrains" / data.name_of(recipe)
        journal = EvaluationJournal(folder, runs.current_run_id())
        is_resumed, began = journal.steps_done > 0, time.perf_counter()
        outcome = recorded_evaluation(
            recipe, data, workspace, journal, clock=time.perf_counter, pool=pool
        )
        seconds = time.perf_counter() - began
        judged = data.judged
        with runs.timed("backtest"):
            market = workspace.market(judged.sessions, recipe.rules)
            shown = looks.look(
                workspace, runs.current_run_id(), recipe.hash, outcome.predictions, recipe.rules,
                recipe.bankroll,
            )  # fmt: skip
            earlier = looks.earlier_looks(workspace, shown, judged.sessions)
            log_identity(data_identity(workspace, data, market))
            looks.record_look(workspace, shown)
            result = judge(recipe, outcome, judged, market, settings.gates, earlier)
        record_result(result)
        with runs.timed("refit"):
            model, weights = refitted(recipe, outcome.chosen, data.newest, pool)
        mlflow.log_metrics(weight_metrics(weights))
        main_drivers = record_drivers(model, data)
        search = outcome.chosen.metrics[Metrics.SEARCH_SECONDS]
        timed = None if is_resumed else Timed(search, max(seconds - search, 0.0))
        steps = next_steps(
            recipe, workspace, result, build.window_plan(settings).of_a_walk_forward, timed
        )
        publish(
            recipe, workspace, data, outcome, result, model, settings.strategy.name, main_drivers,
            steps,
        )  # fmt: skip
    if doubts := printed_doubts(result.tables, result.metrics):
        print(doubts)
    journal.remove()


if __name__ == "__main__":
    command("retrain", run)
