"""The fits of a batch of trials: every fold of each, or fold by fold with pruning between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from pipeline.learning.falling import constrained, fitted_falling
from pipeline.learning.learner import Learner
from pipeline.learning.metrics import fold_metrics, mean_and_std
from pipeline.learning.search.early_stopping import best_trees
from pipeline.learning.search.folds import Fold, joined, joined_sessions
from pipeline.learning.search.objectives import Objective, StrategyReturns
from pipeline.learning.search.trials import Trial

PRUNERS: Mapping[str, float] = {"median": 0.5, "quartile": 0.75}
"""Share of the earlier trials that a trial has to stay within, after every fold."""

MIN_COMPARED = 4
"""Complete trials below which none is pruned."""


@dataclass(frozen=True)
class FoldResult:
    """One fold of a trial."""

    metrics: dict[str, float]
    predictions: pd.Series
    net_returns: pd.Series | None
    session_scores: pd.Series
    found: dict[str, int]
    seconds: float


@dataclass
class _Run:
    """A trial under way."""

    number: int
    params: Mapping[str, Any]
    parts: list[FoldResult] = field(default_factory=list)
    error: str = ""
    pruned: bool = False

    @property
    def going(self) -> bool:
        return not (self.error or self.pruned)

    def collect(self, fits: Sequence[Future[FoldResult]]) -> None:
        """Wait for these folds; whatever a fit raises ends the trial with a reason."""
        try:
            self.parts += [fit.result() for fit in fits]
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"


@dataclass(frozen=True)
class TrialRunner:
    """What all trials of a learner have in common."""

    learner: Learner
    folds: Sequence[Fold]
    objective: Objective
    strategy_returns: StrategyReturns | None
    seed: int
    clock: Callable[[], float]

    def trials(
        self,
        pool: Executor,
        asked: Sequence[tuple[int, Mapping[str, Any]]],
        limits: Sequence[float] | None = None,
    ) -> Iterator[Trial]:
        """The trials of these numbers and parameters, in order.

        Parameters
        ----------
        limits
            Score after each fold, lower is better, above which a trial is stopped. All trials'
            first folds are then fitted before any second one, so that every worker stays busy.
        """
        runs = [_Run(number, params) for number, params in asked]
        rounds = [self.folds] if limits is None else [[fold] for fold in self.folds]
        for place, folds in enumerate(rounds):
            last = place == len(rounds) - 1
            fits = [
                [pool.submit(self.validated, fold, run.params) for fold in folds if run.going]
                for run in runs
            ]
            for run, own in zip(runs, fits, strict=True):
                run.collect(own)
                if last:
                    yield self._trial(run)
                elif limits is not None and run.going:
                    run.pruned = self._scores([p.metrics for p in run.parts])[-1] > limits[place]

    def limits(self, pruner: str | None, trials: Sequence[Trial]) -> list[float] | None:
        """Scores after each fold that a trial may not exceed, from the complete ones of these.

        None without a pruner, or with too few to compare with.

        After k folds a trial's mean objective over them is compared with the same mean of the
        others. Optuna's own pruners take the best value a trial ever had, which suits a curve
        that improves, not folds of unequal difficulty.
        """
        complete = [trial for trial in trials if trial.state == "complete"]
        if pruner is None or len(complete) < MIN_COMPARED:
            return None
        scores = np.sort([self._scores(trial.fold_metrics) for trial in complete], axis=0)
        limits: list[float] = scores[ceil(PRUNERS[pruner] * (len(complete) - 1))].tolist()
        return limits

    def running(self, trial: Trial) -> list[float]:
        """Mean of the objective's metric over the first, the first two, ... folds."""
        return [self._sign * score for score in self._scores(trial.fold_metrics)]

    def validated(self, fold: Fold, params: Mapping[str, Any]) -> FoldResult:
        """One fit on a fold's training part, scored on its validation part."""
        began = self.clock()
        estimator = self.learner.unfitted(params, seed=self.seed)
        constrained(estimator, fold.train_x.shape[1], fold.falling)
        found = best_trees(estimator, fold)
        own = self.learner.newest(fold.train_ages)
        estimator.set_params(**found)
        fitted_falling(estimator, fold.train_x[own], fold.train_y[own], fold.falling)
        values = estimator.predict(fold.validation_x) * fold.unit
        if not np.isfinite(values).all():
            raise ValueError(f"predictions on fold {fold.number} are not finite")
        predictions = pd.Series(values, fold.returns.index, dtype="float64", name="prediction")
        net = None if self.strategy_returns is None else self.strategy_returns(predictions)
        return FoldResult(
            metrics=fold_metrics(fold.returns, predictions, net),
            predictions=predictions,
            net_returns=net,
            session_scores=self.objective.by_session(fold.returns, predictions, net),
            found=found,
            seconds=self.clock() - began,
        )

    @property
    def _sign(self) -> float:
        return 1.0 if self.objective.direction == "minimize" else -1.0

    def _scores(self, folds: Sequence[Mapping[str, float]]) -> list[float]:
        """Running means, lower is better; one without a value is the worst there is."""
        values = self._sign * np.array([fold[self.objective.metric] for fold in folds])
        means = np.cumsum(values) / np.arange(1, len(values) + 1)
        return np.where(np.isnan(means), np.inf, means).tolist()

    def _trial(self, run: _Run) -> Trial:
        parts = run.parts
        trial = Trial(run.number, self.learner.name, {**self.learner.initial, **run.params})
        if run.error:
            return replace(trial, state="failed", error=run.error)
        found = _median([part.found for part in parts])
        trial = replace(
            trial,
            state="pruned",
            params={**trial.params, **found},
            found=found,
            fold_metrics=tuple(part.metrics for part in parts),
            session_scores=joined_sessions([part.session_scores for part in parts]),
            strategy_returns=_joined_returns(parts),
            seconds=sum(part.seconds for part in parts),
        )
        if run.pruned:
            return trial
        metrics = mean_and_std(list(trial.fold_metrics))
        value = metrics[f"{self.objective.metric}_mean"]
        return replace(
            trial,
            state="complete",
            value=self.objective.worst if np.isnan(value) else value,
            metrics=metrics,
            out_of_fold=joined(self.folds, [part.predictions for part in parts]),
        )


def _joined_returns(parts: Sequence[FoldResult]) -> pd.Series | None:
    given = [part.net_returns for part in parts if part.net_returns is not None]
    return joined_sessions(given) if given else None


def _median(found: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The number of trees to refit with: the median over folds."""
    return {name: round(float(np.median([own[name] for own in found]))) for name in found[0]}
