"""What drives a forecast: an exact part of it for each feature, and the rest.

The parts of a row add up to its forecast. Of a linear learner they are its terms, of LightGBM its
own ``pred_contrib`` (exact Shapley values of the trees: Lundberg et al. (2020), "From local
explanations to global understanding with explainable AI for trees", Nature Machine Intelligence 2).
Of other learners no exact parts are known: their share stands whole under ``other learners``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.learning.dataset import model_inputs
from pipeline.learning.drivers import BASE, OTHER
from pipeline.learning.threads import single_threaded

Values = npt.NDArray[np.float64]


def contributions(pipeline: Pipeline, features: pd.DataFrame) -> pd.DataFrame:
    """Parts of the forecasts of these rows, each a return (a fraction).

    Parameters
    ----------
    pipeline
        Of ``learning.models.assemble``, fitted.
    features
        Rows as they are forecast, by (session, symbol).

    Returns
    -------
    DataFrame
        rows x (``base``, a column a feature, ``other learners``). A row's sum is its forecast to
        1e-12; a category's part is that of all its columns.
    """
    inputs = model_inputs(features)
    preparation, ensemble = pipeline["preparation"], pipeline["ensemble"]
    columns = sources(preparation)
    weights = np.asarray(ensemble.weights, dtype="float64") / np.sum(ensemble.weights)
    with single_threaded():
        prepared = preparation.transform(inputs)
        base, other = np.zeros(len(inputs)), np.zeros(len(inputs))
        terms = np.zeros((len(inputs), len(columns)))
        for weight, member in zip(weights, ensemble.estimators_, strict=True):
            parts = _parts(member, prepared)
            if parts is None:
                other += weight * member.predict(prepared)
                continue
            base += weight * parts[:, -1]
            terms += weight * parts[:, :-1]
    by_column = pd.DataFrame(terms, inputs.index, pd.Index(columns))
    by_feature = by_column.T.groupby(level=0, sort=False).sum().T
    return by_feature.assign(**{OTHER: other}).pipe(lambda frame: _first(frame, base))


def _first(parts: pd.DataFrame, base: Values) -> pd.DataFrame:
    parts.insert(0, BASE, base)
    return parts


def sources(preparation: Any) -> list[str]:
    """The feature behind every prepared column."""
    features: list[str] = []
    for _, transformer, columns in preparation.transformers_:
        if isinstance(transformer, str) or not len(columns):
            continue
        categories = getattr(transformer, "categories_", None)
        widths = [1] * len(columns) if categories is None else [len(c) for c in categories]
        features += [name for name, n in zip(columns, widths, strict=True) for _ in range(n)]
    return features


def _parts(member: Any, prepared: Any) -> Values | None:
    """Parts of a member's forecast by prepared column, its base last; None where none are known."""
    fitted = getattr(member, "estimator", None)
    if fitted is not None and type(member).__name__ == "FrozenEstimator":
        return _parts(fitted, prepared)
    if isinstance(member, Pipeline):
        for _, transformer in member.steps[:-1]:
            prepared = transformer.transform(prepared)
        return _parts(member.steps[-1][1], prepared)
    values = np.asarray(prepared, dtype="float64")
    if hasattr(member, "constant_"):
        base = np.full((len(values), 1), float(np.ravel(member.constant_)[0]))
        return np.hstack([np.zeros_like(values), base])
    if hasattr(member, "coef_"):
        base = np.full((len(values), 1), float(np.ravel(member.intercept_)[0]))
        return np.hstack([values * np.ravel(member.coef_), base])
    if hasattr(member, "booster_"):
        return np.asarray(member.predict(prepared, pred_contrib=True))
    return None
