"""The search of a retrain: one study per learner, every trial a nested run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from mlflow import MlflowClient
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from tqdm import tqdm

from pipeline.io import tracking
from pipeline.learning.dataset import Dataset
from pipeline.learning.evaluation import OBJECTIVES, cv_metrics
from pipeline.learning.folds import Fold, fold_of_row, prepared_folds, validated_returns
from pipeline.learning.models import Learner, Target, calibrated, calibration_slope
from pipeline.learning.search import search
from pipeline.learning.trials import Trial, mean_out_of_fold
from pipeline.settings import Settings
from pipeline.stages import _build
from pipeline.trading.significance import deflated_sharpe, pbo, session_sharpe

StrategyReturns = Callable[[pd.Series], pd.Series]


@dataclass(frozen=True)
class Chosen:
    """What a search decided.

    Attributes
    ----------
    params
        Full parameters by learner.
    slope
        Calibration slope of the mean of the best trials' out-of-fold predictions.
    metrics
        ``cv/*`` of the run contract.
    trials
        Every trial told, in order.
    """

    params: dict[str, dict[str, object]]
    slope: float
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
    """Search every learner on walk-forward folds of the development sessions.

    A search that was killed goes on where its journal ends; see `learning.search`.
    """
    target = Target(**settings.model.target.model_dump())
    folds = prepared_folds(
        development, _build.splitter(settings), target, max_rows=settings.hpo.max_rows
    )
    learners = _build.learners(settings)
    trials: list[Trial] = []
    planned = sum(settings.hpo.n_trials if learner.space else 1 for learner in learners)
    with tqdm(total=planned, desc="trials", unit="trial", disable=None) as progress:

        def record(trial: Trial) -> None:
            trials.append(trial)
            _log_trial(trial, parent, settings.hpo.objective)
            progress.update()

        best = [
            _best(settings, learner, folds, journal, strategy_returns, record)
            for learner in learners
        ]
    mean, returns, fold = mean_out_of_fold(best), validated_returns(folds), fold_of_row(folds)
    slope = calibration_slope(target.scored(returns), mean, settings.model.least_slope)
    shrunk = calibrated(target.scored(returns), mean, fold, settings.model.least_slope)
    metrics = {
        **cv_metrics(returns, shrunk, fold, unshrunk=mean),
        "cv/trials": float(len(trials)),
        "cv/slope": slope,
        "cv/deflated_sharpe": _deflated(strategy_returns(shrunk), trials),
        "cv/pbo": _worst_pbo(trials),
    }
    return Chosen({t.learner: t.params for t in best}, slope, metrics, trials)


def refitted_slope(settings: Settings, dataset: Dataset, chosen: Chosen) -> float:
    """The calibration slope of the same parameters on the folds of another window."""
    target = Target(**settings.model.target.model_dump())
    folds = prepared_folds(
        dataset, _build.splitter(settings), target, max_rows=settings.hpo.max_rows
    )
    fixed = [
        Learner(learner.name, learner.build, chosen.params[learner.name], {}, learner.scale)
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
    return calibration_slope(returns, mean_out_of_fold(best), settings.model.least_slope)


def _best(
    settings: Settings,
    learner: Learner,
    folds: list[Fold],
    journal: Path,
    strategy_returns: StrategyReturns,
    record: Callable[[Trial], None],
) -> Trial:
    chosen = settings.hpo
    journal.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=learner.name,
        storage=JournalStorage(JournalFileBackend(str(journal / f"{learner.name}.log"))),
        direction=OBJECTIVES[chosen.objective].direction,
        load_if_exists=True,
    )
    return search(
        study,
        learner,
        folds,
        objective=chosen.objective,
        n_trials=chosen.n_trials,
        batch_size=chosen.batch_size,
        seed=settings.seed,
        clock=time.perf_counter,
        workers=settings.compute.workers,
        strategy_returns=strategy_returns,
        on_trial=record,
        timeout=chosen.timeout_minutes and chosen.timeout_minutes * 60,
    )


def _log_trial(trial: Trial, parent: str, objective: str) -> None:
    run_id = tracking.log_child(
        f"{trial.learner} {trial.number}",
        parent=parent,
        params=trial.params,
        metrics={f"cv/{k}": v for k, v in trial.metrics.items()} | {"cv/objective": trial.value},
        steps=[{f"fold/{k}": v for k, v in fold.items()} for fold in trial.fold_metrics],
        tags={
            "stage": "trial",
            "learner": trial.learner,
            "objective": objective,
            "state": trial.state.upper(),
            **({"error": trial.error} if trial.error else {}),
        },
        seconds=trial.seconds,
        failed=trial.state == "failed",
    )
    if trial.strategy_returns is not None:
        series = trial.strategy_returns.rename("net_return").to_csv()
        MlflowClient().log_text(run_id, series, "out_of_fold_returns.csv")


def _deflated(returns: pd.Series, trials: list[Trial]) -> float:
    sharpes = [
        float(session_sharpe(t.strategy_returns.to_numpy()))
        for t in trials
        if t.strategy_returns is not None and np.ptp(t.strategy_returns.to_numpy()) > 0
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
