"""Early stopping of boosted trees on the newest training sessions, never on validated rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor

from pipeline.learning.search.folds import Fold

PATIENCE = 20
"""Trees without a smaller squared error after which boosting stops."""


def best_trees(estimator: Any, fold: Fold) -> dict[str, int]:
    """Number of trees with the smallest error on the fold's inner stopping rows, by parameter.

    Found by a copy of the estimator, fitted on the inner part only. Empty where the fold asks
    for no early stopping or the estimator knows none: LightGBM and scikit-learn's histogram
    gradient boosting take the rows to stop on, while plain gradient boosting would draw them at
    random, across sessions.
    """
    if fold.inner is None:
        return {}
    fitted_on, stopped_on = fold.inner
    fitted = fold.train_x[fitted_on], fold.train_y[fitted_on]
    later = fold.train_x[stopped_on], fold.train_y[stopped_on]
    if isinstance(estimator, HistGradientBoostingRegressor):
        options = {"early_stopping": True, "n_iter_no_change": PATIENCE, "scoring": "loss"}
        stopped = clone(estimator).set_params(**options)
        stopped.fit(*fitted, X_val=later[0], y_val=later[1])
        return {"max_iter": max(1, int(np.argmax(stopped.validation_score_)))}  # 0: no tree yet
    if type(estimator).__name__ == "LGBMRegressor":
        import lightgbm

        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        stopped = clone(estimator).fit(*fitted, eval_X=later[0], eval_y=later[1], callbacks=[stop])
        return {"n_estimators": max(1, int(stopped.best_iteration_))}
    return {}
