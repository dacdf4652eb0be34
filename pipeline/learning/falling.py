"""Columns that a forecast may not rise with: kept by each learner in the way it knows.

Trees take the constraint while they grow. A linear learner is fitted again without the columns
whose coefficient has the wrong sign, until none has: an active-set form of least squares with
signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from pipeline.errors import InvalidSettings
from pipeline.schemas import INDICATED

LIGHTGBM, SKLEARN = "monotone_constraints", "monotonic_cst"
"""What LightGBM, which lists no parameter it is not given, and scikit-learn's trees call it."""


def falling_columns(numeric: Sequence[str]) -> tuple[int, ...]:
    """Positions of the columns that forecasts must not rise with, among the prepared ones."""
    return tuple(k for k, name in enumerate(numeric) if name.startswith(INDICATED))


def constrained(estimator: Any, columns: int, falling: Sequence[int]) -> Any:
    """The estimator constrained not to rise with some of its columns, if it can be.

    Parameters
    ----------
    columns
        How many there are.
    falling
        Positions of those.
    """
    last = _last(estimator)
    if falling and (name := _constraint(last)):
        last.set_params(**{name: [-1 if k in set(falling) else 0 for k in range(columns)]})
    return estimator


def _last(estimator: Any) -> Any:
    """The learner itself, where it is a step behind a scaler."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _constraint(learner: Any) -> str | None:
    if type(learner).__name__ == "LGBMRegressor":
        return LIGHTGBM
    return SKLEARN if SKLEARN in learner.get_params() else None


def fitted_falling(estimator: Any, x: np.ndarray, y: np.ndarray, falling: Sequence[int]) -> Any:
    """The estimator, fitted so that no forecast rises with one of these columns.

    Raises
    ------
    InvalidSettings
        The learner knows no such constraint.
    """
    fitted = constrained(estimator, x.shape[1], falling).fit(x, y)
    last = _last(fitted)
    if not falling or hasattr(last, "constant_") or _constraint(last):
        return fitted
    if not hasattr(last, "coef_"):
        raise InvalidSettings(
            "model",
            f"{type(last).__name__} cannot be kept from rising with a symbol's own open",
            "linear learners or boosted trees, or decision=evening",
        )
    places = np.asarray(falling)
    while (wrong := places[np.ravel(last.coef_)[places] > 0.0]).size:
        x = np.array(x)
        x[:, wrong] = 0.0  # no spread, so a coefficient of 0
        fitted = estimator.fit(x, y)
        last = _last(fitted)
    return fitted
