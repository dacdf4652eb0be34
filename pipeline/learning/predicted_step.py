"""What a step of an evaluation predicted, and what it learned that from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class StepFacts:
    """A step's row in the table of steps.

    Attributes
    ----------
    search
        Whether parameters were searched before it.
    development_first, development_last, predicted_first, predicted_last
        Sessions, ``YYYY-MM-DD``.
    sessions, rows
        Of its development.
    weights
        Of each learner by name.
    """

    search: bool
    development_first: str
    development_last: str
    predicted_first: str
    predicted_last: str
    sessions: int
    rows: int
    weights: Mapping[str, float]

    @property
    def row(self) -> dict[str, Any]:
        """By column, the weights of learners as ``weight_<name>``."""
        facts = asdict(self)
        weights = facts.pop("weights")
        return facts | {f"weight_{name}": weight for name, weight in weights.items()}


@dataclass(frozen=True, eq=False)
class PredictedStep:
    """What a step predicted.

    Attributes
    ----------
    rows
        Of every snapshot of its sessions, by (session, symbol): columns as in
        ``evaluate.OutOfSample.predicted``, forecast returns known before the session opens.
    facts
        What it learned from.
    """

    rows: pd.DataFrame
    facts: StepFacts
