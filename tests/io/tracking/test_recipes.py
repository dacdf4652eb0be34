"""What a version's run recorded of its recipe, and the newest walk-forward of one."""

from __future__ import annotations

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from pipeline.io.tracking.evidence import newest_walk_forward
from pipeline.io.tracking.recipes import recorded_rules
from tests.recipe import made


def finished(store: MlflowClient, start: int, **tags: str) -> str:
    plain = {"stage": "retrain", "data_source": "sample", "universe": "all", "recipe": "r"}
    walks = {"evaluation": "walk_forward"}
    run = store.create_run("0", start_time=start, tags=plain | walks | tags)
    store.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def test_a_walk_forward_is_found_by_recipe_source_and_universe(store: MlflowClient) -> None:
    assert newest_walk_forward("r", "sample", "all") is None
    finished(store, 1)
    newest = finished(store, 2)
    finished(store, 3, universe="sp500")
    finished(store, 3, data_source="files")
    finished(store, 3, recipe="other")
    finished(store, 3, evaluation="holdout")
    found = newest_walk_forward("r", "sample", "all")
    assert found is not None
    assert found.run_id == newest


def version(run_id: str) -> ModelVersion:
    return ModelVersion("intraday_return", "3", 0, run_id=run_id)


def test_rules_are_those_the_recipe_recorded_and_others_as_here(store: MlflowClient) -> None:
    here = made.rules(slippage_bps=3.0, max_positions=9)
    assert recorded_rules(version(finished(store, 1)), here) == here
    run_id = finished(store, 2)
    with mlflow.start_run(run_id):
        rules = {"slippage_bps": 1.0, "max_positions": 4, "of_a_later_release": True}
        mlflow.log_dict({"rules": rules}, "recipe.json")
    assert recorded_rules(version(run_id), here) == here.changed(slippage_bps=1, max_positions=4)
