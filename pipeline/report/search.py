"""What a person sees of a search: the table of its trials, and the data of its figure.

The figure itself is drawn by `search_figure`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution

from pipeline.learning.learner import Learner
from pipeline.learning.search.objectives import OBJECTIVES
from pipeline.learning.search.proposals import distributions
from pipeline.learning.search.trials import Trial, stored
from pipeline.report.spaces import place_in_space

MIN_TRIALS_FOR_IMPORTANCE = 10
"""Scored trials below which an importance is noise."""

UNSCORED = ("pruned", "failed")
"""States of trials without an objective."""


def trials_table(trials: Sequence[Trial]) -> pd.DataFrame:
    """One row a trial, in the order given.

    Returns
    -------
    pd.DataFrame
        learner, trial (its number in the learner's study), state, objective (NaN unless complete),
        seconds, error, params as text.
    """
    return pd.DataFrame(
        {
            "learner": trial.learner,
            "trial": trial.number,
            "state": trial.state,
            "objective": trial.value,
            "seconds": round(trial.seconds, 3),
            "error": trial.error,
            "params": str(trial.params),
        }
        for trial in trials
    )


class ObjectiveHistory(NamedTuple):
    """The objective by number of the trial.

    Attributes
    ----------
    numbers, values, best
        Of the scored trials in their order; ``best`` is the best value so far.
    unscored
        Numbers of the other trials by their state: pruned, failed.
    """

    numbers: list[int]
    values: list[float]
    best: list[float]
    unscored: dict[str, list[int]]


class ParallelCoordinates(NamedTuple):
    """Scored trials as lines across the searched parameters.

    Attributes
    ----------
    labels
        Name and ends of each parameter's space.
    heights
        Trials, the worst one first, x parameters: place between the ends of the space, 0 to 1.
    """

    labels: list[str]
    heights: npt.NDArray[np.float64]


class Slice(NamedTuple):
    """The objective over one searched parameter.

    Attributes
    ----------
    parameter
        Its name.
    values, objectives
        Of the scored trials in their order; values that are no numbers as text.
    is_log
        Whether its space is searched by orders of magnitude.
    """

    parameter: str
    values: list[Any]
    objectives: list[float]
    is_log: bool


class LearnerSearch(NamedTuple):
    """All that is drawn of one learner.

    Attributes
    ----------
    learner, objective
        Names.
    history, coordinates, slices
        See their classes; a slice for each parameter.
    importance
        Share of each parameter in the objective's variance, the largest first; they sum to 1.
        Empty with fewer than ``MIN_TRIALS_FOR_IMPORTANCE`` scored trials.
    """

    learner: str
    objective: str
    history: ObjectiveHistory
    importance: dict[str, float]
    coordinates: ParallelCoordinates
    slices: list[Slice]

    @property
    def scored(self) -> int:
        """Number of trials with a finite objective."""
        return len(self.history.numbers)


def learner_search(learner: Learner, trials: Sequence[Trial], objective: str) -> LearnerSearch:
    """What the figure shows of a learner.

    Parameters
    ----------
    trials
        Of all learners; those of others are passed over.
    objective
        One of ``OBJECTIVES``.
    """
    studied = [trial for trial in trials if trial.learner == learner.name]
    scored = [trial for trial in studied if np.isfinite(trial.value)]
    direction, space = OBJECTIVES[objective].direction, distributions(learner)
    return LearnerSearch(
        learner.name,
        objective,
        _history(studied, scored, direction),
        _importance(space, scored, direction),
        _coordinates(space, scored, direction),
        [_slice(name, limits, scored) for name, limits in space.items()],
    )


def _history(studied: Sequence[Trial], scored: Sequence[Trial], direction: str) -> ObjectiveHistory:
    best = np.minimum if direction == "minimize" else np.maximum
    values = [trial.value for trial in scored]
    by_state = {state: [t.number for t in studied if t.state == state] for state in UNSCORED}
    return ObjectiveHistory(
        [trial.number for trial in scored],
        values,
        [float(value) for value in best.accumulate(values)] if values else [],
        {state: numbers for state, numbers in by_state.items() if numbers},
    )


def _importance(
    space: dict[str, BaseDistribution], scored: Sequence[Trial], direction: str
) -> dict[str, float]:
    if len(scored) < MIN_TRIALS_FOR_IMPORTANCE:
        return {}
    study = optuna.create_study(direction=direction)
    study.add_trials(stored(t, {name: t.params[name] for name in space}, space) for t in scored)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about an evaluator that Optuna calls experimental
        shares = optuna.importance.get_param_importances(study)
    return dict(shares)


def _coordinates(
    space: dict[str, BaseDistribution], scored: Sequence[Trial], direction: str
) -> ParallelCoordinates:
    worst_first = sorted(scored, key=lambda t: -t.value if direction == "minimize" else t.value)
    heights = [
        [place_in_space(limits, trial.params[name]) for name, limits in space.items()]
        for trial in worst_first
    ]
    labels = [_label(name, limits) for name, limits in space.items()]
    return ParallelCoordinates(labels, np.reshape(heights, (len(scored), len(space))))


def _slice(name: str, limits: BaseDistribution, scored: Sequence[Trial]) -> Slice:
    values = [trial.params[name] for trial in scored]
    if isinstance(limits, CategoricalDistribution):
        values = [str(value) for value in values]
    is_log = bool(getattr(limits, "log", False))
    return Slice(name, values, [trial.value for trial in scored], is_log)


def _label(name: str, limits: BaseDistribution) -> str:
    low, high = (
        (limits.choices[0], limits.choices[-1])
        if isinstance(limits, CategoricalDistribution)
        else (limits.low, limits.high)
    )
    return f"{name}\n{low} .. {high}"
