"""Reproduce: a finished retrain again from its logged configuration, every number compared."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import yaml

from pipeline.config import build
from pipeline.config.logged import for_reproduction
from pipeline.config.settings import Settings
from pipeline.contract import Tables, Tags
from pipeline.errors import Refused
from pipeline.gates.judge import judge
from pipeline.io.evaluation_journal import EvaluationJournal
from pipeline.io.tracking import looks, notes, runs
from pipeline.io.tracking.evaluation import recorded_evaluation
from pipeline.io.tracking.reproduction import (
    differing_code,
    differing_data,
    original_retrain,
    worst_prediction,
)
from pipeline.io.tracking.retrain import record_inputs, record_result
from pipeline.io.tracking.values import FinishedRun
from pipeline.recipe.data import retrain_data
from pipeline.recipe.fit import refitted, weight_metrics
from pipeline.report.jobs import Traded
from pipeline.report.reproduction import Reproduction
from pipeline.stages._cli import command
from pipeline.workspace import Workspace


def run(settings: Settings) -> Traded:
    """Search, evaluate, judge and refit as that run did; nothing is registered."""
    original = original_retrain(settings.reproduce.run_id)
    notes.set_tags({Tags.REPRODUCES: original.run_id, Tags.DATA_SOURCE: settings.data.name})
    same = _settings_of(settings, original)
    recipe = build.recipe(same)
    differences = differing_code(recipe.features, original)
    with (
        Workspace.open(same) as workspace,
        build.pool(same.compute, "reproduce") as pool,
        tempfile.TemporaryDirectory() as folder,
    ):
        data = retrain_data(recipe, workspace, workspace.store.label_ready_sessions())
        notes.log_settings(same.parameters)
        record_inputs(recipe, data, workspace.tags)
        is_allowed = settings.reproduce.data == "current"
        differences |= differing_data(original, data, is_allowed=is_allowed)
        journal = EvaluationJournal(Path(folder), runs.current_run_id())
        outcome = recorded_evaluation(
            recipe, data, workspace, journal, clock=time.perf_counter, pool=pool
        )
        judged = data.judged
        market = workspace.market(judged.sessions, recipe.rules)
        earlier = looks.logged_looks(original.run_id)
        result = judge(recipe, outcome, judged, market, same.gates, earlier)
        record_result(result)
        model, weights = refitted(recipe, outcome.chosen, data.newest, pool)
    now = {**data.metrics, **outcome.metrics, **result.metrics, **weight_metrics(weights)}
    reproduction = Reproduction.of(
        original.metrics, now, worst_prediction(original, model), differences
    )
    runs.log_table(reproduction.table, Tables.COMPARISON)
    notes.log_metrics({**weight_metrics(weights), **reproduction.metrics})
    print(reproduction.printed())
    reproduction.require_equal()
    return Traded(result.metrics, result.books.net_returns)


def _settings_of(settings: Settings, original: FinishedRun) -> Settings:
    """The run's own settings on the store and with the workers of here, its sessions pinned."""
    tags, logged = original.tags, runs.config_of(original.run_id)
    recorded_trials = None
    if tags.get(Tags.STOPPED_BY) == "time":
        if logged["evaluation"]["name"] != "holdout":
            raise Refused(
                "reproduce",
                "a time budget ended the searches of this walk-forward",
                "a walk-forward whose searches were ended by their number of trials",
            )
        recorded_trials = yaml.safe_load(tags[Tags.RECORDED_TRIALS])
    return for_reproduction(settings, logged, tags[Tags.HOLDOUT_END], recorded_trials)


if __name__ == "__main__":
    command("reproduce", run)
