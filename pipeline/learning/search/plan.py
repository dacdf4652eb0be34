"""How a search is run: its budget, its sampler, what it optimises and when it stops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag

from pipeline.values import Count, Positive, Value

ObjectiveName = Literal["mae", "mae_relative", "rank_ic", "sharpe_net"]
Sampler = Literal["tpe", "random"]
Pruner = Literal["median", "quartile"]

ONE_FOR_ALL, EACH_BY_NAME = "<one>", "<each>"


def _one_or_each(value: Any) -> str:
    return EACH_BY_NAME if isinstance(value, Mapping) else ONE_FOR_ALL


Budget = Annotated[
    Annotated[Count, Tag(ONE_FOR_ALL)] | Annotated[Mapping[str, Count], Tag(EACH_BY_NAME)],
    Discriminator(_one_or_each),
]
"""Trials of every learner, or of each by its name."""


class SearchPlan(Value):
    """How hyper-parameters are searched.

    Attributes
    ----------
    n_trials
        Trials of every learner, or of each by its name.
    batch_size
        Trials proposed before the result of any of them is known. Part of the result, unlike the
        workers.
    sampler
        ``tpe`` (Bergstra et al., 2011) learns from earlier batches; ``random`` draws without
        repeating itself. The first trial has the initial values under both.
    pruner
        ``median`` or ``quartile``: trials worse than that share of the complete ones of earlier
        batches stop between folds; None: none does.
    objective
        ``mae`` for forecasts close to the return itself; ``mae_relative`` for the same across
        symbols; ``rank_ic`` where only the order of symbols counts; ``sharpe_net`` for what the
        strategy earns after costs.
    max_rows
        Cap on the training rows of a fold, kept by whole sessions; None: all rows.
    early_stopping_sessions
        Newest training sessions of a fold on which boosted trees stop; None: they never do.
    timeout_minutes
        Time budget of the whole search; None: no limit.
    recorded_trials
        Trials of each learner that an earlier search ran until its time ended; None unless that
        search is repeated.
    """

    n_trials: Budget
    batch_size: Count
    sampler: Sampler
    pruner: Pruner | None
    objective: ObjectiveName
    max_rows: Count | None
    early_stopping_sessions: Count | None
    timeout_minutes: Positive | None
    recorded_trials: Mapping[str, Count] | None

    def budget(self, learner: str) -> int:
        """Trials requested for a learner that searches something."""
        return self.n_trials[learner] if isinstance(self.n_trials, Mapping) else self.n_trials

    def trials(self, learner: str) -> int:
        """Trials to run for it: the budget, or those of the search that is repeated."""
        return (
            self.budget(learner) if self.recorded_trials is None else self.recorded_trials[learner]
        )

    @property
    def timeout_seconds(self) -> float | None:
        """Time budget of the whole search; none where an earlier search is repeated."""
        if self.timeout_minutes is None or self.recorded_trials is not None:
            return None
        return self.timeout_minutes * 60
