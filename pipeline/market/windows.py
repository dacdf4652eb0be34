"""Trailing windows over sessions (axis 0), for one series or a whole panel at once.

Every value is worked out from its own window alone, term by term, never by a running sum: it has
the same bits however much history is loaded. A window that is short of sessions or holds a
missing value is NaN.
"""

from __future__ import annotations

from collections.abc import Iterable

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
    return _padded(_folded(np.add, _latest(values, n)), values)


def average(values: Array, n: int) -> Array:
    """Mean over the last `n` sessions."""
    return total(values, n) / n


def compounded(moves: Array, n: int) -> Array:
    """Return over the last `n` sessions from the simple return of each: product(1 + move) - 1."""
    return _padded(_folded(np.multiply, _latest(1 + moves, n)), moves) - 1


def highest(values: Array, n: int) -> Array:
    """Maximum over the last `n` sessions."""
    return _padded(_folded(np.maximum, _latest(values, n)), values)


def lowest(values: Array, n: int) -> Array:
    """Minimum over the last `n` sessions."""
    return _padded(_folded(np.minimum, _latest(values, n)), values)


def deviation(values: Array, n: int) -> Array:
    """Sample standard deviation (n - 1) over the last `n` sessions, in two passes."""
    latest = _latest(values, n)
    mean = _folded(np.add, latest) / n
    squares = _folded(np.add, ((value - mean) ** 2 for value in latest))
    return _padded(np.sqrt(squares / (n - 1)), values)


def time_correlation(values: Array, n: int) -> Array:
    """Correlation of the last `n` values with their position in time, in [-1, 1].

    A bounded form of the t-statistic of a linear trend: t = r sqrt((n - 2) / (1 - r^2)).
    NaN where the values do not vary.
    """
    latest = _latest(values, n)
    # Measured from the newest value, a constant varies by exactly nothing.
    mean = _folded(np.add, (value - latest[0] for value in latest)) / n
    distances = (value - latest[0] - mean for value in latest)
    covariance, squares = np.zeros_like(mean), np.zeros_like(mean)
    for position, distance in enumerate(distances):
        covariance += ((n - 1) / 2 - position) * distance
        squares += distance**2
    return _padded(ratio(covariance, np.sqrt(squares * (n * (n * n - 1) / 12))), values)


def ratio(numerator: Array, denominator: Array) -> Array:
    """Quotient, NaN where the denominator is zero: an undefined value is missing, not infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.asarray(numerator / denominator)
    quotient[np.broadcast_to(denominator == 0, quotient.shape)] = np.nan
    return quotient


def _latest(values: Array, n: int) -> list[Array]:
    """Views of the newest, second newest, ... value of every full window of `n` sessions."""
    windows = max(len(values) - n + 1, 0)
    return [values[n - 1 - k :][:windows] for k in range(n)]


def _folded(step: np.ufunc, terms: Iterable[Array]) -> Array:
    """The terms put together one after the other, in their order."""
    remaining = iter(terms)
    folded = next(remaining).copy()
    for term in remaining:
        step(folded, term, out=folded)
    return folded


def _padded(full: Array, like: Array) -> Array:
    """NaN for the sessions at the start, which have no full window."""
    padded = np.full_like(like, np.nan)
    padded[len(like) - len(full) :] = full
    return padded
