"""Where a value lies in the space it was searched in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from pipeline.learning.learner import Learner
from pipeline.learning.search.proposals import distributions

AT_AN_END = 0.02
"""Of the space, on its scale."""


def place_in_space(limits: BaseDistribution, value: Any) -> float:
    """Where a value lies between the ends of its space, from 0 to 1."""
    if isinstance(limits, CategoricalDistribution):
        return limits.choices.index(value) / max(len(limits.choices) - 1, 1)
    scale = np.log if limits.log else float
    low, high = scale(limits.low), scale(limits.high)
    return float((scale(value) - low) / (high - low)) if high > low else 0.5


def ends_of_spaces(
    learners: Sequence[Learner], chosen: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """In words, each chosen number at an end of its space: beyond it may lie a better one.

    Parameters
    ----------
    learners
        With their spaces.
    chosen
        Parameters by the learner's name.
    """
    lines = []
    for learner in learners:
        best = chosen.get(learner.name, {})
        for name, limits in distributions(learner).items():
            if isinstance(limits, CategoricalDistribution) or name not in best:
                continue
            if limits.low == limits.high:
                continue
            place = place_in_space(limits, best[name])
            if min(place, 1 - place) <= AT_AN_END:
                end = "low" if place < 0.5 else "high"
                lines.append(
                    f"the best {name} of {learner.name}, {best[name]:g}, lies at the {end} end of "
                    f"its space, {limits.low:g} to {limits.high:g}; a wider one: "
                    f"model.learners.{learner.name}.space.{name}.{end}=..."
                )
    return lines
