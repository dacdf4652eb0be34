"""From learners to the one scikit-learn pipeline that is scored, logged and served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from pipeline.learning.dataset import Dataset, model_inputs
from pipeline.learning.falling import falling_columns, fitted_falling
from pipeline.learning.learner import Learner
from pipeline.learning.targets import Target
from pipeline.learning.threads import single_threaded

IMPUTED_AT_ONCE = 30
"""Columns."""

ZERO = "zero_forecast"
"""Name of the ensemble's member that always forecasts 0."""


def preparation(numeric: Sequence[str], categorical: Sequence[str]) -> ColumnTransformer:
    """Median imputation of numbers, one-hot columns for categories, fitted where it is put.

    Some columns at a time: a median of years of rows sorts a copy of all it is given.
    A category unseen in the fit is a row of zeros, never another category. A column without
    any value becomes 0.
    """
    return ColumnTransformer(
        [
            *(
                (
                    f"numeric_{first}",
                    SimpleImputer(strategy="median", keep_empty_features=True),
                    list(numeric[first : first + IMPUTED_AT_ONCE]),
                )
                for first in range(0, len(numeric), IMPUTED_AT_ONCE)
            ),
            (
                "categorical",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32),
                list(categorical),
            ),
        ],
        sparse_threshold=0.0,
    )


def assemble(
    learners: Mapping[str, Any],
    weights: Mapping[str, float],
    *,
    numeric: Sequence[str],
    categorical: Sequence[str],
) -> Pipeline:
    """Preparation and the weighted sum of the learners.

    A constant-zero member takes what the weights leave of 1 (less than nothing where they are
    more), so that the calibration lives in a pipeline of third-party classes only.

    Parameters
    ----------
    learners
        Unfitted estimators by name.
    weights
        By the same names, see `weights.stacked`.

    Raises
    ------
    ValueError
        A weight is negative or no number.
    """
    shares = [float(weights[name]) for name in learners]
    if not (np.isfinite(shares).all() and min(shares, default=0.0) >= 0.0):
        raise ValueError(f"weights are {dict(weights)}, needed are numbers of 0 or more")
    members = [*learners.items(), (ZERO, DummyRegressor(strategy="constant", constant=0.0))]
    return Pipeline(
        [
            ("preparation", preparation(numeric, categorical)),
            ("ensemble", VotingRegressor(members, weights=[*shares, 1.0 - sum(shares)])),
        ]
    )


def fit(
    pipeline: Pipeline, dataset: Dataset, target: Target, learners: Sequence[Learner] = ()
) -> Pipeline:
    """The pipeline, fitted on the treated returns with one thread.

    Parameters
    ----------
    learners
        Those of the pipeline's members that may learn from the newest sessions only; the
        preparation, which they share, sees all rows.
    """
    recent = {learner.name: learner for learner in learners if learner.recent_sessions is not None}
    values = target.treated(dataset).to_numpy()
    falling = falling_columns(dataset.numeric) if "ensemble" in pipeline.named_steps else ()
    with single_threaded():
        if recent or falling:
            _fit_one_by_one(pipeline, dataset, values, recent, falling)
        else:
            pipeline.fit(dataset.features, values)
    return pipeline


def _fit_one_by_one(
    pipeline: Pipeline,
    dataset: Dataset,
    values: np.ndarray,
    recent: Mapping[str, Learner],
    falling: Sequence[int],
) -> None:
    """Each member on its own rows; the ensemble then holds them as they are."""
    prepared, ages = pipeline["preparation"].fit_transform(dataset.features), dataset.ages
    members = []
    for name, estimator in pipeline["ensemble"].estimators:
        rows = recent[name].newest(ages) if name in recent else slice(None)
        fitted = fitted_falling(estimator, prepared[rows], values[rows], falling)
        members.append((name, FrozenEstimator(fitted)))
    pipeline["ensemble"].set_params(estimators=members).fit(prepared[:1], values[:1])


def predictions(pipeline: Pipeline, features: pd.DataFrame) -> pd.Series:
    """Forecast open-to-close return (a fraction) of every row, known at decision time.

    Parameters
    ----------
    features
        Rows by (session, symbol), with the columns that the pipeline was fitted on.

    Returns
    -------
    Series
        float64 on the same rows.
    """
    with single_threaded():
        values = pipeline.predict(model_inputs(features))
    return pd.Series(values, index=features.index, name="prediction", dtype="float64")
