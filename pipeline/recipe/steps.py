"""What the steps of an evaluation predict: each its own task, from what it may see alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from pipeline.learning.baselines import baselines
from pipeline.learning.dataset import Dataset
from pipeline.learning.models import predictions
from pipeline.learning.pool import HERE, Pool
from pipeline.learning.predicted_step import PredictedStep, StepFacts
from pipeline.learning.windows import Step
from pipeline.market.indication import Evening
from pipeline.recipe.decision import IndicatedOpen, Opens
from pipeline.recipe.fit import fitted
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.search import Chosen, Studies, refitted_weights
from pipeline.recipe.seen import seen
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules

PREDICTION = "prediction"
TRAINED_UNTIL = "trained_until"
"""Column of stored predictions: the last session that the model of each one learned from."""


class History(Opens, Protocol):
    """What an evaluation reads of the sessions it is at."""

    def snapshots(self, sessions: pd.DatetimeIndex, columns: Sequence[str]) -> pd.DataFrame:
        """Features of every snapshot of these sessions, labelled or not."""
        ...

    def market(self, sessions: pd.DatetimeIndex, rules: Rules) -> Market:
        """Prices and all that rules need to trade these sessions."""
        ...


class Journal(Protocol):
    """What is kept of an evaluation under way."""

    def search(self, step: Step) -> AbstractContextManager[Studies]:
        """The studies of the search at a step, for one process at a time."""
        ...

    def stored(self, step: Step) -> PredictedStep | None:
        """What a step predicted, if it is kept from before."""
        ...

    def step(self, step: Step, predict: Callable[[], PredictedStep]) -> PredictedStep:
        """What a step predicted: kept from before, or predicted now and kept."""
        ...


def joined_steps(parts: Sequence[PredictedStep]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What all steps predicted, and one row a step.

    Parameters
    ----------
    parts
        Of `predicted_steps`, in order.

    Returns
    -------
    tuple
        The rows of all parts, sorted; and a table of what each step learned from and predicted.
    """
    table = pd.DataFrame([part.facts.row for part in parts])
    return pd.concat([part.rows for part in parts]), table


def predicted_steps(
    recipe: Recipe,
    dataset: Dataset,
    block: Sequence[Step],
    chosen: Chosen,
    history: History,
    journal: Journal,
    pool: Pool = HERE,
) -> Iterator[PredictedStep]:
    """What the steps of one search predict, side by side; in order.

    A step without a search uses the parameters alone and calibrates their slope again.
    """
    done = [journal.stored(step) for step in block]
    missing = [step for step, part in zip(block, done, strict=True) if part is None]
    made = pool.map(
        _predicted,
        (_inputs(recipe, step, history) for step in missing),
        recipe, dataset, chosen,
        keep=lambda inputs, part: journal.step(inputs.step, lambda: part),
    )  # fmt: skip
    for part in done:
        yield next(made) if part is None else part


@dataclass(frozen=True)
class _Inputs:
    """What a step sees of the sessions it predicts, read before it travels; an `Opens`."""

    step: Step
    snapshots: pd.DataFrame
    measures: Evening | None
    printed: pd.DataFrame | None

    def evening(self, sessions: pd.DatetimeIndex) -> Evening:
        """Of the step's own sessions."""
        assert self.measures is not None
        return self.measures

    def printed_opens(self, sessions: pd.DatetimeIndex) -> pd.DataFrame:
        """Of the step's own sessions."""
        assert self.printed is not None
        return self.printed


def _inputs(recipe: Recipe, step: Step, history: History) -> _Inputs:
    by_open, sessions = isinstance(recipe.decision, IndicatedOpen), step.predicted
    return _Inputs(
        step,
        history.snapshots(sessions, recipe.columns),
        history.evening(sessions) if by_open else None,
        history.printed_opens(sessions) if by_open else None,
    )


def _predicted(recipe: Recipe, dataset: Dataset, chosen: Chosen, inputs: _Inputs) -> PredictedStep:
    step, snapshots = inputs.step, inputs.snapshots
    development = dataset.at(step.development)
    weights = chosen.weights if step.search else refitted_weights(recipe, development, chosen)
    model = fitted(recipe, chosen.params, development, weights)
    features, forecasts = seen(recipe, model, snapshots, step.predicted, inputs)
    part = baselines(development, features, recipe.target)
    part = pd.concat([forecasts, part], axis=1)
    part[TRAINED_UNTIL] = development.sessions[-1]
    if step.search:
        for share in recipe.windows.evaluation.learning_curve:
            recent = development.sessions[-round(share * len(development.sessions)) :]
            shorter = fitted(recipe, chosen.params, dataset.at(recent), weights)
            part[f"window_{round(100 * share)}"] = predictions(shorter, features)
    facts = StepFacts(
        search=step.search,
        development_first=f"{development.sessions[0]:%Y-%m-%d}",
        development_last=f"{development.sessions[-1]:%Y-%m-%d}",
        predicted_first=f"{step.predicted[0]:%Y-%m-%d}",
        predicted_last=f"{step.predicted[-1]:%Y-%m-%d}",
        sessions=len(development.sessions),
        rows=len(development.returns),
        weights=weights,
    )
    return PredictedStep(part, facts)
