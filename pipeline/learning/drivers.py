"""What a model's forecasts hang on: how much each feature moves them, and what that is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

BASE = "base"
"""What is forecast before any feature is looked at."""
OTHER = "other learners"


class Importance(NamedTuple):
    """Worth of a feature, of ``learning.importance``.

    Attributes
    ----------
    rank_ic_lost
        Mean over sessions; negative where the order of the symbols gains by the shuffle.
    t
        Its t-statistic over sessions.
    """

    feature: str
    rank_ic_lost: float
    t: float


class Driver(NamedTuple):
    """A feature behind the forecasts.

    Attributes
    ----------
    mean_size
        Of its part of a forecast, whatever its sign; a return.
    share
        Of the mean sizes of all features.
    rank_ic_lost, t
        Of ``learning.importance``; NaN where it was not measured.
    """

    feature: str
    mean_size: float
    share: float
    rank_ic_lost: float = math.nan
    t: float = math.nan


def drivers(parts: pd.DataFrame, importance: Sequence[Importance] = ()) -> list[Driver]:
    """Features by how much of the forecasts they move, then by their worth, the largest first.

    Parameters
    ----------
    parts
        Of ``learning.contributions``.
    importance
        Of ``learning.importance``.
    """
    size = parts.drop(columns=BASE).abs().mean()
    share = size / size.sum() if float(size.sum()) > 0.0 else size
    worth = {one.feature: (one.rank_ic_lost, one.t) for one in importance}
    listed = [
        Driver(str(name), float(size[name]), float(share[name]), *worth.get(str(name), ()))
        for name in size.index
    ]
    return sorted(listed, key=lambda one: (-one.mean_size, -_or_zero(one.rank_ic_lost)))


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value
