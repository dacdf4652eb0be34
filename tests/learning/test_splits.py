from __future__ import annotations

from math import comb

import numpy as np
import pandas as pd
import pytest
import skfolio.model_selection as skfolio
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import cross_val_score

from pipeline.errors import TooFewSessions
from pipeline.learning.splits import (
    CombinatorialBySession,
    Splitter,
    WalkForward,
    holdout_step,
    refit_window,
    walk_forward_steps,
)

DAYS = pd.date_range("2024-01-01", "2024-03-31")  # every day: calendar counts are exact


@st.composite
def walk_forwards(draw) -> WalkForward:
    return WalkForward(
        folds=draw(st.integers(2, 5)),
        fold_sessions=draw(st.integers(1, 6)),
        embargo_sessions=draw(st.integers(0, 3)),
        min_train_sessions=draw(st.integers(1, 8)),
        train_sessions=draw(st.none() | st.integers(1, 8)),
        label_sessions=draw(st.integers(1, 4)),
    )


@st.composite
def combinatorials(draw) -> CombinatorialBySession:
    groups = draw(st.integers(3, 6))
    return CombinatorialBySession(
        groups=groups,
        test_groups=draw(st.integers(1, groups - 1)),
        embargo_sessions=draw(st.integers(0, 3)),
        min_group_sessions=draw(st.integers(1, 8)),
        label_sessions=draw(st.integers(1, 3)),
    )


@st.composite
def panel_rows(draw, splitter: Splitter) -> np.ndarray:
    """The session of every row, shuffled: one to four symbols a session."""
    count = splitter.needed_sessions + draw(st.integers(0, 10))
    rows = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    groups = np.repeat(np.arange(count) * 3, rows)
    draw(st.randoms(use_true_random=False)).shuffle(groups)
    return groups


def split_sessions(splitter: Splitter, groups: np.ndarray) -> list[tuple[list[int], list[int]]]:
    """Positions of the sessions of each fold, after showing that no session is cut."""
    order = np.unique(groups)
    folds = []
    for train, validation in splitter.split(groups, groups=groups):
        learned, scored = np.unique(groups[train]), np.unique(groups[validation])
        assert set(np.flatnonzero(np.isin(groups, learned))) == set(train)
        assert set(np.flatnonzero(np.isin(groups, scored))) == set(validation)
        assert not set(learned) & set(scored)
        folds.append(
            (np.searchsorted(order, learned).tolist(), np.searchsorted(order, scored).tolist())
        )
    assert len(folds) == splitter.get_n_splits()
    return folds


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_walk_forward_folds_are_ordered_whole_sessions_with_embargo_and_purge_kept(data):
    splitter = data.draw(walk_forwards())
    groups = data.draw(panel_rows(splitter))
    count = len(np.unique(groups))

    folds = split_sessions(splitter, groups)

    gap = splitter.embargo_sessions + splitter.label_sessions - 1
    for learned, scored in folds:
        assert scored[0] - learned[-1] == gap + 1
        assert learned == list(range(learned[0], learned[-1] + 1))
        assert len(scored) == splitter.fold_sessions
        if splitter.train_sessions is None:
            assert learned[0] == 0
            assert len(learned) >= splitter.min_train_sessions
        else:
            assert len(learned) == splitter.train_sessions
    validated = [place for _, scored in folds for place in scored]
    assert validated == list(range(count - splitter.folds * splitter.fold_sessions, count))


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_no_combinatorial_fold_trains_on_a_label_or_an_embargo_of_its_validated_blocks(data):
    splitter = data.draw(combinatorials())
    groups = data.draw(panel_rows(splitter))
    count, reach = len(np.unique(groups)), splitter.label_sessions

    folds = split_sessions(splitter, groups)

    for learned, scored in folds:
        known = {place + day for place in scored for day in range(reach)}  # days of their labels
        near = {place + day for place in known for day in range(splitter.embargo_sessions + 1)}
        free = [
            place
            for place in range(count)
            if place not in near and not known & {place + day for day in range(reach)}
        ]
        assert learned == free
        assert learned
    times = np.bincount([place for _, scored in folds for place in scored])
    assert set(times) == {comb(splitter.groups - 1, splitter.test_groups - 1)}


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_walk_forward_is_skfolio_s_where_every_session_is_one_row(data):
    ours = data.draw(walk_forwards())
    count = ours.needed_sessions + data.draw(st.integers(0, 10))
    tested = ours.folds * ours.fold_sessions
    theirs = skfolio.WalkForward(
        test_size=ours.fold_sessions,
        train_size=ours.train_sessions or count - tested - ours.gap_sessions,
        purged_size=ours.gap_sessions,
        expand_train=ours.train_sessions is None,
    )
    # theirs starts at the first row, ours ends at the last
    first = 0 if ours.train_sessions is None else count - ours.needed_sessions

    expected = [(a + first, b + first) for a, b in theirs.split(np.zeros((count - first, 1)))]

    assert_same_rows(list(ours.split(np.zeros(count), groups=np.arange(count))), expected)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_combinatorial_is_skfolio_s_where_every_session_is_one_row(data):
    ours = data.draw(combinatorials().filter(lambda splitter: splitter.test_groups > 1))
    theirs = skfolio.CombinatorialPurgedCV(
        n_folds=ours.groups,
        n_test_folds=ours.test_groups,
        purged_size=ours.purge_sessions,
        embargo_size=ours.embargo_sessions,
    )
    # skfolio refuses groups of fewer than purge + embargo + 2
    least = ours.groups * (ours.purge_sessions + ours.embargo_sessions + 2)
    count = max(ours.needed_sessions, least) + data.draw(st.integers(0, 10))

    expected = [(a, np.concatenate(b)) for a, b in theirs.split(np.zeros((count, 1)))]

    assert_same_rows(list(ours.split(np.zeros(count), groups=np.arange(count))), expected)


def assert_same_rows(ours, theirs) -> None:
    assert len(ours) == len(theirs)
    for (train, validation), (their_train, their_validation) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(train, their_train)
        np.testing.assert_array_equal(validation, their_validation)


def test_purge_and_embargo_of_a_combinatorial_fold_by_hand():
    splitter = CombinatorialBySession(4, 2, embargo_sessions=1, label_sessions=2)

    folds = [(a.tolist(), b.tolist()) for a, b in splitter.cut(16)]

    # held out 0..3 and 8..11: a label of two sessions purges 4, 7 and 12, the embargo 5 and 13
    assert folds[1] == ([6, 14, 15], [0, 1, 2, 3, 8, 9, 10, 11])
    assert len(folds) == 6


def test_a_rolling_training_part_keeps_its_length():
    groups = np.arange(10)

    folds = WalkForward(3, 2, 1, train_sessions=3).split(groups, groups=groups)

    assert [train.tolist() for train, _ in folds] == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]


def test_the_training_part_expands():
    groups = np.arange(10)

    sizes = [len(train) for train, _ in WalkForward(3, 2, 1, 3).split(groups, groups=groups)]

    assert sizes == [3, 5, 7]


def test_too_few_sessions_names_both_numbers():
    groups = np.arange(55)

    with pytest.raises(TooFewSessions, match="55 sessions") as caught:
        list(WalkForward(4, 10, 1, 15).split(groups, groups=groups))

    assert "56: 15 to train on" in caught.value.needed


def test_too_few_sessions_for_the_groups_names_both_numbers():
    groups = np.arange(29)

    with pytest.raises(TooFewSessions, match="29 sessions") as caught:
        list(CombinatorialBySession(6, 2, min_group_sessions=5).split(groups, groups=groups))

    assert "30: 6 groups of 5" in caught.value.needed


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
