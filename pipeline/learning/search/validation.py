"""The task of a search: one fit on a fold's training part, scored on its validation part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.learning.falling import constrained, fitted_falling
from pipeline.learning.learner import Learner
from pipeline.learning.metrics import fold_metrics
from pipeline.learning.search.binning import can_share
from pipeline.learning.search.early_stopping import best_trees
from pipeline.learning.search.folds import Fold
from pipeline.learning.search.objectives import OBJECTIVES, StrategyReturns


@dataclass(frozen=True)
class FoldResult:
    """One fold of a trial."""

    metrics: dict[str, float]
    predictions: pd.Series
    net_returns: pd.Series | None
    session_scores: pd.Series
    trees: dict[str, int]
    seconds: float


@dataclass(frozen=True)
class Validation:
    """What all fits of a learner's search have in common, beside the folds.

    Attributes
    ----------
    objective
        A name of ``objectives.OBJECTIVES``.
    clock
        Seconds; for the record alone.
    """

    learner: Learner
    objective: str
    seed: int
    clock: Callable[[], float]


def validated_or_why_not(
    folds: Sequence[Fold],
    strategy_returns: StrategyReturns | None,
    validation: Validation,
    proposal: tuple[int, Mapping[str, Any]],
) -> FoldResult | str:
    """`validated` on the fold of this number with these parameters; a failure in words."""
    number, params = proposal
    try:
        return validated(folds[number], strategy_returns, validation, params)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def validated(
    fold: Fold,
    strategy_returns: StrategyReturns | None,
    validation: Validation,
    params: Mapping[str, Any],
) -> FoldResult:
    """One fit on a fold's training part, scored on its validation part.

    Raises
    ------
    ValueError
        A prediction is not finite.
    """
    began, learner = validation.clock(), validation.learner
    estimator = learner.unfitted(params, seed=validation.seed)
    constrained(estimator, fold.train_x.shape[1], fold.falling)
    trees = best_trees(estimator, fold)
    estimator.set_params(**trees)
    values = _forecasts(fold, learner, estimator) * fold.unit
    if not np.isfinite(values).all():
        raise ValueError(f"predictions on fold {fold.number} are not finite")
    predictions = pd.Series(values, fold.returns.index, dtype="float64", name="prediction")
    net = None if strategy_returns is None else strategy_returns(predictions)
    scores = OBJECTIVES[validation.objective].by_session(fold.returns, predictions, net)
    order = scores if validation.objective == "rank_ic" else None
    return FoldResult(
        metrics=fold_metrics(fold.returns, predictions, net, order),
        predictions=predictions,
        net_returns=net,
        session_scores=scores,
        trees=trees,
        seconds=validation.clock() - began,
    )


def _forecasts(fold: Fold, learner: Learner, estimator: Any) -> np.ndarray:
    """Of the validated rows, in the unit of the target."""
    newest = learner.newest(fold.train_ages)
    x, y = fold.train_x[newest], fold.train_y[newest]
    is_one_of_many = bool(learner.space)
    if is_one_of_many and (can_share(estimator) or not fold.falling):
        forecasts = fold.reused.forecasts(estimator, x, y, fold.validation_x)
        if forecasts is not None:
            return forecasts
    return np.asarray(fitted_falling(estimator, x, y, fold.falling).predict(fold.validation_x))
