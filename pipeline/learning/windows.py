"""Which sessions a model learns from and predicts: the retrain's windows and refit dates.

A holdout evaluation (`holdout_step`) of a window of 6 days and a holdout of 4, with a gap of one
session, among twelve sessions of a market that trades every day::

    search   - - * * * * * . p p p p
    newest   - - - - - - * * * * * *

A walk-forward (`walk_forward_steps`) with the same window and gap, ``refit_every=2`` and
``search_every=4``::

    search   - * * * * * . p p - - -
    refit    - - - * * * * * . p p -
    search   - - - - - * * * * * . p
    newest   - - - - - - * * * * * *

    * learned from (development), . gap: embargo and purge, p predicted, - not used by this fit,
    time to the right; newest: the fit that is registered (`refit_window`), which predicts what
    comes after the last label

With ``expanding=True`` every row is learned from its first session on. A search, on the folds of
`splits` inside its development, chooses the hyper-parameters; a refit keeps them. Every session is
predicted once, by a model that learned from earlier sessions only: their labels are known at the
close of the last session marked ``*``, and a gap of ``label_sessions - 1`` or more keeps labels
that end later out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import TooFewSessions


@dataclass(frozen=True)
class Step:
    """One model of an evaluation: learn from ``development``, predict ``predicted``.

    A holdout evaluation is one step, a walk-forward many.

    Attributes
    ----------
    development, predicted
        Sessions, sorted; every session of ``development`` is before those ``predicted``, with the
        gap between them.
    search
        Whether the hyper-parameters are searched again, or those of the step before are fitted
        again.
    """

    development: pd.DatetimeIndex
    predicted: pd.DatetimeIndex
    search: bool = True


def holdout_step(
    label_ready: pd.DatetimeIndex,
    *,
    window_days: int,
    holdout_days: int,
    gap_sessions: int,
    expanding: bool,
    start: pd.Timestamp | str | None = None,
    end: pd.Timestamp | str | None = None,
) -> Step:
    """Development and holdout sessions of a retrain.

    The holdout is ``(end - holdout_days, end]``, development the ``window_days`` before it less
    the last ``gap_sessions``. Days are calendar days.

    Parameters
    ----------
    label_ready
        Sessions with a final bar, sorted.
    gap_sessions
        Sessions between development and holdout: embargo and purge, see ``Splitter``.
    expanding
        Development begins with the first session there is.
    start
        First day of development, instead of ``window_days``.
    end
        Last day of the holdout; default the newest label-ready session.

    Raises
    ------
    TooFewSessions
        No session has a label, or development or holdout would be empty.
    """
    last = _end(label_ready, end)
    cut = last - pd.Timedelta(days=holdout_days)
    first = _window_start(label_ready, cut, window_days, expanding)
    first = first if start is None else _day_before(start)
    development = _between(label_ready, first, cut)
    development = development[: max(len(development) - gap_sessions, 0)]
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
    expanding: bool,
    end: pd.Timestamp | str | None = None,
) -> pd.DatetimeIndex:
    """Sessions of the final refit: ``(end - window_days, end]``, up to the newest label.

    Raises
    ------
    TooFewSessions
        No session has a label.
    """
    last = _end(label_ready, end)
    return _between(label_ready, _window_start(label_ready, last, window_days, expanding), last)


def walk_forward_steps(
    label_ready: pd.DatetimeIndex,
    *,
    window_days: int,
    refit_every: int,
    search_every: int,
    min_sessions: int,
    gap_sessions: int,
    expanding: bool,
    start: pd.Timestamp | str | None = None,
    end: pd.Timestamp | str | None = None,
) -> list[Step]:
    """Steps of a walk-forward over history; each session is predicted once.

    Parameters
    ----------
    window_days
        Calendar days of development that end ``gap_sessions`` before a step.
    refit_every, search_every
        Sessions between refits, and (at least) between searches.
    min_sessions
        Sessions that development must hold.
    expanding
        Development always begins with the first session.
    start
        First session predicted, with what development there is; default the first one with a
        full window before it.

    Raises
    ------
    TooFewSessions
        No session has a label, or none has a full window, and ``min_sessions``, before it.
    """
    sessions = label_ready[label_ready <= _end(label_ready, end)]
    earlier = sessions[:-1] - pd.Timedelta(days=window_days)
    known = np.arange(1, len(sessions))  # sessions before each one but the first
    held = known if expanding else known - sessions.searchsorted(earlier, side="right")
    due = held - gap_sessions >= min_sessions
    due &= earlier >= sessions[0] if start is None else sessions[1:] >= pd.Timestamp(start)
    if not due.any():
        raise TooFewSessions(
            "walk_forward",
            f"{len(sessions)} sessions to learn from, none with {window_days} days and "
            f"{min_sessions} sessions before it",
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
                window[: max(len(window) - gap_sessions, 0)],
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
