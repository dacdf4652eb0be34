"""One trial: its record, its fits on every fold, and its form inside an Optuna study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from pipeline.learning.evaluation import Objective, StrategyReturns, fold_metrics, mean_and_std
from pipeline.learning.folds import Fold
from pipeline.learning.models import Learner
from pipeline.schemas import SESSION


@dataclass(frozen=True)
class Trial:
    """One hyper-parameter set and how it did.

    Attributes
    ----------
    number
        Position in the learner's study, from 0.
    params
        Everything the estimator was built with, searched or not.
    value
        The objective, mean over folds; NaN where the trial failed.
    fold_metrics, metrics
        Metrics of each fold, and their ``_mean`` and ``_std``.
    session_scores
        The objective session by session, higher is better (for ``cv/pbo``).
    strategy_returns
        Net return of each validated session, where a strategy was handed in.
    out_of_fold
        Predictions of all validated rows; None for a replayed trial other than the best.
    seconds
        Summed over folds, on the clock handed in.
    error
        Why the trial failed, or an empty string.
    replayed
        Whether it was read from the study instead of fitted.
    """

    number: int
    learner: str
    params: dict[str, Any]
    state: Literal["complete", "failed"]
    value: float = np.nan
    fold_metrics: tuple[dict[str, float], ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    session_scores: pd.Series | None = None
    strategy_returns: pd.Series | None = None
    out_of_fold: pd.Series | None = None
    seconds: float = 0.0
    error: str = ""
    replayed: bool = False


@dataclass(frozen=True)
class Bench:
    """What all trials of a learner have in common."""

    learner: Learner
    folds: Sequence[Fold]
    objective: Objective
    strategy_returns: StrategyReturns | None
    seed: int
    clock: Callable[[], float]

    def start(self, pool: Executor, params: Mapping[str, Any]) -> list[Future[Validated]]:
        """The fits of one parameter set on every fold, under way."""
        return [pool.submit(self.validated, fold, params) for fold in self.folds]

    def finish(
        self, number: int, params: Mapping[str, Any], fits: Sequence[Future[Validated]]
    ) -> Trial:
        """The trial's record; whatever a fit raised makes it a failed trial with a reason."""
        full = {**self.learner.initial, **params}
        try:
            parts = [fit.result() for fit in fits]
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            return Trial(number, self.learner.name, full, "failed", error=reason)
        metrics = mean_and_std([part.metrics for part in parts])
        value = metrics[f"{self.objective.metric}_mean"]
        return Trial(
            number,
            self.learner.name,
            full,
            "complete",
            value=self.objective.worst if np.isnan(value) else value,
            fold_metrics=tuple(part.metrics for part in parts),
            metrics=metrics,
            session_scores=pd.concat([part.session_scores for part in parts]),
            strategy_returns=_joined([part.net_returns for part in parts]),
            out_of_fold=pd.concat([part.predictions for part in parts]),
            seconds=sum(part.seconds for part in parts),
        )

    def validated(self, fold: Fold, params: Mapping[str, Any]) -> Validated:
        """One fit on a fold's training part, scored on its validation part."""
        began = self.clock()
        estimator = self.learner.estimator(params, seed=self.seed)
        estimator.fit(fold.train_x, fold.train_y)
        values = estimator.predict(fold.validation_x) * fold.unit
        if not np.isfinite(values).all():
            raise ValueError(f"predictions on fold {fold.number} are not finite")
        predictions = pd.Series(values, fold.returns.index, dtype="float64", name="prediction")
        net = None if self.strategy_returns is None else self.strategy_returns(predictions)
        return Validated(
            metrics=fold_metrics(fold.returns, predictions, net),
            predictions=predictions,
            net_returns=net,
            session_scores=self.objective.by_session(fold.returns, predictions, net),
            seconds=self.clock() - began,
        )


@dataclass(frozen=True)
class Validated:
    """One fold of a trial."""

    metrics: dict[str, float]
    predictions: pd.Series
    net_returns: pd.Series | None
    session_scores: pd.Series
    seconds: float


def mean_out_of_fold(trials: Sequence[Trial]) -> pd.Series:
    """Out-of-fold predictions of the equally weighted ensemble of these trials."""
    columns = [trial.out_of_fold for trial in trials if trial.out_of_fold is not None]
    mean: pd.Series = pd.concat(columns, axis=1).mean(axis=1)
    return mean.rename("prediction")


def stored(
    trial: Trial, searched: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]
) -> FrozenTrial:
    """The trial as one atomic entry of a study: there is never a trial half told."""
    complete = trial.state == "complete"
    return create_trial(
        state=TrialState.COMPLETE if complete else TrialState.FAIL,
        value=trial.value if complete else None,
        params=dict(searched),
        distributions=dict(distributions),
        user_attrs={
            "fold_metrics": list(trial.fold_metrics),
            "session_scores": _to_json(trial.session_scores),
            "strategy_returns": _to_json(trial.strategy_returns),
            "seconds": trial.seconds,
            "error": trial.error,
        },
    )


def replayed(frozen: FrozenTrial, learner: Learner) -> Trial:
    """The trial that ``stored`` put into a study, but for its predictions."""
    kept = frozen.user_attrs
    return Trial(
        frozen.number,
        learner.name,
        {**learner.initial, **frozen.params},
        "complete" if frozen.state is TrialState.COMPLETE else "failed",
        value=np.nan if frozen.value is None else frozen.value,
        fold_metrics=tuple(kept["fold_metrics"]),
        metrics=mean_and_std(kept["fold_metrics"]),
        session_scores=_from_json(kept["session_scores"]),
        strategy_returns=_from_json(kept["strategy_returns"]),
        seconds=kept["seconds"],
        error=kept["error"],
        replayed=True,
    )


def _joined(parts: Sequence[pd.Series | None]) -> pd.Series | None:
    given = [part for part in parts if part is not None]
    return pd.concat(given) if given else None


def _to_json(series: pd.Series | None) -> dict[str, float] | None:
    if series is None:
        return None
    sessions = pd.DatetimeIndex(series.index)
    return {day.isoformat(): float(value) for day, value in zip(sessions, series, strict=True)}


def _from_json(kept: Mapping[str, float] | None) -> pd.Series | None:
    if kept is None:
        return None
    sessions = pd.DatetimeIndex(list(kept), name=SESSION, dtype="datetime64[us]")
    return pd.Series(list(kept.values()), sessions, dtype="float64")
