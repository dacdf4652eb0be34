"""What a retrain learns from and is judged on: windows, rows and their digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import pandas as pd

from pipeline.contract import Metrics
from pipeline.learning.dataset import Dataset, digest
from pipeline.recipe.decision import Indicated, IndicatedOpen, Opens
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.windows import Windows
from pipeline.schemas import SYMBOL
from pipeline.values import metric_name


class Rows(Opens, Protocol):
    """Where labelled rows come from."""

    def dataset(self, sessions: pd.DatetimeIndex, columns: Sequence[str]) -> Dataset:
        """Snapshots of these sessions joined to their labels."""
        ...


@dataclass(frozen=True)
class RetrainData:
    """The rows of a retrain.

    Attributes
    ----------
    windows
        Sessions to learn from, to predict and to refit on.
    dataset
        Labelled rows of all of these.
    digest
        Of the rows, 32 hex digits: other rows are other data.
    """

    windows: Windows
    dataset: Dataset
    digest: str

    @property
    def development(self) -> Dataset:
        """Rows that the newest evaluated model learned from."""
        return self.dataset.at(self.windows.development)

    @property
    def judged(self) -> Dataset:
        """Labelled rows of the sessions predicted out of sample."""
        return self.dataset.at(self.windows.judged(self.dataset))

    @property
    def newest(self) -> Dataset:
        """Rows of the final refit."""
        return self.dataset.at(self.windows.newest)

    @cached_property
    def learned_digest(self) -> str:
        """Of `newest`, 32 hex digits."""
        return digest(self.newest)

    @property
    def sentence(self) -> str:
        """The windows in words, with their rows."""
        return self.windows.sentence(self.dataset)

    def name_of(self, recipe: Recipe) -> str:
        """What an evaluation of a recipe on these rows is called while it is under way."""
        return f"{recipe.hash}-{self.digest[:12]}-{recipe.windows.evaluation.name}"

    @property
    def metrics(self) -> dict[str, float]:
        """The run contract's ``data/*``."""
        development = self.development
        return {
            "data/rows": len(development.returns),
            "data/sessions": len(development.sessions),
            "data/symbols": development.features.index.get_level_values(SYMBOL).nunique(),
            "data/dropped_rows": sum(self.dataset.dropped.values()),
            **{
                metric_name(Metrics.DATA_DROPPED, reason): count
                for reason, count in self.dataset.dropped.items()
            },
        }


def decided(recipe: Recipe, dataset: Dataset, opens: Opens) -> Dataset:
    """The rows with what is known when it is decided: of the evening, they are as they are."""
    if not isinstance(recipe.decision, IndicatedOpen):
        return dataset
    drawn = Indicated.drawn(opens, dataset.sessions, recipe.decision, recipe.seed)
    return replace(dataset, features=drawn.joined(dataset.features))


def retrain_data(recipe: Recipe, rows: Rows, label_ready: pd.DatetimeIndex) -> RetrainData:
    """Windows, rows and their digest.

    Parameters
    ----------
    label_ready
        Sessions with final bars, in order.

    Raises
    ------
    TooFewSessions
        A window has too few sessions or rows for the folds.
    """
    plan = recipe.windows
    dataset = decided(recipe, rows.dataset(plan.readable(label_ready), recipe.columns), rows)
    # No window of a walk-forward begins with sessions that have no snapshots.
    windows = plan.of(dataset.sessions if plan.evaluation.is_walk_forward else label_ready)
    if not plan.evaluation.is_walk_forward:
        recipe.require_rows("retrain", "development", dataset.at(windows.development))
    recipe.require_rows("retrain", "the refit window", dataset.at(windows.newest))
    return RetrainData(windows, dataset, digest(dataset))
