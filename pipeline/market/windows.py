"""Trailing windows over sessions (axis 0), for one series or a whole panel at once.

Every value is worked out from its own window alone, term by term, never by a running sum: it has
the same bits however much history is loaded. A window that is short of sessions or holds a
missing value is NaN.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]
"""Float64, sessions first: ``(sessions,)`` or ``(sessions, symbols)``."""


def array(values: pd.DataFrame | pd.Series) -> Array:
    """The values as one C-contiguous float64 block."""
    return np.ascontiguousarray(values.to_numpy(np.float64))


def past(values: Array, n: int) -> Array:
    """The value `n` sessions earlier.

    >>> past(np.array([1.0, 2.0, 3.0]), 1)
    array([nan,  1.,  2.])
    """
    earlier = np.full_like(values, np.nan)
    earlier[n:] = values[: max(len(values) - n, 0)]
    return earlier


def change(values: Array, n: int) -> Array:
    """Relative change over `n` sessions: value / value `n` sessions earlier - 1."""
    return ratio(values, past(values, n)) - 1


def total(values: Array, n: int) -> Array:
    """Sum over the last `n` sessions.

    >>> total(np.array([1.0, 2.0, 3.0]), 2)
    array([nan,  3.,  5.])
    """
    return _folded(np.add, values, n)


def average(values: Array, n: int) -> Array:
    """Mean over the last `n` sessions."""
    return total(values, n) / n


def compounded(moves: Array, n: int) -> Array:
    """Return over the last `n` sessions from the simple return of each: product(1 + move) - 1."""
    return _folded(np.multiply, 1 + moves, n) - 1


def highest(values: Array, n: int) -> Array:
    """Maximum over the last `n` sessions."""
    return _folded(np.maximum, values, n)


def lowest(values: Array, n: int) -> Array:
    """Minimum over the last `n` sessions."""
    return _folded(np.minimum, values, n)


def deviation(values: Array, n: int) -> Array:
    """Sample standard deviation (n - 1) over the last `n` sessions, in two passes."""
    mean = average(values, n)
    squares = np.full_like(mean, 0.0)
    for k in range(n):
        squares += (past(values, k) - mean) ** 2
    return np.sqrt(squares / (n - 1))


def time_correlation(values: Array, n: int) -> Array:
    """Correlation of the last `n` values with their position in time, in [-1, 1].

    A bounded form of the t-statistic of a linear trend: t = r sqrt((n - 2) / (1 - r^2)).
    NaN where the values do not vary.
    """
    mean = average(values, n)
    covariance, squares = np.zeros_like(mean), np.zeros_like(mean)
    for k in range(n):
        distance = past(values, k) - mean
        covariance += ((n - 1) / 2 - k) * distance
        squares += distance**2
    return ratio(covariance, np.sqrt(squares * (n * (n * n - 1) / 12)))


def ratio(numerator: Array, denominator: Array) -> Array:
    """Quotient, NaN where the denominator is zero: an undefined value is missing, not infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)


def _folded(step: np.ufunc, values: Array, n: int) -> Array:
    folded = np.full_like(values, np.nan)
    if n > len(values):
        return folded
    folded[n - 1 :] = values[n - 1 :]
    for k in range(1, n):
        step(folded[n - 1 :], values[n - 1 - k : len(values) - k], out=folded[n - 1 :])
    return folded
