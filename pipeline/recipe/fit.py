"""One fit of a recipe: its learners with chosen parameters as one scikit-learn pipeline."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.pipeline import Pipeline

from pipeline.learning.dataset import Dataset
from pipeline.learning.models import assemble, fit
from pipeline.learning.pool import HERE, Pool
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.search import Chosen, refitted_weights

Parameters = Mapping[str, Mapping[str, object]]
"""Parameters by learner."""


def fitted(
    recipe: Recipe, params: Parameters, dataset: Dataset, weights: Mapping[str, float]
) -> Pipeline:
    """The learners with these parameters, fitted on all rows of the dataset.

    Parameters
    ----------
    params
        By learner.
    weights
        By learner, as shares of a return; see `learning.weights`.
    """
    unit = recipe.target.unit(dataset)
    pipeline = assemble(
        {
            learner.name: learner.unfitted(params[learner.name], seed=recipe.seed)
            for learner in recipe.learners
        },
        {name: weight * unit for name, weight in weights.items()},
        numeric=dataset.numeric,
        categorical=dataset.categorical,
    )
    return fit(pipeline, dataset, recipe.target, recipe.learners)


def refitted(
    recipe: Recipe, chosen: Chosen, newest: Dataset, pool: Pool = HERE
) -> tuple[Pipeline, dict[str, float]]:
    """The chosen parameters on the newest window: the model to serve, and its weights."""
    weights = refitted_weights(recipe, newest, chosen, pool)
    return fitted(recipe, chosen.params, newest, weights), weights


def weight_metrics(weights: Mapping[str, float]) -> dict[str, float]:
    """The run contract's ``refit/*``."""
    by_learner = {f"refit/weight_{name}": weight for name, weight in weights.items()}
    return {"refit/slope": sum(weights.values()), **by_learner}
