"""Parameters that a search chose come back as they were, from a run of today or of before."""

from __future__ import annotations

from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from pipeline.contract import Parameters
from pipeline.io.tracking.chosen import chosen_parameters, log_chosen_parameters
from pipeline.io.tracking.models import features_of_run, log_features

CHOSEN: dict[str, dict[str, Any]] = {
    "lightgbm": {
        "n_estimators": 150, "learning_rate": 0.1 + 0.2, "subsample": 1.0, "reg_lambda": 1e-07,
        "max_depth": None, "deterministic": True, "objective": "squared_error",
    },
    "ridge": {"alpha": 100000.0, "solver": "svd", "positive": False},
    "zero": {},
}  # fmt: skip


def as_before(chosen: dict[str, dict[str, Any]]) -> None:
    """As a release of before kept them: as parameters of the run alone."""
    mlflow.log_params(
        {
            f"{Parameters.CHOSEN_ONCE}{name}.{key}": value
            for name, params in chosen.items()
            for key, value in params.items()
        }
        | {"hpo.n_trials": 8, "seed": 7}
    )


@pytest.fixture
def run_id(store: MlflowClient) -> str:
    with mlflow.start_run() as run:
        return str(run.info.run_id)


def types(chosen: dict[str, dict[str, Any]]) -> dict[str, dict[str, type]]:
    return {name: {k: type(v) for k, v in params.items()} for name, params in chosen.items()}


@pytest.mark.parametrize("log", [log_chosen_parameters, as_before], ids=["today", "before"])
def test_values_come_back_with_their_types(run_id: str, log: Any) -> None:
    with mlflow.start_run(run_id):
        log(CHOSEN)
    found = chosen_parameters(run_id, CHOSEN)
    assert found == CHOSEN
    assert types(found) == types(CHOSEN)


def test_what_a_run_of_today_keeps_goes_before_its_parameters(run_id: str) -> None:
    with mlflow.start_run(run_id):
        as_before({"ridge": {"alpha": 1.0}})
        log_chosen_parameters({"ridge": {"alpha": 2.0}})
    assert chosen_parameters(run_id, ["ridge"]) == {"ridge": {"alpha": 2.0}}


def test_a_name_with_a_point_is_a_learner_s_parameter(run_id: str) -> None:
    chosen = {"ridge": {"estimator.alpha": 2.0}}
    with mlflow.start_run(run_id):
        as_before(chosen)
    assert chosen_parameters(run_id, ["ridge"]) == chosen


def test_features_come_back_in_the_model_s_order(run_id: str) -> None:
    hashes = {"rsi": "2" * 12, "atr": "1" * 12, "beta": "3" * 12}
    with mlflow.start_run(run_id):
        log_features(hashes)
    assert list(features_of_run(run_id).items()) == list(hashes.items())
