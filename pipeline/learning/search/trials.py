"""One trial: its record, and its form inside an Optuna study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from pipeline.learning.learner import Learner
from pipeline.learning.metrics import mean_and_std
from pipeline.schemas import SESSION

State = Literal["complete", "pruned", "failed"]
STATES: Mapping[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@dataclass(frozen=True)
class Trial:
    """One hyper-parameter set and how it did.

    Attributes
    ----------
    number
        Position in the learner's study, from 0.
    params
        Everything the estimator is built with to be fitted again, searched or not; with early
        stopping the number of trees is the one chosen.
    state
        ``pruned``: stopped after some folds, for being worse there than earlier trials.
    value
        The objective, mean over folds; NaN unless complete.
    fold_metrics, metrics
        Metrics of each fold evaluated, and their ``_mean`` and ``_std`` if complete.
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
    trees
        The number of trees that early stopping chose, by the parameter's name.
    replayed
        Whether it was read from the study instead of fitted.
    """

    number: int
    learner: str
    params: dict[str, Any]
    state: State = "complete"
    value: float = np.nan
    fold_metrics: tuple[dict[str, float], ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    session_scores: pd.Series | None = None
    strategy_returns: pd.Series | None = None
    out_of_fold: pd.Series | None = None
    seconds: float = 0.0
    error: str = ""
    trees: Mapping[str, int] = field(default_factory=dict)
    replayed: bool = False


def out_of_fold(trials: Sequence[Trial]) -> pd.DataFrame:
    """Out-of-fold predictions of these trials, rows x learners.

    Returns
    -------
    DataFrame
        Open-to-close returns, as fractions, by (session, symbol); each from a fit on other
        sessions.
    """
    columns = {
        trial.learner: trial.out_of_fold for trial in trials if trial.out_of_fold is not None
    }
    return pd.DataFrame(columns)


def stored(
    trial: Trial, searched: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]
) -> FrozenTrial:
    """The trial as one atomic entry of a study: there is never a trial half recorded."""
    return create_trial(
        state=STATES[trial.state],
        value=trial.value if trial.state == "complete" else None,
        params=dict(searched),
        distributions=dict(distributions),
        user_attrs={
            "fold_metrics": list(trial.fold_metrics),
            "session_scores": _to_json(trial.session_scores),
            "strategy_returns": _to_json(trial.strategy_returns),
            "seconds": trial.seconds,
            "error": trial.error,
            "found": dict(trial.trees),
        },
    )


def replayed(frozen: FrozenTrial, learner: Learner) -> Trial:
    """The trial that ``stored`` put into a study, but for its predictions."""
    recorded = frozen.user_attrs
    state = next(name for name, state in STATES.items() if state is frozen.state)
    return Trial(
        frozen.number,
        learner.name,
        {**learner.initial, **frozen.params, **recorded["found"]},
        state,
        value=np.nan if frozen.value is None or state != "complete" else frozen.value,
        fold_metrics=tuple(recorded["fold_metrics"]),
        metrics=mean_and_std(recorded["fold_metrics"]) if state == "complete" else {},
        session_scores=_from_json(recorded["session_scores"]),
        strategy_returns=_from_json(recorded["strategy_returns"]),
        seconds=recorded["seconds"],
        error=recorded["error"],
        trees=recorded["found"],
        replayed=True,
    )


def _to_json(series: pd.Series | None) -> dict[str, float] | None:
    if series is None:
        return None
    sessions = pd.DatetimeIndex(series.index)
    return {day.isoformat(): float(value) for day, value in zip(sessions, series, strict=True)}


def _from_json(values: Mapping[str, float] | None) -> pd.Series | None:
    if values is None:
        return None
    sessions = pd.DatetimeIndex(list(values), name=SESSION, dtype="datetime64[us]")
    return pd.Series(list(values.values()), sessions, dtype="float64")
