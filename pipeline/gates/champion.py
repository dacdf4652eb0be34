"""Challenger against champion: net returns of both, on sessions neither has learned from."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import pandas as pd

from pipeline.schemas import SESSION
from pipeline.stats.inference import MIN_BLOCK_SESSIONS, paired_test

Predictions = TypeVar("Predictions", pd.Series, pd.DataFrame)


class JointSessions(NamedTuple):
    """Sessions on which two models can be compared, in order.

    Attributes
    ----------
    sessions
        Out of sample for both.
    to_predict
        Those of them that the champion has no stored prediction of and must predict now.
    """

    sessions: pd.DatetimeIndex
    to_predict: pd.DatetimeIndex


def joint_sessions(
    challenger_sessions: pd.DatetimeIndex,
    champion_sessions: pd.DatetimeIndex,
    champion_trained_until: pd.Timestamp,
) -> JointSessions:
    """Sessions out of sample for both: stored by both, or after the champion's training end.

    Parameters
    ----------
    challenger_sessions, champion_sessions
        With stored predictions out of sample.
    champion_trained_until
        Last session that the champion was fitted on.
    """
    challenger = challenger_sessions.unique().sort_values()
    later = challenger[challenger > champion_trained_until]
    stored = challenger.intersection(champion_sessions)
    return JointSessions(
        sessions=stored.union(later), to_predict=later.difference(champion_sessions)
    )


def at_sessions(predictions: Predictions, sessions: pd.DatetimeIndex) -> Predictions:
    """The predictions (by session and symbol) of some sessions."""
    return predictions[predictions.index.get_level_values(SESSION).isin(sessions)]


def champion_pvalue(challenger: pd.Series, champion: pd.Series, seed: int) -> float:
    """One-sided p-value of "the challenger earns less than the champion".

    Parameters
    ----------
    challenger, champion
        Net returns by session, traded by the same rules on ``JointSessions.sessions``.
    seed
        Of the bootstrap.

    Returns
    -------
    float
        Small where the challenger is significantly worse; NaN with fewer than 10 joint sessions:
        then there is nothing to compare.
    """
    return paired_test(challenger, champion, seed=seed, min_sessions=MIN_BLOCK_SESSIONS)
