"""Reductions over the symbols of one session (axis 1), missing symbols left out.

A session's result has the same bits whichever other sessions are calculated with it, and whichever
symbols are listed that have no value in it: ranks compare, and sums are made of whole numbers,
which add up alike in any order. So a new symbol changes nothing before its first session.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pipeline.market.windows import Array, change, ratio

COLUMNS = (1 << 16) - 1
"""The last bits of a value that is ranked hold its column."""

LARGEST = (1 << 63) - 1

Codes = npt.NDArray[np.int64]
Members = tuple[Codes, Codes, Codes]

GRID = 2.0**44
"""Parts of 1 that are summed as whole numbers: 6e-14, far below what a return is known to."""

CELLS_AT_ONCE = 1 << 16
"""Session-symbol cells per step: a few arrays of them fit into a processor's own cache."""


def universe_mean(values: Array) -> Array:
    """Equal-weight mean of each session, shape ``(sessions,)``; NaN where no symbol has a value."""
    present = ~np.isnan(values)
    sums = _whole(values, present).sum(axis=1) / GRID
    return ratio(sums, present.sum(axis=1).astype(np.float64))


def market_return(closes: Array, index: Array | None) -> Array:
    """Close-to-close return of the market, shape ``(sessions,)``.

    Parameters
    ----------
    closes
        Of all symbols, sessions x symbols.
    index
        Closes of an index, by session; None: the mean of the symbols' returns.
    """
    return universe_mean(change(closes, 1)) if index is None else change(index, 1)


def _whole(values: Array, present: npt.NDArray[np.bool_]) -> Codes:
    """Values in whole parts of the grid, 0 where missing."""
    largest = LARGEST / GRID / max(values.shape[1], 1)
    if np.abs(values).max(initial=0.0, where=present) > largest:
        raise ValueError(f"a value to be averaged exceeds {largest:g}: not a ratio")
    scaled = np.multiply(values, GRID, out=np.zeros_like(values), where=present)
    return np.rint(scaled, out=scaled).astype(np.int64)


def ranks(values: Array) -> Array:
    """Rank of each symbol within its session, in (0, 1]; equal values share their mean rank.

    Equal are values with the same leading 37 binary digits, about 11 decimal ones.

    Raises
    ------
    ValueError
        More than 65,536 symbols.

    >>> ranks(np.array([[3.0, 1.0, 3.0, np.nan]]))
    array([[0.83333333, 0.33333333, 0.83333333,        nan]])
    """
    if values.shape[1] > COLUMNS + 1:
        raise ValueError(f"{values.shape[1]} symbols to rank, at most {COLUMNS + 1} are possible")
    return _by_sessions(_ranks, values)


def centred_ranks(values: Array) -> Array:
    """Ranks less their mean: between -0.5 and 0.5, of each session's values around 0.

    >>> centred_ranks(np.array([[3.0, 1.0, 3.0, np.nan, 2.0]]))
    array([[ 0.25 , -0.375,  0.25 ,    nan, -0.125]])
    """
    number = (~np.isnan(values)).sum(axis=1, keepdims=True)
    return ranks(values) - (1 + 1 / np.maximum(number, 1)) / 2


def peers_mean(values: Array, groups: Codes) -> Array:
    """Mean of the *other* symbols of the same group in the same session.

    Parameters
    ----------
    values
        Sessions x symbols.
    groups
        One code per symbol, -1 where the group is unknown.

    Returns
    -------
    Array
        Sessions x symbols; NaN for an unknown group and where no other symbol of the group
        has a value.
    """
    if not groups.size:
        return values.copy()
    members = _members(groups)
    return _by_sessions(lambda part: _peers_mean(part, groups, members), values)


def sector_relative(values: Array, groups: Codes) -> Array:
    """Distance from the mean of the other symbols of the group; the unknown are one group.

    Without any sector it is the distance from all other symbols.
    """
    return values - peers_mean(values, np.where(groups < 0, groups.max(initial=-1) + 1, groups))


def _by_sessions(reduction: Callable[[Array], Array], values: Array) -> Array:
    """The reduction of a few sessions at a time, which the processor's cache can hold."""
    step = max(1, CELLS_AT_ONCE // max(values.shape[1], 1))
    result = np.empty_like(values)
    for start in range(0, len(values), step):
        result[start : start + step] = reduction(values[start : start + step])
    return result


def _ranks(values: Array) -> Array:
    """Sorts whole numbers that hold a value's leading bits and, behind them, its column."""
    missing = np.isnan(values)
    # Adding 0 makes -0 the same number as 0. As whole numbers, floats of one sign are in order.
    bits = (values + 0.0).view(np.int64)
    bits ^= (bits >> 63) & LARGEST
    bits[missing] = LARGEST
    bits &= ~COLUMNS
    bits |= np.arange(values.shape[1])
    bits.sort(axis=1)
    columns = bits & COLUMNS
    bits >>= COLUMNS.bit_length()
    # Those missing come last; what place they have does not matter.
    places = _places((bits[:, 1:] != bits[:, :-1]) | (bits[:, 1:] == LARGEST >> 16))
    columns += np.arange(len(values))[:, None] * values.shape[1]
    ranked = np.empty_like(values)
    ranked.ravel()[columns] = places
    ranked[missing] = np.nan
    ranked /= values.shape[1] - missing.sum(axis=1, keepdims=True)
    return ranked


def _places(differs: npt.NDArray[np.bool_]) -> Array:
    """Place of each sorted value, from 1; of a run of equal ones the mean place."""
    last = differs.shape[1]
    place = np.arange(last + 1)
    if differs.all():
        return np.broadcast_to(place + 1.0, (len(differs), last + 1))
    starts, ends = np.zeros((2, len(differs), last + 1), dtype=np.int32)
    np.multiply(differs, place[1:], out=starts[:, 1:], casting="unsafe")
    ends[:, :-1] = np.where(differs, place[:-1], last)
    ends[:, -1] = last
    np.maximum.accumulate(starts, axis=1, out=starts)
    np.minimum.accumulate(ends[:, ::-1], axis=1, out=ends[:, ::-1])
    starts += ends
    return starts / 2 + 1


def _peers_mean(values: Array, groups: Codes, members: Members) -> Array:
    present = ~np.isnan(values)
    own = _whole(values, present)
    others_sum = (_group_sums(own, *members) - own) / GRID
    others = _group_sums(present.astype(np.int64), *members) - present
    means = ratio(others_sum, others.astype(np.float64))
    means[:, groups < 0] = np.nan
    return means


def _members(groups: Codes) -> Members:
    """Order of the symbols by group, where each group starts in it, and the group of each."""
    order = np.argsort(groups, kind="stable")
    _, starts, group_of = np.unique(groups[order], return_index=True, return_inverse=True)
    return order, starts, group_of


def _group_sums(values: Codes, order: Codes, starts: Codes, group_of: Codes) -> Codes:
    sums = np.add.reduceat(np.take(values, order, axis=1), starts, axis=1)
    spread = np.empty_like(values)
    spread[:, order] = sums[:, group_of]
    return spread
