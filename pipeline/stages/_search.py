"""The search of a retrain: one study per learner, every trial a nested run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from mlflow import MlflowClient
from tqdm import tqdm

from pipeline.io import journal as journals
from pipeline.learning.dataset import Dataset
from pipeline.learning.evaluation import OBJECTIVES, cv_metrics
from pipeline.learning.folds import Fold, fold_of_row, prepared_folds, validated_returns
from pipeline.learning.models import Learner
from pipeline.learning.search import search
from pipeline.learning.targets import Target
from pipeline.learning.trials import STATES, Trial, out_of_fold
from pipeline.learning.weights import Weigh, calibrated, equal, stacked
from pipeline.settings import Settings
from pipeline.stages import _build, _search_report, _trial_runs
from pipeline.trading.significance import deflated_sharpe, pbo, session_sharpe

log = logging.getLogger("pipeline.retrain")

StrategyReturns = Callable[[pd.Series], pd.Series]
RESUMED_FROM = "resumed_from"
STOPPED_BY = "search.stopped_by"
TOLD = "search.told_trials"
LEAST_FOR_ORDER = 1e-6
"""Least sum of weights where only the order of forecasts counts: all at 0 have none."""


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
        Every trial told, in order.
    """

    params: dict[str, dict[str, object]]
    weights: dict[str, float]
    metrics: dict[str, float]
    trials: list[Trial]


def searched(
    settings: Settings,
    development: Dataset,
    *,
    parent: str,
    journal: Path,
    strategy_returns: StrategyReturns,
) -> Chosen:
    """Search every learner on folds of the development sessions.

    A search that was killed goes on where its journal ends, see `learning.search`; the parent run
    is then tagged with the one that was killed. Trials, their picture and how much of the budget
    was spent are recorded on or under the parent.
    """
    target = Target(**settings.model.target.model_dump())
    folds = prepared_folds(
        development,
        _build.splitter(settings),
        target,
        max_rows=settings.hpo.max_rows,
        stopping_sessions=settings.hpo.early_stopping_sessions,
    )
    learners, began = _build.learners(settings), time.perf_counter()
    with journals.opened(journal, parent) as kept:
        if kept.left_by:
            log.info("retrain: the search goes on where run %s left it", kept.left_by)
            _tag_once(parent, RESUMED_FROM, kept.left_by)
        best, trials = _all_studies(settings, kept, learners, folds, parent, strategy_returns)
    spent = _spent(settings, learners, trials, time.perf_counter() - began)
    _tag(parent, learners, trials, spent)
    _search_report.write(settings, parent, learners, trials, development.sessions[-1])
    members, returns, fold = out_of_fold(best), validated_returns(folds), fold_of_row(folds)
    scored = target.scored(returns)
    weights = _weighing(settings)(scored, members)
    shrunk = calibrated(scored, members, fold, _weighing(settings))
    ordered = calibrated(scored, members, fold, _weighing(settings, LEAST_FOR_ORDER))
    metrics = {
        **cv_metrics(returns, shrunk, fold, ordered=ordered),
        "cv/trials": float(len(trials)),
        "cv/slope": sum(weights.values()),
        "cv/deflated_sharpe": _deflated(strategy_returns(shrunk), trials),
        "cv/pbo": _worst_pbo(trials),
        **spent,
    }
    return Chosen({t.learner: t.params for t in best}, weights, metrics, trials)


def refitted_weights(settings: Settings, dataset: Dataset, chosen: Chosen) -> dict[str, float]:
    """The weights of the learners, with the same parameters, on the folds of another window."""
    target = Target(**settings.model.target.model_dump())
    folds = prepared_folds(
        dataset, _build.splitter(settings), target, max_rows=settings.hpo.max_rows
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    fixed = [
        replace(learner, initial=chosen.params[learner.name], space={})
        for learner in _build.learners(settings)
    ]
    best = [
        search(
            optuna.create_study(direction=OBJECTIVES[settings.hpo.objective].direction),
            learner,
            folds,
            objective=settings.hpo.objective,
            n_trials=1,
            batch_size=1,
            seed=settings.seed,
            clock=time.perf_counter,
            workers=settings.compute.workers,
        )
        for learner in fixed
    ]
    returns = target.scored(validated_returns(folds))
    return _weighing(settings)(returns, out_of_fold(best))


def _weighing(settings: Settings, least: float = 0.0) -> Weigh:
    """How the learners' out-of-fold predictions become their weights."""
    weigh = {"equal": equal, "stacked": stacked}[settings.model.weights]
    return partial(weigh, least=max(least, settings.model.least_slope))


def _all_studies(
    settings: Settings,
    journal: journals.Journal,
    learners: list[Learner],
    folds: list[Fold],
    parent: str,
    strategy_returns: StrategyReturns,
) -> tuple[list[Trial], list[Trial]]:
    """The best trial of every learner, and all trials in order.

    A time budget is shared evenly: what a learner leaves goes to the ones after it.
    """
    best: list[Trial] = []
    trials: list[Trial] = []
    budget, began = settings.hpo.timeout_seconds, time.perf_counter()
    direction = OBJECTIVES[settings.hpo.objective].direction
    planned = sum(settings.hpo.trials(own.name) if own.space else 1 for own in learners)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with (
        _trial_runs.recorded(parent, settings.hpo.objective) as log_trial,
        tqdm(total=planned, desc="trials", disable=None) as progress,
    ):

        def record(trial: Trial) -> None:
            trials.append(trial)
            log_trial(trial)
            progress.update()

        for place, learner in enumerate(learners):
            left = budget and (budget - (time.perf_counter() - began)) / (len(learners) - place)
            study = journal.study(learner.name, direction)
            best.append(_best(settings, study, learner, folds, strategy_returns, record, left))
    return best, trials


def _spent(
    settings: Settings, learners: list[Learner], trials: list[Trial], seconds: float
) -> dict[str, float]:
    """How much of the budgets was spent."""
    asked = sum(settings.hpo.budget(own.name) if own.space else 1 for own in learners)
    states = {f"trials_{name}": sum(t.state == name for t in trials) for name in STATES}
    counts = {"seconds": seconds, "trials_asked": asked, "trials_told": len(trials)}
    return {f"search/{name}": float(count) for name, count in (counts | states).items()}


def _tag(
    parent: str, learners: list[Learner], trials: list[Trial], spent: dict[str, float]
) -> None:
    """What ended the search, and what repeats it as `hpo.told_trials`.

    Of several searches under one run: `time` if that ended any of them, and the newest one's.
    """
    client = MlflowClient()
    told = (f"{own.name}: {sum(t.learner == own.name for t in trials)}" for own in learners)
    client.set_tag(parent, TOLD, f"{{{', '.join(told)}}}")
    if spent["search/trials_told"] < spent["search/trials_asked"]:
        client.set_tag(parent, STOPPED_BY, "time")
    else:
        _tag_once(parent, STOPPED_BY, "trials")


def _tag_once(run_id: str, name: str, value: str) -> None:
    """Leave what an earlier search of the same run said: a later one may speak of older runs."""
    client = MlflowClient()
    if name not in client.get_run(run_id).data.tags:
        client.set_tag(run_id, name, value)


def _best(
    settings: Settings,
    study: optuna.Study,
    learner: Learner,
    folds: list[Fold],
    strategy_returns: StrategyReturns,
    record: Callable[[Trial], None],
    timeout: float | None,
) -> Trial:
    chosen = settings.hpo
    return search(
        study,
        learner,
        folds,
        objective=chosen.objective,
        n_trials=chosen.trials(learner.name),
        batch_size=chosen.batch_size,
        sampler=chosen.sampler,
        pruner=chosen.pruner,
        seed=settings.seed,
        clock=time.perf_counter,
        workers=settings.compute.workers,
        strategy_returns=strategy_returns,
        on_trial=record,
        timeout=timeout,
    )


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
