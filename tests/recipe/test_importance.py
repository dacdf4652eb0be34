"""Worth of the features out of sample: of the model that was judged, on what it predicted."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.learning.metrics import rank_ic
from pipeline.learning.models import predictions
from pipeline.recipe.data import RetrainData
from pipeline.recipe.evaluate import OutOfSample
from pipeline.recipe.fit import fitted
from pipeline.recipe.importance import held_out_importance, judged_model, main_drivers
from pipeline.recipe.recipe import Recipe
from pipeline.schemas import SESSION
from tests.recipe import made
from tests.recipe.history import history
from tests.recipe.test_evaluate import evaluated, walking


def judged(recipe: Recipe, sessions: int) -> tuple[Recipe, RetrainData, OutOfSample]:
    return recipe, *evaluated(recipe, history(sessions))


@pytest.fixture(scope="module", params=["whole last step", "short last step", "holdout"])
def case(request: pytest.FixtureRequest) -> tuple[Recipe, RetrainData, OutOfSample]:
    """Walks of 10 sessions a step and a search every second one; the last step may be short."""
    if request.param == "holdout":
        return judged(made.recipe(), 80)
    return judged(walking(), 80 if request.param == "whole last step" else 76)


def test_the_model_asked_is_the_one_that_made_the_forecasts(
    case: tuple[Recipe, RetrainData, OutOfSample],
) -> None:
    _, data, outcome = case
    model, held_out = judged_model(*case)
    assert len(held_out.sessions) >= 10
    expected = outcome.predictions[held_out.features.index]
    np.testing.assert_array_equal(predictions(model, held_out.features), expected)
    assert held_out.sessions[0] >= data.windows.steps[-2:][0].predicted[0]


def test_the_signal_is_worth_more_than_noise(
    case: tuple[Recipe, RetrainData, OutOfSample],
) -> None:
    signal, noise = held_out_importance(*case)
    assert (signal.feature, noise.feature) == ("signal", "noise")
    assert signal.rank_ic_lost > 0.2


def test_of_many_rows_a_part_of_every_session_is_measured(
    case: tuple[Recipe, RetrainData, OutOfSample], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[pd.Series] = []

    def spy(returns: pd.Series, predictions: pd.Series) -> pd.Series:
        asked.append(predictions)
        return rank_ic(returns, predictions)

    monkeypatch.setattr("pipeline.learning.importance.rank_ic", spy)
    _, held_out = judged_model(*case)
    half = math.ceil(len(held_out.returns) / 2)
    monkeypatch.setattr("pipeline.recipe.importance.MEASURED_ROWS", half)
    signal, _ = held_out_importance(*case)
    assert signal.feature == "signal"
    assert {len(rows) for rows in asked} == {half}
    assert set(asked[0].index.get_level_values(SESSION)) == set(held_out.sessions)


def test_what_drives_the_model_to_serve_is_what_is_measured(
    case: tuple[Recipe, RetrainData, OutOfSample], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more features than are measured, those behind the served forecasts, not the judged."""
    monkeypatch.setattr("pipeline.recipe.importance.MEASURED_FEATURES", 1)
    recipe, data, outcome = case
    weights = {learner.name: 1.0 for learner in recipe.learners}
    served = fitted(recipe, outcome.chosen.params, data.newest, weights)
    first, second, _ = main_drivers(recipe, data, outcome, served)
    measured = {one.feature: one.rank_ic_lost for one in held_out_importance(*case)}
    assert first.rank_ic_lost == measured[first.feature]
    assert np.isnan(second.rank_ic_lost)
    assert first.mean_size >= second.mean_size
