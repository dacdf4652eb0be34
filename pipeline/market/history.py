"""Long trailing windows over series that features share, in a few steps each.

A sum over n sessions is put together from sums over parts of n, each a shifted copy of a shorter
one (126 = 63 + 63, 63 = 21 + 21 + 21, ...): log n steps, and the same additions in the same order
for every session. So a value has the same bits however much history is loaded, like those of
`pipeline.market.windows`, but a session without a value is left out instead of spoiling its
window: a mean exists from `least` values on. Features with these windows are therefore there
from a symbol's 41st bar on, made of what history it has.

A window needs one symbol alone, so a few symbols at a time go through all its steps: what lies
between the steps stays small, whatever the width of the panel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.market.definitions import Known, Series, Values
from pipeline.market.windows import Array, ratio

LEAST = 40
"""Values a long window needs; a shorter window needs all of its own."""

CELLS_AT_ONCE = 1 << 16
"""Session-symbol cells per step: a few arrays of them fit into a processor's own cache."""


def least(n: int) -> int:
    """Values that a window of `n` sessions needs."""
    return min(n, LEAST)


def by_symbols(calculation: Callable[..., Array], *panels: Array) -> Array:
    """The calculation for a few symbols at a time; one series without symbols goes as it is.

    Its result must be of the shape of its arguments, which are parts of `panels`.
    """
    first = panels[0]
    if first.ndim == 1:
        return calculation(*panels)
    step = max(1, CELLS_AT_ONCE // max(len(first), 1))
    result = np.empty(first.shape)
    for start in range(0, first.shape[1], step):
        part = np.s_[:, start : start + step]
        result[part] = calculation(*(panel[part] for panel in panels))
    return result


def mean(known: Known, n: int, series: Series, *parameters: Any) -> Array:
    """Mean of the values among the last `n` sessions; NaN where they are fewer than `least`."""
    return by_symbols(lambda part: _mean(part, n), series(known, *parameters))


def totals(known: Known, n: int, series: Series, *parameters: Any) -> Array:
    """Sum of the values there are among the last `n` sessions."""
    return by_symbols(lambda part: windowed(_filled(part), n), series(known, *parameters))


def peak(known: Known, n: int, series: Series, *parameters: Any) -> Array:
    """Highest of the values among the last `n` sessions; NaN where fewer than `least`."""
    return by_symbols(lambda part: _peak(part, n), series(known, *parameters))


def square(known: Known, series: Series) -> Array:
    """Square of each value."""
    values = series(known)
    return values * values


def root_mean_square(known: Known, n: int, series: Series) -> Array:
    """Root of the mean square over `n`: a standard deviation around 0."""
    return by_symbols(lambda part: np.sqrt(_mean(part * part, n)), series(known))


# Two series side by side: both count only where both have a value


def slope(known: Known, n: int, one: Series, other: Series) -> Array:
    """Least-squares slope of `one` on `other` over `n`."""

    def calculation(one: Array, other: Array) -> Array:
        covariance, _, variance = _moments(one, other, n)
        return ratio(covariance, variance)

    return by_symbols(calculation, one(known), other(known))


def correlation(known: Known, n: int, one: Series, other: Series) -> Array:
    """Correlation over `n`."""

    def calculation(one: Array, other: Array) -> Array:
        covariance, variance, others_variance = _moments(one, other, n)
        return ratio(covariance, np.sqrt(variance * others_variance))

    return by_symbols(calculation, one(known), other(known))


def residual_deviation(known: Known, n: int, one: Series, other: Series) -> Array:
    """Standard deviation of what `other` leaves unexplained of `one` over `n`."""

    def calculation(one: Array, other: Array) -> Array:
        covariance, variance, others_variance = _moments(one, other, n)
        explained = ratio(covariance**2, others_variance)
        return np.sqrt(np.maximum(variance - explained, 0.0))

    return by_symbols(calculation, one(known), other(known))


# Of a few symbols at a time


def windowed(values: Values, n: int, step: int = 1) -> Values:
    """Sum over `n` rows, each `step` after the other; no value may be missing.

    >>> windowed(np.array([1.0, 2.0, 4.0, 8.0]), 3)
    array([ 1.,  3.,  7., 14.])
    """
    if n == 1:
        return values
    part = largest_part(n)
    base = windowed(values, part, step)
    if part == n - 1:
        return together(base, values, part * step)
    return repeated(base, part * step, n // part)


def largest_part(n: int) -> int:
    """Rows of the windows that a window of `n` rows is put together from.

    Half or a third of them; of a number that neither divides, all but one.
    """
    for times in (2, 3):
        if n % times == 0:
            return n // times
    return n - 1


def repeated(base: Values, part: int, times: int) -> Values:
    """Sum of `times` neighbouring windows of `part` rows, from the sums of one."""
    sums = together(base, base, part)
    for k in range(2, times):
        sums[k * part :] += base[: max(len(base) - k * part, 0)]
    return sums


def together(latest: Values, earlier: Values, n: int) -> Values:
    """Sum of each value and one `n` rows earlier; before the first row there is nothing to add."""
    sums = np.empty_like(latest)
    sums[:n] = latest[:n]
    np.add(latest[n:], earlier[: max(len(earlier) - n, 0)], out=sums[n:])
    return sums


def counts(present: npt.NDArray[np.bool_], n: int, step: int = 1) -> npt.NDArray[np.int16]:
    """Number of values there are among `n` rows, each `step` after the other."""
    return windowed(present.astype(np.int16), n, step)


def _filled(values: Array) -> Array:
    return np.where(np.isnan(values), 0.0, values)


def _number(present: npt.NDArray[np.bool_], n: int) -> Array:
    """Values among the last `n`; NaN where they are fewer than `least`."""
    number = counts(present, n).astype(np.float64)
    number[number < least(n)] = np.nan
    return number


def _mean(values: Array, n: int) -> Array:
    return windowed(_filled(values), n) / _number(~np.isnan(values), n)


def _peak(values: Array, n: int) -> Array:
    highest = values.copy()
    reach = 1
    while reach < n:
        further = min(reach, n - reach)
        rows = highest[: max(len(highest) - further, 0)].copy()
        np.fmax(highest[further:], rows, out=highest[further:])
        reach += further
    highest[counts(~np.isnan(values), n) < least(n)] = np.nan
    return highest


def _moments(one: Array, other: Array, n: int) -> tuple[Array, Array, Array]:
    """Covariance over `n`, and the variance of each."""
    missing = np.isnan(one) | np.isnan(other)
    number = _number(~missing, n)
    one, other = (np.where(missing, 0.0, values) for values in (one, other))
    mean_of_one, mean_of_other, mean_product, mean_square_of_one, mean_square_of_other = (
        windowed(values, n) / number
        for values in (one, other, one * other, one * one, other * other)
    )
    return (
        mean_product - mean_of_one * mean_of_other,
        np.maximum(mean_square_of_one - mean_of_one * mean_of_one, 0.0),
        np.maximum(mean_square_of_other - mean_of_other * mean_of_other, 0.0),
    )
