"""Reductions over the symbols of one session (axis 1), missing symbols left out.

Arrays are C-contiguous with symbols sorted, so that a session's result has the same bits
whichever other sessions are calculated with it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pipeline.market.windows import Array, ratio

Codes = npt.NDArray[np.int64]
Members = tuple[Codes, Codes, Codes]

CELLS_AT_ONCE = 1 << 16
"""Session-symbol cells per step: a few arrays of them fit into a processor's own cache."""


def universe_mean(values: Array) -> Array:
    """Equal-weight mean of each session, shape ``(sessions,)``; NaN where no symbol has a value."""
    present = ~np.isnan(values)
    sums = np.where(present, values, 0.0).sum(axis=1)
    return ratio(sums, present.sum(axis=1).astype(np.float64))


def ranks(values: Array) -> Array:
    """Rank of each symbol within its session, in (0, 1]; equal values share their mean rank.

    >>> ranks(np.array([[3.0, 1.0, 3.0, np.nan]]))
    array([[0.83333333, 0.33333333, 0.83333333,        nan]])
    """
    return _by_sessions(_ranks, values)


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
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    place = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    differs = ordered[:, 1:] != ordered[:, :-1]
    first, last = np.zeros_like(place), np.full_like(place, values.shape[1] - 1)
    first[:, 1:] = np.where(differs, place[:, 1:], 0)
    last[:, :-1] = np.where(differs, place[:, :-1], values.shape[1] - 1)
    np.maximum.accumulate(first, axis=1, out=first)
    np.minimum.accumulate(last[:, ::-1], axis=1, out=last[:, ::-1])
    ranked = np.empty_like(values)
    np.put_along_axis(ranked, order, (first + last) / 2 + 1, axis=1)
    missing = np.isnan(values)
    ranked[missing] = np.nan
    return ranked / (values.shape[1] - missing.sum(axis=1, keepdims=True))


def _peers_mean(values: Array, groups: Codes, members: Members) -> Array:
    present = ~np.isnan(values)
    own = np.where(present, values, 0.0)
    others_sum = _group_sums(own, *members) - own
    others = _group_sums(present.astype(np.float64), *members) - present
    means = ratio(others_sum, others)
    means[:, groups < 0] = np.nan
    return means


def _members(groups: Codes) -> Members:
    """Order of the symbols by group, where each group starts in it, and the group of each."""
    order = np.argsort(groups, kind="stable")
    _, starts, group_of = np.unique(groups[order], return_index=True, return_inverse=True)
    return order, starts, group_of


def _group_sums(values: Array, order: Codes, starts: Codes, group_of: Codes) -> Array:
    sums = np.add.reduceat(np.take(values, order, axis=1), starts, axis=1)
    spread = np.empty_like(values)
    spread[:, order] = sums[:, group_of]
    return spread
