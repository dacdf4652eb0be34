"""Reproduce: a finished retrain again from its logged configuration, every number compared."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import mlflow
import numpy as np
import yaml
from mlflow.entities import Run
from sklearn.pipeline import Pipeline

from pipeline.commands import Command
from pipeline.config import build
from pipeline.config.logged import for_reproduction
from pipeline.config.settings import Settings
from pipeline.contract import Artifacts, Tables, Tags
from pipeline.errors import NotReady, Refused
from pipeline.gates.judge import judge
from pipeline.io import process
from pipeline.io.evaluation_journal import EvaluationJournal
from pipeline.io.tracking import looks, models, runs
from pipeline.io.tracking.evaluation import recorded_evaluation
from pipeline.io.tracking.retrain import record_inputs, record_result
from pipeline.paths import ROOT
from pipeline.recipe.data import RetrainData, retrain_data
from pipeline.recipe.fit import refitted, weight_metrics
from pipeline.report.reproduction import Reproduction, comparison
from pipeline.stages._cli import command
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.reproduce")

ELSEWHERE_TOLERANCE = 1e-6
"""Relative; on another processor, Python or lock file the last bits may differ."""


def run(settings: Settings) -> None:
    """Search, evaluate, judge and refit as that run did; nothing is registered."""
    original = _original(settings.reproduce.run_id)
    mlflow.set_tags({Tags.REPRODUCES: original.info.run_id, Tags.DATA_SOURCE: settings.data.name})
    same = _settings_of(settings, original)
    recipe = build.recipe(same)
    differences = _differences(recipe.features, original)
    with (
        Workspace.open(same) as workspace,
        build.pool(same.compute, "reproduce") as pool,
        tempfile.TemporaryDirectory() as folder,
    ):
        data = retrain_data(recipe, workspace, workspace.store.label_ready_sessions())
        runs.log_settings(same.parameters)
        record_inputs(recipe, data, workspace.tags)
        differences |= _of_data(settings.reproduce.data, original, data)
        journal = EvaluationJournal(Path(folder), runs.current_run_id())
        outcome = recorded_evaluation(
            recipe, data, workspace, journal, clock=time.perf_counter, pool=pool
        )
        judged = data.judged
        market = workspace.market(judged.sessions, recipe.rules)
        earlier = looks.logged_looks(original.info.run_id)
        result = judge(recipe, outcome, judged, market, same.gates, earlier)
        record_result(result)
        model, weights = refitted(recipe, outcome.chosen, data.newest, pool)
    now = {**data.metrics, **outcome.metrics, **result.metrics, **weight_metrics(weights)}
    elsewhere = "environment" in " ".join(differences)
    reproduction = Reproduction(
        comparison(original.data.metrics, now),
        _worst_prediction(original, model),
        ELSEWHERE_TOLERANCE if elsewhere else 0.0,
        differences,
    )
    runs.log_table(reproduction.table, Tables.COMPARISON)
    mlflow.log_metrics({**weight_metrics(weights), **reproduction.metrics})
    print(reproduction.printed())
    if not reproduction.is_equal:
        raise Refused(
            "reproduce",
            f"{len(reproduction.off)} of {len(reproduction.table)} metrics differ, predictions by "
            f"up to {reproduction.worst_prediction:.3g}",
            f"every number {reproduction.exactly}"
            + ("" if differences else ", since nothing else differs"),
        )


def _original(run_id: str | None) -> Run:
    finished = runs.search("attributes.status = 'FINISHED' and tags.stage = 'retrain'")
    chosen = [run for run in finished if run_id in (None, run.info.run_id)]
    if not chosen:
        raise NotReady(
            "reproduce",
            f"no finished retrain {run_id}" if run_id else "no finished retrain",
            "the run id of one of: " + (", ".join(r.info.run_id for r in finished[:5]) or "none"),
            Command("retrain"),
        )
    return chosen[0]


def _settings_of(settings: Settings, original: Run) -> Settings:
    """The run's own settings on the store and with the workers of here, its sessions pinned."""
    tags, logged = original.data.tags, runs.config_of(original.info.run_id)
    recorded_trials = None
    if tags.get(Tags.STOPPED_BY) == "time":
        if logged["evaluation"]["name"] != "holdout":
            raise Refused(
                "reproduce",
                "a time budget ended the searches of this walk-forward",
                "a walk-forward whose searches were ended by their number of trials",
            )
        recorded_trials = yaml.safe_load(tags[Tags.TOLD_TRIALS])
    return for_reproduction(settings, logged, tags[Tags.HOLDOUT_END], recorded_trials)


def _differences(features: Mapping[str, str], original: Run) -> dict[str, str]:
    """What differs in code, versions and definitions, in words."""
    tags = original.data.tags
    differences = {
        name: f"was {tags.get(name, 'not recorded')}, is {value}"
        for name, value in (process.git_state(ROOT) | process.environment(ROOT)).items()
        if tags.get(name) != value
    }
    before = models.features_of_run(original.info.run_id)
    changed = sorted(
        name for name in before.keys() | features.keys() if before.get(name) != features.get(name)
    )
    if changed:
        words = f"{len(changed)} defined otherwise: {', '.join(changed[:5])}"
        differences["features"] = words
    return differences


def _of_data(allowed: str, original: Run, data: RetrainData) -> dict[str, str]:
    logged = original.data.tags[Tags.DATA_DIGEST]
    if data.digest == logged:
        return {}
    words = f"was {logged}, is {data.digest} ({len(data.dataset.returns):,} rows now)"
    if allowed == "current":
        return {"data": words}
    raise Refused(
        "reproduce",
        f"the data digest {words}: bars, features or their definitions changed since",
        "the store as it was, or the word to compare with what it holds now",
        Command("reproduce", "reproduce.data=current"),
    )


def _worst_prediction(original: Run, model: Pipeline) -> float:
    """Largest distance between the refitted model's predictions and the kept ones."""
    run_id = original.info.run_id
    inputs = runs.read_frame(run_id, Artifacts.CHECK_INPUTS)
    expected = runs.read_frame(run_id, Artifacts.CHECK_PREDICTIONS)["prediction"]
    return float(np.abs(model.predict(inputs) - expected.to_numpy()).max())


if __name__ == "__main__":
    command("reproduce", run)
