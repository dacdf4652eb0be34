"""What a person sees of a search: history, importance and parallel coordinates in one picture."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
import pandas as pd
from mlflow import MlflowClient
from optuna.distributions import BaseDistribution, CategoricalDistribution

from pipeline.learning.evaluation import OBJECTIVES
from pipeline.learning.models import Learner
from pipeline.learning.proposals import distributions
from pipeline.learning.trials import Trial, stored
from pipeline.settings import Settings

FEWEST_FOR_IMPORTANCE = 10
"""Scored trials below which an importance is noise."""


def write(
    settings: Settings,
    parent: str,
    learners: Sequence[Learner],
    trials: Sequence[Trial],
    last: pd.Timestamp,
) -> None:
    """Log the picture to the parent run; nothing where no learner had a choice.

    A walk-forward has one for every search, named by the last session it learned from.
    """
    searched = [own for own in learners if sum(t.learner == own.name for t in trials) > 1]
    if not searched:
        return
    walks = settings.evaluation.name == "walk_forward"
    name = f"search/{last:%Y-%m-%d}.png" if walks else "search.png"
    MlflowClient().log_figure(parent, picture(searched, trials, settings.hpo.objective), name)


def picture(learners: Sequence[Learner], trials: Sequence[Trial], metric: str) -> Any:
    """A row a learner: history of the objective, importance, parallel coordinates."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 3.6 * len(learners)), layout="constrained")
    rows = figure.subplots(len(learners), 3, squeeze=False, width_ratios=[2, 1, 3])
    for (history, importance, parallel), learner in zip(rows, learners, strict=True):
        own = [trial for trial in trials if trial.learner == learner.name]
        scored = [trial for trial in own if np.isfinite(trial.value)]
        _history(history, learner.name, own, scored, metric)
        _importance(importance, learner, scored, metric)
        _parallel(parallel, distributions(learner), scored, metric)
    return figure


def _history(
    axes: Any, name: str, trials: Sequence[Trial], scored: Sequence[Trial], metric: str
) -> None:
    minimise = OBJECTIVES[metric].direction == "minimize"
    numbers, values = [t.number for t in scored], [t.value for t in scored]
    best = (np.minimum if minimise else np.maximum).accumulate(values or [np.nan])
    axes.plot(numbers, values, "o", color="tab:blue", label="complete")
    axes.step(numbers or [0], best, where="post", color="tab:orange", label="best so far")
    for state, colour in (("pruned", "tab:gray"), ("failed", "tab:red")):
        stopped = [t.number for t in trials if t.state == state]
        if stopped:
            foot = axes.get_xaxis_transform()  # at the foot: they have no value, so no height
            heights = [0.02] * len(stopped)
            axes.plot(stopped, heights, "x", color=colour, label=state, transform=foot)
    axes.set(title=f"{name}: {metric} by trial", xlabel="trial")
    axes.legend(fontsize="small")


def _importance(axes: Any, learner: Learner, scored: Sequence[Trial], metric: str) -> None:
    axes.set_title("importance")
    if len(scored) < FEWEST_FOR_IMPORTANCE:
        _say(axes, f"{len(scored)} scored trials:\ntoo few, {FEWEST_FOR_IMPORTANCE} are needed")
        return
    study = optuna.create_study(direction=OBJECTIVES[metric].direction)
    space = distributions(learner)
    study.add_trials(stored(t, {k: t.params[k] for k in space}, space) for t in scored)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about an evaluator that Optuna calls experimental
        shares = optuna.importance.get_param_importances(study)
    names = list(shares)[::-1]
    axes.barh(names, [shares[name] for name in names], color="tab:blue")


def _parallel(
    axes: Any, space: dict[str, BaseDistribution], scored: Sequence[Trial], metric: str
) -> None:
    axes.set_title(f"parameters by {metric}: the darker, the better")
    if len(scored) < 2:
        _say(axes, f"{len(scored)} scored trials: nothing to compare")
        return
    sign = 1.0 if OBJECTIVES[metric].direction == "minimize" else -1.0
    worst_first = sorted(scored, key=lambda trial: -sign * trial.value)
    for rank, trial in enumerate(worst_first):
        heights = [_height(own, trial.params[name]) for name, own in space.items()]
        axes.plot(heights, color="tab:blue", alpha=0.1 + 0.9 * rank / (len(scored) - 1))
    labels = [_label(place, *item) for place, item in enumerate(space.items())]
    axes.set_xticks(range(len(space)), labels, fontsize="small")
    axes.set_yticks([0, 1], ["low", "high"])


def _height(own: BaseDistribution, value: Any) -> float:
    """Where a value lies between the ends of its space, from 0 to 1."""
    if isinstance(own, CategoricalDistribution):
        return own.choices.index(value) / max(len(own.choices) - 1, 1)
    scale = np.log if own.log else float
    low, high = scale(own.low), scale(own.high)
    return float((scale(value) - low) / (high - low)) if high > low else 0.5


def _label(place: int, name: str, own: BaseDistribution) -> str:
    """The name and ends of a space; every other one lower, since names are long."""
    ends = (own.choices[0], own.choices[-1]) if hasattr(own, "choices") else (own.low, own.high)
    return "\n\n" * (place % 2) + f"{name}\n{ends[0]} .. {ends[1]}"


def _say(axes: Any, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
    axes.set_axis_off()
