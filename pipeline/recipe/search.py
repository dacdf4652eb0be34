"""The search of a recipe: one study a learner, on folds of the development sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import optuna
import pandas as pd

from pipeline.learning.dataset import Dataset
from pipeline.learning.metrics import cv_metrics
from pipeline.learning.pool import HERE, Pool
from pipeline.learning.search.folds import Fold, fold_of_row, prepared_folds, validated_returns
from pipeline.learning.search.objectives import OBJECTIVES
from pipeline.learning.search.search import search
from pipeline.learning.search.trials import STATES, Trial, out_of_fold
from pipeline.learning.weights import Weigh, calibrated, equal, stacked
from pipeline.recipe.recipe import Recipe
from pipeline.stats.overfitting import deflated_sharpe, pbo
from pipeline.stats.returns import session_sharpe

StrategyReturns = Callable[[pd.Series], pd.Series]
Clock = Callable[[], float]
"""Seconds, such as ``time.perf_counter``; it decides nothing but a time budget."""

MIN_SUM_FOR_ORDER = 1e-6
"""Least sum of weights where only the order of forecasts counts: all at 0 have none."""


class Studies(Protocol):
    """Where the studies of one search are kept; they may hold its beginning."""

    @property
    def left_by(self) -> str | None:
        """Who began this search and did not finish it."""
        ...

    def study(self, name: str, direction: str) -> optuna.Study:
        """The study of a learner."""
        ...


@dataclass(frozen=True)
class Chosen:
    """What a search decided.

    Attributes
    ----------
    params
        Full parameters by learner.
    weights
        Of each learner in the forecast, from the best trials' out-of-fold predictions.
    metrics
        ``cv/*`` and ``search/*`` of the run contract.
    trials
        Every trial done, in order.
    left_by
        Who began this search and did not finish it.
    """

    params: dict[str, dict[str, object]]
    weights: dict[str, float]
    metrics: dict[str, float]
    trials: list[Trial]
    left_by: str | None = None

    @property
    def trials_by_learner(self) -> dict[str, int]:
        """How many trials each learner had: ``hpo.recorded_trials`` of a repetition."""
        return {name: sum(t.learner == name for t in self.trials) for name in self.params}

    @property
    def stopped_by(self) -> str:
        """What ended the search: its number of ``trials``, or its ``time``."""
        done = self.metrics["search/trials_finished"] >= self.metrics["search/trials_asked"]
        return "trials" if done else "time"


def searched(
    recipe: Recipe,
    development: Dataset,
    studies: Studies,
    *,
    strategy_returns: StrategyReturns,
    clock: Clock,
    pool: Pool = HERE,
    on_trial: Callable[[Trial], None] = lambda trial: None,
) -> Chosen:
    """Search every learner on folds of the development sessions.

    A search that was left unfinished goes on where its studies end, see ``learning.search``.

    Parameters
    ----------
    strategy_returns
        Predictions -> net return a session; called from several threads.
    on_trial
        Called with every trial in order, replayed ones included.
    """
    began = clock()
    plan = recipe.plan
    folds = prepared_folds(
        development,
        recipe.splitter,
        recipe.target,
        max_rows=plan.max_rows,
        stopping_sessions=plan.early_stopping_sessions,
    )
    best, trials = _all_studies(recipe, studies, folds, strategy_returns, clock, pool, on_trial)
    members, returns, fold = out_of_fold(best), validated_returns(folds), fold_of_row(folds)
    scored = recipe.target.scored(returns)
    weights = _weighing(recipe)(scored, members)
    shrunk = calibrated(scored, members, fold, _weighing(recipe))
    ordered = calibrated(scored, members, fold, _weighing(recipe, MIN_SUM_FOR_ORDER))
    metrics = {
        **cv_metrics(returns, shrunk, fold, ordered=ordered),
        "cv/trials": float(len(trials)),
        "cv/slope": sum(weights.values()),
        "cv/deflated_sharpe": _deflated(strategy_returns(shrunk), trials),
        "cv/pbo": _worst_pbo(trials),
        **_spent(recipe, trials, clock() - began),
    }
    params = {trial.learner: trial.params for trial in best}
    return Chosen(params, weights, metrics, trials, studies.left_by)


def refitted_weights(
    recipe: Recipe, dataset: Dataset, chosen: Chosen, pool: Pool = HERE
) -> dict[str, float]:
    """The weights of the learners, with the same parameters, on the folds of another window."""
    folds = prepared_folds(dataset, recipe.splitter, recipe.target, max_rows=recipe.plan.max_rows)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    best = [
        search(
            optuna.create_study(direction=OBJECTIVES[recipe.plan.objective].direction),
            learner.changed(initial=chosen.params[learner.name], space={}),
            folds,
            objective=recipe.plan.objective,
            n_trials=1,
            batch_size=1,
            seed=recipe.seed,
            clock=lambda: 0.0,
            pool=pool,
        )
        for learner in recipe.learners
    ]
    return _weighing(recipe)(recipe.target.scored(validated_returns(folds)), out_of_fold(best))


def _weighing(recipe: Recipe, min_sum: float = 0.0) -> Weigh:
    """How the learners' out-of-fold predictions become their weights."""
    weigh = {"equal": equal, "stacked": stacked}[recipe.weights]
    return partial(weigh, min_sum=max(min_sum, recipe.min_slope))


def _all_studies(
    recipe: Recipe,
    studies: Studies,
    folds: list[Fold],
    strategy_returns: StrategyReturns,
    clock: Clock,
    pool: Pool,
    on_trial: Callable[[Trial], None],
) -> tuple[list[Trial], list[Trial]]:
    """The best trial of every learner, and all trials in order.

    A time budget is shared evenly: what a learner leaves goes to the ones after it.
    """
    best: list[Trial] = []
    trials: list[Trial] = []
    plan, began = recipe.plan, clock()
    budget, direction = plan.timeout_seconds, OBJECTIVES[plan.objective].direction
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def record(trial: Trial) -> None:
        trials.append(trial)
        on_trial(trial)

    for place, learner in enumerate(recipe.learners):
        left = budget and (budget - (clock() - began)) / (len(recipe.learners) - place)
        best.append(
            search(
                studies.study(learner.name, direction),
                learner,
                folds,
                objective=plan.objective,
                n_trials=plan.trials(learner.name),
                batch_size=plan.batch_size,
                sampler=plan.sampler,
                pruner=plan.pruner,
                seed=recipe.seed,
                clock=clock,
                pool=pool,
                strategy_returns=strategy_returns,
                on_trial=record,
                timeout=left,
            )
        )
    return best, trials


def planned_trials(recipe: Recipe) -> int:
    """Trials that a search of all learners will do."""
    return sum(
        recipe.plan.trials(learner.name) if learner.space else 1 for learner in recipe.learners
    )


def _spent(recipe: Recipe, trials: list[Trial], seconds: float) -> dict[str, float]:
    """How much of the budgets was spent."""
    budget = sum(
        recipe.plan.budget(learner.name) if learner.space else 1 for learner in recipe.learners
    )
    states = {f"trials_{name}": sum(t.state == name for t in trials) for name in STATES}
    counts = {"seconds": seconds, "trials_asked": budget, "trials_finished": len(trials)}
    return {f"search/{name}": float(count) for name, count in (counts | states).items()}


def _deflated(returns: pd.Series, trials: list[Trial]) -> float:
    sharpes = [
        float(session_sharpe(t.strategy_returns.to_numpy()))
        for t in trials
        if t.state == "complete"
        and t.strategy_returns is not None
        and np.ptp(t.strategy_returns.to_numpy()) > 0
    ]
    unknown = len(trials) - len(sharpes)
    return deflated_sharpe(returns, [*sharpes, *[np.nan] * unknown])


def _worst_pbo(trials: list[Trial]) -> float:
    """The highest probability of overfitting among learners, picking by the search's objective."""
    by_learner: dict[str, list[pd.Series]] = {}
    for trial in trials:
        if trial.state == "complete" and trial.session_scores is not None:
            by_learner.setdefault(trial.learner, []).append(trial.session_scores)
    values = [
        pbo(pd.concat(scores, axis=1).to_numpy(), score=lambda half: half.mean(axis=0))
        for scores in by_learner.values()
    ]
    known = [value for value in values if np.isfinite(value)]
    return max(known, default=np.nan)
