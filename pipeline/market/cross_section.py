"""Reductions over the symbols of one session (axis 1), missing symbols left out.

Arrays are C-contiguous with symbols sorted, so that a session's result has the same bits
whichever other sessions are calculated with it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.market.windows import Array, ratio


def universe_mean(values: Array) -> Array:
    """Equal-weight mean of each session, shape ``(sessions,)``; NaN where no symbol has a value."""
    present = ~np.isnan(values)
    sums = np.where(present, values, 0.0).sum(axis=1)
    return ratio(sums, present.sum(axis=1).astype(np.float64))


def ranks(values: Array) -> Array:
    """Rank of each symbol within its session, in (0, 1]; equal values share their mean rank."""
    return pd.DataFrame(values).rank(axis=1, pct=True).to_numpy(np.float64)


def peers_mean(values: Array, groups: npt.NDArray[np.int64]) -> Array:
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
    present = ~np.isnan(values)
    own = np.where(present, values, 0.0)
    others_sum = _group_sums(own, groups) - own
    others = _group_sums(present.astype(np.float64), groups) - present
    return np.where(groups < 0, np.nan, ratio(others_sum, others))


def _group_sums(values: Array, groups: npt.NDArray[np.int64]) -> Array:
    if not groups.size:
        return values
    order = np.argsort(groups, kind="stable")
    _, starts, group_of = np.unique(groups[order], return_index=True, return_inverse=True)
    sums = np.add.reduceat(np.ascontiguousarray(values[:, order]), starts, axis=1)
    spread = np.empty_like(values)
    spread[:, order] = sums[:, group_of]
    return spread
