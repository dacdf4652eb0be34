"""Long trailing windows over series that features share, in a few steps each.

A sum over n sessions is put together from sums over parts of n, each a shifted copy of a shorter
one (126 = 63 + 63, 63 = 21 + 21 + 21, ...): log n steps, and the same additions in the same order
for every session. So a value has the same bits however much history is loaded, like those of
`pipeline.market.windows`, but a session without a value is left out instead of spoiling its
window: a mean exists from `least` values on. Features with these windows are therefore there
from a symbol's 41st bar on, made of what history it has.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.market.definitions import Known, Series, kept
from pipeline.market.windows import Array, ratio

LEAST = 40
"""Values a long window needs; a shorter window needs all of its own."""


def least(n: int) -> int:
    """Values that a window of `n` sessions needs."""
    return min(n, LEAST)


@kept
def filled(known: Known, series: Series, *parameters: Any) -> Array:
    """The series with 0 where it has no value."""
    values = np.array(series(known, *parameters))
    values[np.isnan(values)] = 0.0
    return values


@kept
def totals(known: Known, n: int, series: Series, *parameters: Any) -> Array:
    """Sum of the values there are among the last `n` sessions."""
    if n == 1:
        return filled(known, series, *parameters)
    part = largest_part(n)
    base = totals(known, part, series, *parameters)
    if part == n - 1:
        return together(base, filled(known, series, *parameters), part)
    return repeated(base, part, n // part)


def largest_part(n: int) -> int:
    """Rows of the windows that a window of `n` rows is put together from.

    Half or a third of them; of a number that neither divides, all but one.
    """
    for times in (2, 3):
        if n % times == 0:
            return n // times
    return n - 1


def repeated(base: Array, part: int, times: int) -> Array:
    """Sum of `times` neighbouring windows of `part` rows, from the sums of one."""
    sums = together(base, base, part)
    for k in range(2, times):
        sums[k * part :] += base[: max(len(base) - k * part, 0)]
    return sums


def together(latest: Array, earlier: Array, n: int) -> Array:
    """Sum of each value and one `n` rows earlier; before the first row there is nothing to add."""
    sums = np.empty_like(latest)
    sums[:n] = latest[:n]
    np.add(latest[n:], earlier[: max(len(earlier) - n, 0)], out=sums[n:])
    return sums


def windowed(values: Array, n: int, step: int = 1) -> Array:
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


@kept
def counts_to_date(known: Known, series: Series, *parameters: Any) -> Array:
    """Values of the series so far; whole numbers, so their differences are exact."""
    present = ~np.isnan(series(known, *parameters))
    return np.cumsum(present, axis=0, dtype=np.float64)


def counts(known: Known, n: int, series: Series, *parameters: Any) -> Array:
    """Number of values among the last `n` sessions."""
    to_date = counts_to_date(known, series, *parameters)
    recent = np.empty_like(to_date)
    recent[:n] = to_date[:n]
    np.subtract(to_date[n:], to_date[: max(len(to_date) - n, 0)], out=recent[n:])
    return recent


def mean(known: Known, n: int, series: Series, *parameters: Any) -> Array:
    """Mean of the values among the last `n` sessions; NaN where they are fewer than `least`."""
    number = counts(known, n, series, *parameters)
    number[number < least(n)] = np.nan
    return np.divide(totals(known, n, series, *parameters), number, out=number)


def peak(known: Known, n: int, series: Series, *parameters: Any) -> Array:
    """Highest of the values among the last `n` sessions; NaN where fewer than `least`."""
    highest = np.array(series(known, *parameters))
    reach = 1
    while reach < n:
        further = min(reach, n - reach)
        rows = highest[: max(len(highest) - further, 0)].copy()
        np.fmax(highest[further:], rows, out=highest[further:])
        reach += further
    highest[counts(known, n, series, *parameters) < least(n)] = np.nan
    return highest


@kept
def square(known: Known, series: Series) -> Array:
    """Square of each value."""
    values = series(known)
    return values * values


def root_mean_square(known: Known, n: int, series: Series) -> Array:
    """Root of the mean square over `n`: a standard deviation around 0."""
    squares = mean(known, n, square, series)
    return np.sqrt(squares, out=squares)


# Two series side by side: both count only where both have a value


@kept
def product(known: Known, one: Series, other: Series) -> Array:
    """Product of each pair of values."""
    return one(known) * other(known)


@kept
def paired(known: Known, one: Series, other: Series) -> Array:
    """Value of `one` where `other` has one too."""
    values = one(known).copy()
    values[np.isnan(other(known))] = np.nan
    return values


@kept
def paired_square(known: Known, one: Series, other: Series) -> Array:
    """Square of `one` where `other` has a value too."""
    values = paired(known, one, other)
    return values * values


@kept
def covariance(known: Known, n: int, one: Series, other: Series) -> Array:
    """Mean product of the distances from their means over `n`."""
    means = mean(known, n, paired, one, other)
    means *= mean(known, n, paired, other, one)
    return np.subtract(mean(known, n, product, one, other), means, out=means)


@kept
def variance(known: Known, n: int, one: Series, other: Series) -> Array:
    """Mean squared distance from its mean over `n`, of `one` where `other` has a value too."""
    squares = mean(known, n, paired_square, one, other)
    means = mean(known, n, paired, one, other)
    squares -= np.square(means, out=means)
    return np.maximum(squares, 0.0, out=squares)


def slope(known: Known, n: int, one: Series, other: Series) -> Array:
    """Least-squares slope of `one` on `other` over `n`."""
    return ratio(covariance(known, n, one, other), variance(known, n, other, one))


def correlation(known: Known, n: int, one: Series, other: Series) -> Array:
    """Correlation over `n`."""
    spread = variance(known, n, one, other) * variance(known, n, other, one)
    return ratio(covariance(known, n, one, other), np.sqrt(spread, out=spread))


def residual_deviation(known: Known, n: int, one: Series, other: Series) -> Array:
    """Standard deviation of what `other` leaves unexplained of `one` over `n`."""
    explained = ratio(covariance(known, n, one, other) ** 2, variance(known, n, other, one))
    return np.sqrt(np.maximum(variance(known, n, one, other) - explained, 0.0))
