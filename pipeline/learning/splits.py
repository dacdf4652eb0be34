"""Where to cut time: folds, retrain windows and refit dates, always at whole sessions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import TooFewSessions


@dataclass(frozen=True)
class WalkForward:
    """Expanding walk-forward folds by session, for scikit-learn's ``cv=`` too.

    The last ``folds * fold_sessions`` sessions are validated, each once and in order. A fold
    trains on everything earlier, but for ``embargo_sessions`` right before its validation.
    Labels end with their own session, so nothing else has to be purged.

    Source: Lopez de Prado (2018), Advances in Financial Machine Learning, chapter 7.

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

    @property
    def needed_sessions(self) -> int:
        """Fewest sessions that can be split."""
        return self.min_train_sessions + self.embargo_sessions + self.folds * self.fold_sessions

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Number of folds, whatever the data."""
        return self.folds

    def split(
        self, X: object, y: object = None, groups: object = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row positions (train, validation) of each fold; ``groups`` = session of each row."""
        if groups is None:
            raise ValueError("WalkForward.split needs groups: the session of every row")
        sessions, codes = np.unique(np.asarray(groups), return_inverse=True)
        if len(sessions) < self.needed_sessions:
            raise TooFewSessions(
                "folds",
                f"{len(sessions)} sessions",
                f"{self.needed_sessions}: {self.min_train_sessions} to train on, "
                f"{self.embargo_sessions} embargo, {self.folds} folds of {self.fold_sessions}",
            )
        first = len(sessions) - self.folds * self.fold_sessions
        for start in range(first, len(sessions), self.fold_sessions):
            yield (
                np.flatnonzero(codes < start - self.embargo_sessions),
                np.flatnonzero((codes >= start) & (codes < start + self.fold_sessions)),
            )


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
