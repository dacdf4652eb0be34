"""What a person sees of a search: the table of its trials, and one figure.

The figure has a row for each learner: history of the objective, importance of the parameters,
parallel coordinates.
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
from pipeline.report.numbers import count
from pipeline.report.spaces import place_in_space

MIN_TRIALS_FOR_IMPORTANCE = 10
"""Scored trials below which an importance is noise."""

MAX_LABELS_IN_A_ROW = 4

STATE_COLOURS = {"pruned": "tab:gray", "failed": "tab:red"}


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


class LearnerSearch(NamedTuple):
    """All that is drawn of one learner.

    Attributes
    ----------
    learner, objective
        Names.
    history, coordinates
        See their classes.
    importance
        Share of each parameter in the objective's variance, the largest first; they sum to 1.
        Empty with fewer than ``MIN_TRIALS_FOR_IMPORTANCE`` scored trials.
    """

    learner: str
    objective: str
    history: ObjectiveHistory
    importance: dict[str, float]
    coordinates: ParallelCoordinates

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
    )


def _history(studied: Sequence[Trial], scored: Sequence[Trial], direction: str) -> ObjectiveHistory:
    best = np.minimum if direction == "minimize" else np.maximum
    values = [trial.value for trial in scored]
    by_state = {state: [t.number for t in studied if t.state == state] for state in STATE_COLOURS}
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


def _label(name: str, limits: BaseDistribution) -> str:
    low, high = (
        (limits.choices[0], limits.choices[-1])
        if isinstance(limits, CategoricalDistribution)
        else (limits.low, limits.high)
    )
    return f"{name}\n{low} .. {high}"


def search_figure(learners: Sequence[Learner], trials: Sequence[Trial], objective: str) -> Any:
    """A row for each learner that had a choice.

    Parameters
    ----------
    learners
        Those with one trial are left out: nothing was chosen.
    trials, objective
        As for ``learner_search``.

    Returns
    -------
    matplotlib.figure.Figure or None
        None where no learner had a choice.
    """
    from matplotlib.figure import Figure  # slow to import, and the table does not need it
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    searches = [
        learner_search(learner, trials, objective)
        for learner in learners
        if sum(trial.learner == learner.name for trial in trials) > 1
    ]
    if not searches:
        return None
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)  # inches
    figure = Figure(figsize=(16, 3.6 * len(searches)), layout=layout)
    rows = figure.subplots(len(searches), 3, squeeze=False, width_ratios=[2, 1, 3])
    for (history, importance, coordinates), search in zip(rows, searches, strict=True):
        _draw_history(history, search)
        _draw_importance(importance, search)
        _draw_coordinates(coordinates, search)
    return figure


def _draw_history(axes: Any, search: LearnerSearch) -> None:
    numbers, values, best, unscored = search.history
    axes.plot(numbers, values, "o", color="tab:blue", label="complete")
    axes.step(numbers, best, where="post", color="tab:orange", label="best so far")
    for state, stopped in unscored.items():
        foot = axes.get_xaxis_transform()  # at the foot: they have no value, so no height
        colour, heights = STATE_COLOURS[state], [0.02] * len(stopped)
        axes.plot(stopped, heights, "x", color=colour, label=state, transform=foot)
    axes.set(title=f"{search.learner}: {search.objective} by trial", xlabel="trial")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize="small")


def _draw_importance(axes: Any, search: LearnerSearch) -> None:
    axes.set_title("importance")
    if search.scored < MIN_TRIALS_FOR_IMPORTANCE:
        scored = count(search.scored, "scored trial")
        _write(axes, f"{scored}:\ntoo few, {MIN_TRIALS_FOR_IMPORTANCE} are needed")
        return
    names = list(search.importance)[::-1]
    axes.barh(names, [search.importance[name] for name in names], color="tab:blue")


def _draw_coordinates(axes: Any, search: LearnerSearch) -> None:
    axes.set_title(f"parameters by {search.objective}: the darker, the better")
    if search.scored < 2:
        _write(axes, f"{count(search.scored, 'scored trial')}: nothing to compare")
        return
    labels, heights = search.coordinates
    for rank, line in enumerate(heights):
        axes.plot(line, color="tab:blue", alpha=0.1 + 0.9 * rank / (len(heights) - 1))
    axes.set_xticks(range(len(labels)), _staggered(labels), fontsize="small")
    axes.grid(axis="x", color="lightgray")
    axes.set_yticks([0, 1], ["low", "high"])


def _staggered(labels: list[str]) -> list[str]:
    """Every other label lower where names could run into each other."""
    lower = "\n\n" if len(labels) > MAX_LABELS_IN_A_ROW else ""
    return [lower * (place % 2) + text for place, text in enumerate(labels)]


def _write(axes: Any, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
    axes.set_axis_off()
