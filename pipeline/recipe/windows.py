"""Which sessions a retrain learns from, is judged on, and is fitted on in the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Literal

import pandas as pd
from pydantic import Field, model_validator

from pipeline.learning.dataset import Dataset
from pipeline.learning.windows import Step, holdout_step, refit_window, walk_forward_steps
from pipeline.stats.returns import DAYS_A_YEAR
from pipeline.values import Count, Value


class DateRange(Value):
    """An optional first and last day."""

    start: date | None
    end: date | None

    @property
    def first(self) -> pd.Timestamp | None:
        """First day, if one is given."""
        return None if self.start is None else pd.Timestamp(self.start)

    @property
    def last(self) -> pd.Timestamp | None:
        """Last day, if one is given."""
        return None if self.end is None else pd.Timestamp(self.end)

    @model_validator(mode="after")
    def _dates_are_in_order(self) -> DateRange:
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"start {self.start} lies after end {self.end}")
        return self


class RetrainWindow(DateRange):
    """How much history a model learns from, and how much judges it; in calendar days.

    Attributes
    ----------
    start, end
        Both given, they replace the two lengths.
    window_days, holdout_days
        Development before the holdout, and the holdout.
    expanding
        Development begins with the first session there is.
    """

    window_days: Count
    holdout_days: Count
    expanding: bool


class Evaluation(Value):
    """How a recipe is judged: on one holdout, or refitted over the history.

    Attributes
    ----------
    start
        First session predicted by a walk-forward; None: the first with a full window before it.
    refit_every, search_every
        Sessions between two refits, and (at least) between two searches.
    learning_curve
        Shorter windows, as parts of the full one, that are fitted at each search.
    """

    name: Literal["holdout", "walk_forward"]
    start: date | None
    refit_every: Count
    search_every: Count
    learning_curve: tuple[Annotated[float, Field(gt=0, lt=1)], ...]

    @property
    def is_walk_forward(self) -> bool:
        """Whether the recipe is refitted over the history."""
        return self.name == "walk_forward"


@dataclass(frozen=True)
class WindowPlan:
    """Windows before any session is known.

    Attributes
    ----------
    gap_sessions
        Sessions between what is learned from and what is predicted.
    min_sessions
        Least sessions that the folds of a search can be cut from.
    sessions_a_year
        Of the market: 252, or 365 where it trades every day.
    """

    window: RetrainWindow
    evaluation: Evaluation
    gap_sessions: int
    min_sessions: int
    sessions_a_year: int

    @property
    def window_days(self) -> int:
        """Calendar days of development."""
        window = self.window
        if window.start and window.end and not self.evaluation.is_walk_forward:
            return (window.end - window.start).days - window.holdout_days
        return window.window_days

    @property
    def window_sessions(self) -> int:
        """Sessions to expect in development; known without looking at data."""
        return round(self.window_days * self.sessions_a_year / DAYS_A_YEAR)

    @property
    def of_a_walk_forward(self) -> WindowPlan:
        """The same where the recipe is judged by a walk-forward over all there is."""
        walked = self.evaluation.changed(name="walk_forward", start=None)
        return replace(self, evaluation=walked, window=self.window.changed(start=None, end=None))

    def readable(self, ready: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Those of the label-ready sessions whose rows the windows may need."""
        if not self.evaluation.is_walk_forward:
            windows = self.of(ready)
            return windows.steps[0].development.union(windows.predicted).union(windows.newest)
        first, last = self.window.first, self.window.last
        ready = ready if first is None else ready[ready >= first]
        return ready if last is None else ready[ready <= last]

    def of(self, sessions: pd.DatetimeIndex) -> Windows:
        """The windows among these sessions.

        Parameters
        ----------
        sessions
            Label-ready ones; of a walk-forward those with rows, since no window may begin with
            sessions that have none.

        Raises
        ------
        TooFewSessions
            A window would be empty, or too short for the folds.
        """
        window = self.window
        steps = (
            self.walk_forward(sessions)
            if self.evaluation.is_walk_forward
            else [self.holdout(sessions)]
        )
        newest = refit_window(
            sessions, window.window_days, expanding=window.expanding, end=window.last
        )
        return Windows(tuple(steps), newest)

    def holdout(self, ready: pd.DatetimeIndex) -> Step:
        """Development and holdout among label-ready sessions."""
        window = self.window
        return holdout_step(
            ready,
            window_days=window.window_days,
            holdout_days=window.holdout_days,
            gap_sessions=self.gap_sessions,
            expanding=window.expanding,
            start=window.first,
            end=window.last,
        )

    def walk_forward(
        self, sessions: pd.DatetimeIndex, start: pd.Timestamp | None = None
    ) -> list[Step]:
        """Refits over these sessions, from ``evaluation.start`` or a given session on."""
        evaluation = self.evaluation
        first = evaluation.start if start is None else start
        return walk_forward_steps(
            sessions,
            window_days=self.window.window_days,
            refit_every=evaluation.refit_every,
            search_every=evaluation.search_every,
            min_sessions=self.min_sessions,
            gap_sessions=self.gap_sessions,
            expanding=self.window.expanding,
            start=None if first is None else pd.Timestamp(first),
            end=self.window.last,
        )


@dataclass(frozen=True)
class Windows:
    """The sessions of a retrain.

    Attributes
    ----------
    steps
        Of the evaluation, in order.
    newest
        Sessions of the final refit.
    """

    steps: tuple[Step, ...]
    newest: pd.DatetimeIndex

    @property
    def development(self) -> pd.DatetimeIndex:
        """Sessions that the newest evaluated model learned from."""
        return self.steps[-1].development

    @property
    def predicted(self) -> pd.DatetimeIndex:
        """Sessions predicted out of sample, in order."""
        first, *later = (step.predicted for step in self.steps)
        return pd.DatetimeIndex(first.append(later)) if later else first

    def judged(self, dataset: Dataset) -> pd.DatetimeIndex:
        """Sessions predicted out of sample that have labelled rows."""
        return dataset.sessions.intersection(self.predicted)

    def sentence(self, dataset: Dataset) -> str:
        """The windows in words, with their labelled rows."""
        with_rows = self.judged(dataset)
        walks = len(self.steps) > 1
        parts = {
            "newest development" if walks else "development": self.development,
            "walked forward over" if walks else "holdout": with_rows,
        }
        words = ", ".join(
            f"{name} {part[0]:%Y-%m-%d}..{part[-1]:%Y-%m-%d} "
            f"({len(part)} sessions, {dataset.row_sessions.isin(part).sum():,} rows)"
            for name, part in parts.items()
        )
        return f"{words}, {len(self.steps)} refits" if walks else words
