"""The fits of a batch of trials: every fold of each, or fold by fold with pruning between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from pipeline.learning.learner import Learner
from pipeline.learning.metrics import mean_and_std
from pipeline.learning.pool import Pool
from pipeline.learning.search.folds import Fold, joined, joined_sessions
from pipeline.learning.search.objectives import Objective, StrategyReturns
from pipeline.learning.search.trials import Trial
from pipeline.learning.search.validation import FoldResult, Validation, validated_or_why_not

PRUNERS: Mapping[str, float] = {"median": 0.5, "quartile": 0.75}
"""Share of the earlier trials that a trial has to stay within, after every fold."""

MIN_COMPARED = 4
"""Complete trials below which none is pruned."""


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

    def add(self, result: FoldResult | str) -> None:
        """A fold's result, or why there is none, which ends the trial."""
        if isinstance(result, str):
            self.error = self.error or result
        else:
            self.parts.append(result)


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
        pool: Pool,
        proposals: Sequence[tuple[int, Mapping[str, Any]]],
        limits: Sequence[float] | None = None,
    ) -> Iterator[Trial]:
        """The trials of these numbers and parameters, in order.

        Parameters
        ----------
        limits
            Score after each fold, lower is better, above which a trial is stopped. All trials'
            first folds are then fitted before any second one, so that every worker stays busy.
        """
        runs = [_Run(number, params) for number, params in proposals]
        every = range(len(self.folds))
        rounds = [every] if limits is None else [[fold] for fold in every]
        for place, folds in enumerate(rounds):
            last = place == len(rounds) - 1
            results = pool.map(
                validated_or_why_not,
                [(fold, run.params) for run in runs if run.going for fold in folds],
                self.folds, self.strategy_returns, self._validation,
            )  # fmt: skip
            for run in runs:
                if run.going:
                    for result in islice(results, len(folds)):
                        run.add(result)
                if last:
                    yield self._trial(run)
                elif limits is not None and run.going:
                    run.pruned = self._scores([p.metrics for p in run.parts])[-1] > limits[place]

    @cached_property
    def _validation(self) -> Validation:
        return Validation(self.learner, self.objective.metric, self.seed, self.clock)

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
        trees = _median([part.trees for part in parts])
        trial = replace(
            trial,
            state="pruned",
            params={**trial.params, **trees},
            trees=trees,
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


def _median(by_fold: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The number of trees to refit with: the median over folds."""
    return {
        name: round(float(np.median([trees[name] for trees in by_fold]))) for name in by_fold[0]
    }
