"""Where to cut time: folds, retrain windows and refit dates, always at whole sessions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from pipeline.errors import TooFewSessions


class Splitter(ABC):
    """Folds of whole sessions, for panels with any number of symbols a session.

    Works as scikit-learn's ``cv=``, with the session of every row as ``groups``.

    Attributes
    ----------
    embargo_sessions
        Sessions left out beside a validated block, against features that remember.
    label_sessions
        Sessions a label reaches over, its own included. Training labels that reach into a
        validated block are purged: ``label_sessions - 1`` sessions, none for a label that ends
        with its own session.
    """

    embargo_sessions: int
    label_sessions: int

    @property
    def purge_sessions(self) -> int:
        """Sessions whose label reaches into the session after them."""
        return self.label_sessions - 1

    @property
    @abstractmethod
    def needed_sessions(self) -> int:
        """Fewest sessions that can be split."""

    @property
    @abstractmethod
    def needs(self) -> str:
        """What ``needed_sessions`` is made of, in words."""

    @abstractmethod
    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Number of folds, whatever the data."""

    @abstractmethod
    def cut(self, sessions: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions (trained on, validated) among so many sessions, fold by fold."""

    def split(
        self, X: object, y: object = None, groups: object = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row positions (train, validation) of each fold; ``groups`` = session of each row."""
        if groups is None:
            raise ValueError(f"{type(self).__name__}.split needs groups: the session of every row")
        sessions, codes = np.unique(np.asarray(groups), return_inverse=True)
        if len(sessions) < self.needed_sessions:
            raise TooFewSessions(
                "folds", f"{len(sessions)} sessions", f"{self.needed_sessions}: {self.needs}"
            )
        for train, validated in self.cut(len(sessions)):
            yield np.flatnonzero(np.isin(codes, train)), np.flatnonzero(np.isin(codes, validated))


@dataclass(frozen=True)
class WalkForward(Splitter):
    """Walk-forward folds by session, expanding or rolling.

    The last ``folds * fold_sessions`` sessions are validated, each once and in order. A fold
    trains on what is earlier, but for the embargo and the purge right before its validation.

    Source: Lopez de Prado (2018), Advances in Financial Machine Learning, chapter 7.

    Attributes
    ----------
    train_sessions
        Length of every training part (rolling), or None for everything earlier (expanding).
    min_train_sessions
        Fewest sessions the first fold of an expanding walk-forward trains on.

    Examples
    --------
    >>> splitter = WalkForward(2, 1, embargo_sessions=1, min_train_sessions=1)
    >>> [(list(a), list(b)) for a, b in splitter.split(range(4), groups=[1, 2, 3, 4])]
    [([np.int64(0)], [np.int64(2)]), ([np.int64(0), np.int64(1)], [np.int64(3)])]
    """

    folds: int = 4
    fold_sessions: int = 10
    embargo_sessions: int = 1
    min_train_sessions: int = 15
    train_sessions: int | None = None
    label_sessions: int = 1

    @property
    def first_train_sessions(self) -> int:
        """Sessions the first fold has to train on."""
        return self.train_sessions or self.min_train_sessions

    @property
    def gap_sessions(self) -> int:
        """Sessions between training and validation."""
        return self.embargo_sessions + self.purge_sessions

    @property
    def needed_sessions(self) -> int:
        """Fewest sessions that can be split."""
        return self.first_train_sessions + self.gap_sessions + self.folds * self.fold_sessions

    @property
    def needs(self) -> str:
        """What ``needed_sessions`` is made of, in words."""
        purge = f"{self.purge_sessions} purged, " if self.purge_sessions else ""
        return (
            f"{self.first_train_sessions} to train on, {purge}"
            f"{self.embargo_sessions} embargo, {self.folds} folds of {self.fold_sessions}"
        )

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Number of folds, whatever the data."""
        return self.folds

    def cut(self, sessions: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions (trained on, validated) among so many sessions, fold by fold."""
        first = sessions - self.folds * self.fold_sessions
        for start in range(first, sessions, self.fold_sessions):
            stop = start - self.gap_sessions
            begin = stop - self.train_sessions if self.train_sessions else 0
            yield np.arange(begin, stop), np.arange(start, start + self.fold_sessions)


@dataclass(frozen=True)
class CombinatorialBySession(Splitter):
    """Combinatorial purged cross-validation: every choice of some groups of sessions is held out.

    ``groups`` consecutive blocks of sessions, the last one with the remainder; each choice of
    ``test_groups`` of them is validated by a fit on the rest. Training loses the purge on both
    sides of a validated block, and the embargo after it. Every session is validated by
    C(groups - 1, test_groups - 1) folds, so that as many paths through all sessions exist. Most
    fits know sessions later than the validated ones: it tells how much a choice depends on the
    sessions it was made with, not how a forecast would have done.

    Source: Lopez de Prado (2018), Advances in Financial Machine Learning, chapters 7 and 12.

    Attributes
    ----------
    min_group_sessions
        Fewest sessions a group may hold.

    Examples
    --------
    >>> splitter = CombinatorialBySession(3, 2, embargo_sessions=1, min_group_sessions=2)
    >>> for train, validated in splitter.cut(6):
    ...     print(train.tolist(), validated.tolist())
    [5] [0, 1, 2, 3]
    [3] [0, 1, 4, 5]
    [0, 1] [2, 3, 4, 5]
    """

    groups: int = 6
    test_groups: int = 2
    embargo_sessions: int = 1
    min_group_sessions: int = 5
    label_sessions: int = 1

    @property
    def least_group(self) -> int:
        """Sessions a group needs to keep one between two validated blocks."""
        return max(self.min_group_sessions, 2 * self.purge_sessions + self.embargo_sessions + 1)

    @property
    def needed_sessions(self) -> int:
        """Fewest sessions that can be split."""
        return self.groups * self.least_group

    @property
    def needs(self) -> str:
        """What ``needed_sessions`` is made of, in words."""
        return f"{self.groups} groups of {self.least_group}"

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Number of folds, whatever the data."""
        return comb(self.groups, self.test_groups)

    def cut(self, sessions: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions (trained on, validated) among so many sessions, fold by fold."""
        group = np.minimum(np.arange(sessions) // (sessions // self.groups), self.groups - 1)
        after = self.purge_sessions + self.embargo_sessions
        for chosen in combinations(range(self.groups), self.test_groups):
            validated = np.isin(group, chosen)
            near = validated.copy()
            for lag in range(1, after + 1):
                near[lag:] |= validated[:-lag]
            for lag in range(1, self.purge_sessions + 1):
                near[:-lag] |= validated[lag:]
            yield np.flatnonzero(~near), np.flatnonzero(validated)


@dataclass(frozen=True)
class Step:
    """One model of an evaluation: learn from ``development``, predict ``predicted``.

    ``search`` tells whether the hyper-parameters are searched anew, or those of the step before
    are fitted again. A holdout evaluation is one step, a walk-forward many.
    """

    development: pd.DatetimeIndex
    predicted: pd.DatetimeIndex
    search: bool = True


def holdout_step(
    label_ready: pd.DatetimeIndex,
    *,
    window_days: int,
    holdout_days: int,
    embargo_sessions: int = 1,
    expanding: bool = False,
    start: pd.Timestamp | str | None = None,
    end: pd.Timestamp | str | None = None,
) -> Step:
    """Development and holdout sessions of a retrain.

    The holdout is ``(end - holdout_days, end]``, development the ``window_days`` before it less
    the last ``embargo_sessions``. Days are calendar days.

    Parameters
    ----------
    label_ready
        Sessions with a final bar, sorted.
    expanding
        Development begins with the first session there is.
    start
        First day of development, instead of ``window_days``.
    end
        Last day of the holdout; default the newest label-ready session.
    """
    last = _end(label_ready, end)
    cut = last - pd.Timedelta(days=holdout_days)
    first = _window_start(label_ready, cut, window_days, expanding)
    first = first if start is None else _day_before(start)
    development = _between(label_ready, first, cut)
    development = development[: max(len(development) - embargo_sessions, 0)]
    holdout = _between(label_ready, cut, last)
    if development.empty or holdout.empty:
        raise TooFewSessions(
            "retrain",
            f"{len(development)} development and {len(holdout)} holdout sessions "
            f"between {first.date()} and {last.date()}",
            "label-ready sessions in both; widen retrain.window_days or holdout_days, "
            "or move retrain.start/end",
        )
    return Step(development, holdout)


def refit_window(
    label_ready: pd.DatetimeIndex,
    window_days: int,
    *,
    expanding: bool = False,
    end: pd.Timestamp | str | None = None,
) -> pd.DatetimeIndex:
    """Sessions of the final refit: ``(end - window_days, end]``, up to the newest label."""
    last = _end(label_ready, end)
    return _between(label_ready, _window_start(label_ready, last, window_days, expanding), last)


def walk_forward_steps(
    label_ready: pd.DatetimeIndex,
    *,
    window_days: int,
    refit_every: int,
    search_every: int,
    least_sessions: int = 1,
    embargo_sessions: int = 1,
    expanding: bool = False,
    start: pd.Timestamp | str | None = None,
    end: pd.Timestamp | str | None = None,
) -> list[Step]:
    """Steps of a walk-forward over history; each session is predicted once.

    Parameters
    ----------
    window_days
        Calendar days of development that end ``embargo_sessions`` before a step.
    refit_every, search_every
        Sessions between refits, and (at least) between searches.
    least_sessions
        Sessions that development must hold.
    expanding
        Development always begins with the first session.
    start
        First session predicted, with what development there is; default the first one with a
        full window before it.
    """
    sessions = label_ready[label_ready <= _end(label_ready, end)]
    earlier = sessions[:-1] - pd.Timedelta(days=window_days)
    known = np.arange(1, len(sessions))  # sessions before each one but the first
    held = known if expanding else known - sessions.searchsorted(earlier, side="right")
    due = held - embargo_sessions >= least_sessions
    due &= earlier >= sessions[0] if start is None else sessions[1:] >= pd.Timestamp(start)
    if not due.any():
        raise TooFewSessions(
            "walk_forward",
            f"{len(sessions)} sessions to learn from, none with {window_days} days and "
            f"{least_sessions} sessions before it",
            "a longer history, a shorter retrain.window_days or an earlier evaluation.start",
        )
    steps: list[Step] = []
    searched = -search_every
    for position in range(int(np.argmax(due)) + 1, len(sessions), refit_every):
        newest = sessions[position - 1]
        window = _between(sessions, _window_start(sessions, newest, window_days, expanding), newest)
        search = position - searched >= search_every or not steps
        searched = position if search else searched
        steps.append(
            Step(
                window[: max(len(window) - embargo_sessions, 0)],
                sessions[position : position + refit_every],
                search,
            )
        )
    return steps


def _window_start(
    sessions: pd.DatetimeIndex, last: pd.Timestamp, window_days: int, expanding: bool
) -> pd.Timestamp:
    """The day before a window that ends with ``last``."""
    return _day_before(sessions[0]) if expanding else last - pd.Timedelta(days=window_days)


def _end(label_ready: pd.DatetimeIndex, end: pd.Timestamp | str | None) -> pd.Timestamp:
    if label_ready.empty:
        raise TooFewSessions("windows", "no label-ready session", "labels of final bars")
    return label_ready[-1] if end is None else pd.Timestamp(end)


def _day_before(day: pd.Timestamp | str) -> pd.Timestamp:
    return pd.Timestamp(day) - pd.Timedelta(days=1)


def _between(
    sessions: pd.DatetimeIndex, after: pd.Timestamp, last: pd.Timestamp
) -> pd.DatetimeIndex:
    """The sessions in the half-open span ``(after, last]``."""
    return sessions[(sessions > after) & (sessions <= last)]
