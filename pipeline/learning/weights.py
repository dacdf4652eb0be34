"""How much each learner says in the ensemble's forecast, by its out-of-fold forecasts.

Returns and forecasts are fractions on the same rows, indexed by ``schemas.ROW``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from pipeline.schemas import SESSION

SPREAD = 0.25
"""How far a stacked weight is expected to lie from an equal share."""

Weigh = Callable[[pd.Series, pd.DataFrame], dict[str, float]]
"""Returns and out-of-fold forecasts (rows x learners) -> weight by learner."""


def calibration_slope(returns: pd.Series, predictions: pd.Series, min_slope: float = 0.0) -> float:
    """Slope through the origin of out-of-fold returns on predictions, clipped to [min_slope, 1].

    Mincer and Zarnowitz (1969) without the intercept. ``min_slope`` where the predictions do not
    vary. A ``min_slope`` above 0 keeps the order of forecasts that showed no skill, so that their
    rank IC can still be measured.

    Examples
    --------
    >>> calibration_slope(pd.Series([0.01, -0.02]), pd.Series([0.02, -0.04]))
    0.5
    """
    squares = float((predictions**2).sum())
    if squares == 0.0 or not np.isfinite(squares):
        return min_slope
    slope = float((predictions * returns).sum()) / squares
    return float(np.clip(slope, min_slope, 1.0)) if np.isfinite(slope) else min_slope


def equal(returns: pd.Series, members: pd.DataFrame, min_sum: float = 0.0) -> dict[str, float]:
    """Equal shares that sum to the calibration slope of the learners' mean.

    What many forecasts combined by estimated weights rarely beat: Smith and Wallis (2009), "A
    Simple Explanation of the Forecast Combination Puzzle", Oxford Bulletin of Economics and
    Statistics 71.

    Parameters
    ----------
    returns
        Fractions by (session, symbol).
    members
        Out-of-fold forecasts, rows as in `returns` x learners.
    min_sum
        Of the sum; 1: the plain mean, as confident as it is.
    """
    share = calibration_slope(returns, members.mean(axis=1), min_sum) / members.shape[1]
    return dict.fromkeys(map(str, members), share)


def stacked(returns: pd.Series, members: pd.DataFrame, min_sum: float = 0.0) -> dict[str, float]:
    """Stacked regression (Breiman 1996): least squares without negative weights.

    It is drawn toward `equal` shares, as by a normal prior of standard deviation ``SPREAD``
    around each: little evidence leaves equal shares, much of it finds the learner that knows
    more. Rows count for as much as they tell, see `design_effect`; each weight that is free
    costs an R² of one over their number.

    Parameters
    ----------
    returns
        Fractions by (session, symbol).
    members
        Out-of-fold forecasts, rows as in `returns` x learners.
    min_sum
        Of the weights' sum, see `calibration_slope`.

    Examples
    --------
    >>> rows = pd.MultiIndex.from_product([range(1000), ["A"]], names=["session", "symbol"])
    >>> seen = pd.DataFrame({"knows": [1.0, -1.0] * 500, "does_not": [1.0, 1.0] * 500}, rows)
    >>> weights = stacked(0.5 * seen["knows"], seen)
    >>> {name: round(weight, 2) for name, weight in weights.items()}
    {'knows': 0.5, 'does_not': 0.0}
    """
    shares = np.array(list(equal(returns, members, min_sum).values()))
    seen, mean = members.to_numpy(dtype="float64"), members.mean(axis=1)
    errors = returns - shares.sum() * mean
    noise = (float(returns.var()) or 1.0) * design_effect(mean * errors)
    belief = noise / SPREAD**2
    root = np.linalg.cholesky(seen.T @ seen + belief * np.eye(len(shares))).T
    targets = np.linalg.solve(root.T, seen.T @ returns.to_numpy() + belief * shares)
    weights, _ = nnls(root, targets)
    weights += max(min_sum - weights.sum(), 0.0) / len(weights)
    return dict(zip(map(str, members), map(float, weights), strict=True))


def design_effect(scores: pd.Series) -> float:
    """How many rows of these sessions tell as much as one independent row; at least 1.

    Kish (1965), Survey Sampling, with sessions as clusters: the variance of the scores' sum when
    those of a session move together, over that of independent ones. Symbols of a sector, or of
    the same volatility, do: in a panel of 500, two to six rows tell as much as one.

    Parameters
    ----------
    scores
        Forecast times forecast error of each row.

    Examples
    --------
    >>> rows = pd.MultiIndex.from_product([range(2), ["A", "B"]], names=["session", "symbol"])
    >>> design_effect(pd.Series([1.0, 1.0, -1.0, -1.0], rows))
    2.0
    """
    squares = float((scores**2).sum())
    together = float((scores.groupby(level=SESSION).sum() ** 2).sum())
    return max(together / squares, 1.0) if squares > 0.0 else 1.0


def calibrated(
    returns: pd.Series, members: pd.DataFrame, fold_of_row: np.ndarray, weigh: Weigh = stacked
) -> pd.Series:
    """Out-of-fold forecasts of the ensemble, each fold by the weights of the *other* folds.

    What ``cv/*`` scores: weights fitted on the rows they are scored on would flatter them.

    Parameters
    ----------
    returns
        Of the validated rows, by (session, symbol), as fractions.
    members
        Out-of-fold forecasts, rows x learners, on the same rows.
    fold_of_row
        Number of each row's fold, shape (rows,).
    weigh
        Weights by learner, of returns and forecasts.

    Returns
    -------
    Series
        Forecast returns, as fractions, on the same rows.
    """
    parts = []
    for number in np.unique(fold_of_row):
        is_in_fold = fold_of_row == number
        weights = weigh(returns[~is_in_fold], members[~is_in_fold])
        parts.append(members[is_in_fold] @ pd.Series(weights))
    joined: pd.Series = pd.concat(parts)
    return joined.reindex(members.index).rename("prediction")
