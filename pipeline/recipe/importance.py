"""What drives a model, and what that was worth out of sample to the one that was judged."""

from __future__ import annotations

import math
from collections.abc import Container

from sklearn.pipeline import Pipeline

from pipeline.learning.contributions import contributions
from pipeline.learning.dataset import Dataset
from pipeline.learning.drivers import Driver, Importance, drivers
from pipeline.learning.importance import permutation_importance
from pipeline.recipe.data import RetrainData
from pipeline.recipe.evaluate import OutOfSample
from pipeline.recipe.fit import fitted
from pipeline.recipe.recipe import Recipe

NEWEST_SESSIONS = 63
"""Most sessions whose forecasts are made again for every feature."""

MEASURED_FEATURES = 12
"""Features that are measured, as many as a tear sheet lists: each costs a forecast of all rows."""


MEASURED_ROWS = 5_000
"""Rows whose forecasts are made again at the utmost; of more, every second, third and so on."""

DRIVEN_SESSIONS = 5
"""Newest sessions whose forecasts are taken apart."""


def main_drivers(
    recipe: Recipe, data: RetrainData, outcome: OutOfSample, model: Pipeline
) -> list[Driver]:
    """What the forecasts of the model to serve hang on, with the worth of the main features.

    The model to serve has learned from all sessions: what its main features are worth is measured
    on the newest evaluated model, on sessions that it predicted.
    """
    newest = data.dataset.at(data.windows.newest[-DRIVEN_SESSIONS:])
    parts = contributions(model, newest.features)
    names = {driver.feature for driver in drivers(parts)[:MEASURED_FEATURES]}
    return drivers(parts, held_out_importance(recipe, data, outcome, names))


def held_out_importance(
    recipe: Recipe,
    data: RetrainData,
    outcome: OutOfSample,
    features: Container[str] | None = None,
) -> list[Importance]:
    """Permutation importance of features to the newest evaluated model, on what it predicted.

    Parameters
    ----------
    features
        Those that are measured; None: all.
    """
    model, held_out = judged_model(recipe, data, outcome)
    every = math.ceil(len(held_out.returns) / MEASURED_ROWS)
    rows = Dataset(held_out.features.iloc[::every], held_out.returns.iloc[::every])
    return permutation_importance(model, rows, seed=recipe.seed, features=features)


def judged_model(
    recipe: Recipe, data: RetrainData, outcome: OutOfSample
) -> tuple[Pipeline, Dataset]:
    """The model of the newest step, fitted again, and labelled rows of what it predicted.

    Where that step has fewer sessions than the one before it, as the last of a walk-forward may,
    it is that one.
    """
    steps = data.windows.steps
    labelled = [data.dataset.sessions.intersection(step.predicted) for step in steps]
    number = max(range(len(steps))[-2:], key=lambda n: (len(labelled[n]), n))
    chosen = outcome.searches[sum(step.search for step in steps[: number + 1]) - 1]
    recorded = outcome.steps.iloc[number]
    weights = {
        learner.name: float(recorded[f"weight_{learner.name}"]) for learner in recipe.learners
    }
    model = fitted(recipe, chosen.params, data.dataset.at(steps[number].development), weights)
    return model, data.dataset.at(labelled[number][-NEWEST_SESSIONS:])
