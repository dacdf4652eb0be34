"""Forecasts any model has to beat."""

from __future__ import annotations

import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.learning.dataset import Dataset
from pipeline.learning.models import fit, predictions, preparation
from pipeline.learning.targets import Target


def baselines(train: Dataset, features: pd.DataFrame, target: Target) -> pd.DataFrame:
    """Forecasts any model has to beat: zero, the training mean, and ridge.

    Ridge sees the same preparation and a return as its target, whatever the model's is; its
    penalty is the number of training rows, which at least halves every standardised coefficient.

    Parameters
    ----------
    train
        What the baselines learn from: sessions before those of ``features``.
    features
        Rows to forecast, by (session, symbol), with the columns of ``train``; known at decision
        time.

    Returns
    -------
    DataFrame
        The rows of ``features``; columns zero, mean and ridge: open-to-close returns, as fractions.
    """
    as_return = target.changed(ranked=False)
    ridge = Pipeline(
        [
            ("preparation", preparation(train.numeric, train.categorical)),
            ("scale", StandardScaler(copy=False)),  # of what the preparation made, years of rows
            ("ridge", Ridge(alpha=float(len(train.returns)), solver="cholesky", copy_X=False)),
        ]
    )
    return pd.DataFrame(
        {
            "zero": 0.0,
            "mean": float(train.returns.mean()),
            "ridge": predictions(fit(ridge, train, as_return), features),
        },
        index=features.index,
    )
