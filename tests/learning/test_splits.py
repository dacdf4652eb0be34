from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import cross_val_score

from pipeline.errors import TooFewSessions
from pipeline.learning.splits import WalkForward, holdout_step, refit_window, walk_forward_steps

DAYS = pd.date_range("2024-01-01", "2024-03-31")  # every day: calendar counts are exact


@st.composite
def splitters_and_sessions(draw):
    splitter = WalkForward(
        folds=draw(st.integers(2, 5)),
        fold_sessions=draw(st.integers(1, 6)),
        embargo_sessions=draw(st.integers(0, 3)),
        min_train_sessions=draw(st.integers(1, 8)),
    )
    count = splitter.needed_sessions + draw(st.integers(0, 10))
    rows = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    groups = np.repeat(np.arange(count) * 3, rows)
    draw(st.randoms(use_true_random=False)).shuffle(groups)
    return splitter, groups


@given(splitters_and_sessions())
@settings(max_examples=50, deadline=None)
def test_folds_are_ordered_disjoint_whole_sessions_with_the_embargo_kept(case):
    splitter, groups = case
    order = np.unique(groups)

    folds = list(splitter.split(groups, groups=groups))

    assert len(folds) == splitter.get_n_splits() == splitter.folds
    validated = []
    for train, validation in folds:
        learned, scored = set(groups[train]), sorted(set(groups[validation]))
        gap = [s for s in order if max(learned) < s < scored[0]]
        assert len(gap) == splitter.embargo_sessions
        assert len(learned) >= splitter.min_train_sessions
        assert len(scored) == splitter.fold_sessions
        assert set(np.flatnonzero(np.isin(groups, scored))) == set(validation)
        assert set(np.flatnonzero(np.isin(groups, list(learned)))) == set(train)
        validated += scored
    assert validated == list(order[-splitter.folds * splitter.fold_sessions :])


def test_the_training_part_expands():
    groups = np.arange(10)

    sizes = [len(train) for train, _ in WalkForward(3, 2, 1, 3).split(groups, groups=groups)]

    assert sizes == [3, 5, 7]


def test_too_few_sessions_names_both_numbers():
    groups = np.arange(55)

    with pytest.raises(TooFewSessions, match="55 sessions") as caught:
        list(WalkForward(4, 10, 1, 15).split(groups, groups=groups))

    assert "56: 15 to train on" in caught.value.needed


def test_rows_without_their_session_cannot_be_split():
    with pytest.raises(ValueError, match="groups"):
        next(WalkForward().split(np.zeros(100)))


def test_scikit_learn_accepts_the_splitter():
    groups = np.repeat(np.arange(8), 2)
    scores = cross_val_score(
        DummyRegressor(),
        np.zeros((16, 1)),
        np.arange(16.0),
        groups=groups,
        cv=WalkForward(3, 1, 1, 2),
        scoring="neg_mean_absolute_error",
    )

    # training means of sessions 0..3, 0..4, 0..5 are 3.5, 4.5, 5.5; rows 10-11, 12-13, 14-15
    assert list(scores) == [-7.0, -8.0, -9.0]


def test_windows_are_half_open_calendar_spans_with_an_embargo_between():
    step = holdout_step(DAYS, window_days=20, holdout_days=10, embargo_sessions=1)

    assert list(step.predicted) == list(pd.date_range("2024-03-22", "2024-03-31"))
    assert list(step.development) == list(pd.date_range("2024-03-02", "2024-03-20"))


def test_given_dates_are_the_first_and_the_last_day_used():
    step = holdout_step(DAYS, window_days=1, holdout_days=5, start="2024-02-01", end="2024-02-20")

    assert step.development[0] == pd.Timestamp("2024-02-01")
    assert step.development[-1] == pd.Timestamp("2024-02-14")
    assert list(step.predicted) == list(pd.date_range("2024-02-16", "2024-02-20"))


@given(st.integers(5, 60), st.integers(1, 20), st.integers(0, 3), st.data())
@settings(max_examples=50, deadline=None)
def test_no_session_is_both_learned_from_and_held_out(window, holdout, embargo, data):
    sessions = DAYS[sorted(data.draw(st.sets(st.integers(0, 90), min_size=80)))]

    step = holdout_step(
        sessions, window_days=window + 10, holdout_days=holdout + 8, embargo_sessions=embargo
    )

    between = sessions[(sessions > step.development[-1]) & (sessions < step.predicted[0])]
    assert len(between) == embargo
    assert step.predicted[-1] == sessions[-1]


def test_an_empty_development_is_refused_with_numbers():
    with pytest.raises(TooFewSessions, match="0 development and 10 holdout"):
        holdout_step(DAYS[-10:], window_days=20, holdout_days=10)


def test_the_refit_window_reaches_the_newest_label():
    window = refit_window(DAYS, 20)

    assert list(window) == list(pd.date_range("2024-03-12", "2024-03-31"))


def test_a_rolling_schedule_predicts_each_session_once_from_earlier_ones():
    steps = walk_forward_steps(DAYS, window_days=30, refit_every=7, search_every=14)

    predicted = [day for step in steps for day in step.predicted]
    assert predicted == list(DAYS[31:])  # 31 sessions lie in the first full window and its edge
    assert [step.search for step in steps[:5]] == [True, False, True, False, True]
    for step in steps:
        assert step.predicted[0] - step.development[-1] == pd.Timedelta(days=2)  # embargo of one
        assert len(step.development) == 29


def test_a_rolling_schedule_starts_where_it_is_told():
    steps = walk_forward_steps(
        DAYS, window_days=30, refit_every=50, search_every=50, start="2024-03-01"
    )

    assert [step.predicted[0] for step in steps] == [pd.Timestamp("2024-03-01")]
    assert steps[0].search


def test_a_step_needs_enough_sessions_in_its_window():
    gappy = DAYS[[*range(0, 20, 4), *range(20, 91)]]

    steps = walk_forward_steps(
        gappy, window_days=20, refit_every=5, search_every=5, least_sessions=12
    )

    assert len(steps[0].development) == 12
    assert steps[0].predicted[0] > DAYS[21]


def test_an_expanding_window_always_begins_with_the_first_session():
    steps = walk_forward_steps(
        DAYS, window_days=30, refit_every=20, search_every=40, expanding=True
    )

    assert {step.development[0] for step in steps} == {DAYS[0]}
    assert [len(step.development) for step in steps] == [30, 50, 70]


def test_a_history_shorter_than_the_window_has_no_schedule():
    with pytest.raises(TooFewSessions, match="20 sessions"):
        walk_forward_steps(DAYS[:20], window_days=30, refit_every=7, search_every=14)
