"""A challenger is compared with the champion where neither has learned."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.gates.champion import at_sessions, champion_pvalue, joint_sessions
from tests.learning.rows import by_session


def january(*days: int) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([pd.Timestamp(2024, 1, day) for day in days])


@pytest.mark.parametrize(
    ("challenger", "champion", "trained_until", "sessions", "to_predict"),
    [
        # Trained up to the 5th, with stored predictions of the 3rd to 5th from before its refit.
        ((2, 3, 4, 5, 6, 7), (3, 4, 5), 5, (3, 4, 5, 6, 7), (6, 7)),
        ((4, 5), (3, 4, 5), 5, (4, 5), ()),
        ((6, 7), (3, 4), 5, (6, 7), (6, 7)),
        ((1, 2), (3, 4), 5, (), ()),  # sessions the champion was trained on
        ((5,), (3, 4), 5, (), ()),  # the last of its training is one of them
        ((6,), (3, 4), 5, (6,), (6,)),  # the first after it is none
        ((5, 6, 7), (3, 4, 6), 4, (5, 6, 7), (5, 7)),  # what is stored is not predicted again
        ((1, 2, 3), (), 9, (), ()),
        ((7, 6, 3, 6), (4, 3), 5, (3, 6, 7), (6, 7)),  # in order, each once
    ],
)
def test_joint_sessions_are_unseen_by_both(
    challenger, champion, trained_until, sessions, to_predict
):
    joint = joint_sessions(
        january(*challenger), january(*champion), pd.Timestamp(2024, 1, trained_until)
    )
    assert joint.sessions.tolist() == january(*sessions).tolist()
    assert joint.to_predict.tolist() == january(*to_predict).tolist()


def test_predictions_are_cut_to_the_joint_sessions():
    predictions = by_session([0.1, 0.2], [0.3], [0.4, 0.5])
    assert at_sessions(predictions, january(1, 3, 9)).tolist() == [0.1, 0.2, 0.4, 0.5]
    assert at_sessions(predictions, january()).empty


def series(values: np.ndarray, first: str = "2024-01-01") -> pd.Series:
    return pd.Series(values, pd.date_range(first, periods=len(values)))


@pytest.mark.parametrize(
    ("lead", "low", "high"), [(-0.002, 0.0, 0.01), (0.0, 0.2, 0.8), (0.002, 0.99, 1.0)]
)
def test_pvalue_is_small_where_the_challenger_earns_less(lead, low, high):
    rng = np.random.default_rng(3)
    common, noise = rng.normal(0.0, 0.02, 250), rng.normal(0.0, 0.004, 250)
    champion = common
    challenger = common + (noise - noise.mean()) + lead
    assert low <= champion_pvalue(series(challenger), series(champion), seed=1) <= high


def test_pvalue_agrees_with_a_plain_t_test_of_independent_differences():
    rng = np.random.default_rng(5)
    champion, lead = rng.normal(0.0, 0.02, 400), rng.normal(0.0, 0.01, 400)
    lead += -0.0006 - lead.mean()
    z = lead.mean() / (lead.std(ddof=1) / math.sqrt(400))
    plain = 0.5 * math.erfc(-z / math.sqrt(2.0))  # about 0.11
    assert champion_pvalue(series(champion + lead), series(champion), seed=1) == pytest.approx(
        plain, abs=0.03
    )


@pytest.mark.parametrize(("joint", "known"), [(9, False), (10, True), (59, True)])
def test_pvalue_is_unknown_only_where_there_is_nothing_to_compare(joint, known):
    rng = np.random.default_rng(7)
    challenger = series(rng.normal(0.0, 0.01, 100))
    champion = series(rng.normal(0.0, 0.01, joint), "2024-01-11")
    assert math.isnan(champion_pvalue(challenger, champion, seed=1)) is not known


def test_equals_are_rarely_told_apart_on_few_sessions():
    told = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        challenger, champion = rng.normal(0.0, 0.01, 15), rng.normal(0.0, 0.01, 15)
        told += champion_pvalue(series(challenger), series(champion), seed=1) <= 0.05
    assert told <= 20  # of 200
