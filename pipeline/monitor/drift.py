"""Whether what a model sees today lies where it lay when it learned: population stability.

The index (PSI) compares the shares of rows by bin: sum of (q - p) ln(q / p), where p are those of
the training window and q those of late. Bins are deciles of the training window; missing values and
each category are bins of their own. Rows of a session move together, so tables of critical values
say nothing: a feature has drifted where it lies further away than any stretch of as many sessions
of its own training window lay, and further than a floor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.schemas import SESSION
from pipeline.stats.returns import Values

Places = npt.NDArray[np.int64]

BINS = 10
MIN_SHARE = 1e-4
"""Of an empty bin: the logarithm needs one."""


def psi(expected: Values, seen: Values) -> float:
    """Population stability index of two sets of shares by bin.

    >>> round(psi(np.array([0.5, 0.5]), np.array([0.5, 0.5])), 4)
    0.0
    >>> round(psi(np.array([0.5, 0.5]), np.array([0.6, 0.4])), 4)
    0.0405
    """
    p, q = np.maximum(expected, MIN_SHARE), np.maximum(seen, MIN_SHARE)
    return float(((q - p) * np.log(q / p)).sum())


def drift(training: pd.DataFrame, late: pd.DataFrame, floor: float) -> pd.DataFrame:
    """Stability of each feature.

    Parameters
    ----------
    training, late
        Snapshots, rows by (session, symbol); numbers, and texts for categories.
    floor
        The index from which a drift counts at all.

    Returns
    -------
    DataFrame
        By feature: psi, limit (the larger of the floor and the furthest stretch of the training
        window), drifted. The furthest first.
    """
    sessions = late.index.get_level_values(SESSION).nunique()
    rows = {name: _of_feature(training[name], late[name], sessions, floor) for name in late}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["psi", "limit"])
    table["drifted"] = table["psi"] > table["limit"]
    order = (table["psi"] / table["limit"]).sort_values(ascending=False, kind="stable").index
    return table.loc[order].rename_axis("feature")


def drifted_features(table: pd.DataFrame, max_names: int = 5) -> str:
    """Names of the features that drifted, with their index."""
    drifted = table[table["drifted"]]
    named = [f"{name} {row.psi:.2f}" for name, row in drifted.iloc[:max_names].iterrows()]
    more = f" and {len(drifted) - max_names} more" if len(drifted) > max_names else ""
    return ", ".join(named) + more


def _of_feature(
    training: pd.Series, late: pd.Series, sessions: int, floor: float
) -> tuple[float, float]:
    codes, late_codes, count = _binned(training, late)
    whole = np.bincount(codes, minlength=count) / len(codes)
    by_session = _counts(training.index, codes, count)
    furthest = max((psi(whole, shares) for shares in _stretches(by_session, sessions)), default=0.0)
    seen = np.bincount(late_codes, minlength=count) / len(late_codes)
    return psi(whole, seen), max(floor, furthest)


def _binned(training: pd.Series, late: pd.Series) -> tuple[Places, Places, int]:
    """Bin of each row of both, and how many bins there are; the last is for what is missing."""
    if not pd.api.types.is_numeric_dtype(training):
        known = pd.Index(training.dropna().unique()).sort_values()
        codes, late_codes = (np.asarray(known.get_indexer(values)) for values in (training, late))
        missing = len(known)
        return (
            np.where(codes < 0, missing, codes),
            np.where(late_codes < 0, missing, late_codes),
            missing + 1,
        )
    values = training.to_numpy(np.float64)
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    both = (values, late.to_numpy(np.float64))
    codes, late_codes = (
        np.where(np.isnan(v), len(edges) + 1, np.searchsorted(edges, v, side="right")) for v in both
    )
    return codes.astype(np.int64), late_codes.astype(np.int64), len(edges) + 2


def _counts(rows: pd.Index, codes: Places, count: int) -> Values:
    """Rows by session and bin."""
    session, listed = pd.factorize(rows.get_level_values(SESSION), sort=True)
    flat = np.bincount(session * count + codes, minlength=len(listed) * count)
    return flat.reshape(len(listed), count).astype(np.float64)


def _stretches(counts: Values, sessions: int) -> Sequence[Values]:
    """Shares by bin of every run of so many sessions."""
    total = np.concatenate([np.zeros((1, counts.shape[1])), counts.cumsum(axis=0)])
    if len(counts) <= sessions:
        return []
    sums = total[sessions:] - total[:-sessions]
    return list(sums / sums.sum(axis=1, keepdims=True))
