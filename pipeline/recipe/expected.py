"""How long a walk-forward takes, estimated from one step that was timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.learning.windows import Step


class Expected(NamedTuple):
    """A walk-forward to come.

    Attributes
    ----------
    seconds
        Of its searches and fits.
    refits, sessions
        Models to fit, and sessions they predict.
    """

    seconds: float
    refits: int
    sessions: int


def expected(steps: Sequence[Step], *, search_seconds: float, fit_seconds: float) -> Expected:
    """Time of these steps where a window as long as theirs took so long.

    Parameters
    ----------
    search_seconds, fit_seconds
        Of one search, and of fitting and predicting one step, in seconds.
    """
    searches = sum(step.search for step in steps)
    return Expected(
        seconds=searches * search_seconds + len(steps) * fit_seconds,
        refits=len(steps),
        sessions=sum(len(step.predicted) for step in steps),
    )
