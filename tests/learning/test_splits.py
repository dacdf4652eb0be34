from __future__ import annotations

from math import comb

import numpy as np
import pytest
import skfolio.model_selection as skfolio
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import cross_val_score

from pipeline.errors import TooFewSessions
from pipeline.learning.splits import AnySplitter, CombinatorialBySession, Splitter, WalkForward
from tests.learning import made


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
    splitter = made.combinatorial(groups=4, label_sessions=2)

    folds = [(a.tolist(), b.tolist()) for a, b in splitter.cut(16)]

    # held out 0..3 and 8..11: a label of two sessions purges 4, 7 and 12, the embargo 5 and 13
    assert folds[1] == ([6, 14, 15], [0, 1, 2, 3, 8, 9, 10, 11])
    assert len(folds) == 6


def test_a_rolling_training_part_keeps_its_length():
    groups = np.arange(10)

    folds = made.walk_forward(folds=3, fold_sessions=2, train_sessions=3).split(
        groups, groups=groups
    )

    assert [train.tolist() for train, _ in folds] == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]


def test_the_training_part_expands():
    groups = np.arange(10)

    splitter = made.walk_forward(folds=3, fold_sessions=2, min_train_sessions=3)

    sizes = [len(train) for train, _ in splitter.split(groups, groups=groups)]

    assert sizes == [3, 5, 7]


def test_too_few_sessions_names_both_numbers():
    groups = np.arange(55)

    with pytest.raises(TooFewSessions, match="55 sessions") as caught:
        list(made.walk_forward(folds=4, fold_sessions=10).split(groups, groups=groups))

    assert "56: 15 to train on" in caught.value.needed


def test_too_few_sessions_for_the_groups_names_both_numbers():
    groups = np.arange(29)

    with pytest.raises(TooFewSessions, match="29 sessions") as caught:
        list(made.combinatorial(groups=6).split(groups, groups=groups))

    assert "30: 6 groups of 5" in caught.value.needed


def test_rows_without_their_session_cannot_be_split():
    with pytest.raises(ValueError, match="groups"):
        next(made.walk_forward(folds=4, fold_sessions=10).split(np.zeros(100)))


def test_scikit_learn_accepts_the_splitter():
    groups = np.repeat(np.arange(8), 2)
    scores = cross_val_score(
        DummyRegressor(),
        np.zeros((16, 1)),
        np.arange(16.0),
        groups=groups,
        cv=made.walk_forward(folds=3, fold_sessions=1, min_train_sessions=2),
        scoring="neg_mean_absolute_error",
    )

    # training means of sessions 0..3, 0..4, 0..5 are 3.5, 4.5, 5.5; rows 10-11, 12-13, 14-15
    assert list(scores) == [-7.0, -8.0, -9.0]


def drawn(splitter: Splitter, sessions: int) -> list[str]:
    """Each fold as the docstrings draw it, up to the last session that it uses."""
    lines = []
    for train, validated in splitter.cut(sessions):
        first = 0 if isinstance(splitter, CombinatorialBySession) else train[0]
        marks = ["-" if session < first else "." for session in range(sessions)]
        for place in train:
            marks[place] = "*"
        for place in validated:
            marks[place] = "v"
        lines.append(" ".join(marks[: max(*train, *validated) + 1]))
    return lines


@pytest.mark.parametrize(
    "splitter",
    [
        made.walk_forward(folds=3, fold_sessions=2, min_train_sessions=5),
        made.walk_forward(folds=3, fold_sessions=2, train_sessions=3),
        made.combinatorial(groups=3, min_group_sessions=4),
    ],
)
def test_the_folds_that_a_docstring_draws_are_those_that_are_cut(splitter):
    picture = [line.strip() for line in type(splitter).__doc__.splitlines()]
    for fold in drawn(splitter, 12):
        assert any(line.startswith(f"{fold}  ") or line.endswith(fold) for line in picture), fold


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"test_groups": 6}, "test_groups must be less than groups, which is 6"),
        ({"groups": 12, "test_groups": 6}, "924 folds; at most 100"),
        ({"groups": 2}, "groups"),
        ({"label_sessions": 0}, "label_sessions"),
        ({"embargo_sessions": -1}, "embargo_sessions"),
    ],
)
def test_a_combination_that_cannot_be_cut_is_refused(changes, fault):
    with pytest.raises(ValidationError, match=fault):
        made.combinatorial(**{"groups": 6} | changes)


def test_a_splitter_is_chosen_by_its_class_path_and_written_with_it():
    adapter = TypeAdapter(AnySplitter)
    for splitter in (made.walk_forward(folds=2, fold_sessions=1), made.combinatorial(groups=3)):
        content = splitter.model_dump(by_alias=True)
        path = f"pipeline.learning.splits.{type(splitter).__name__}"
        assert content["_target_"] == path
        assert adapter.validate_python(content) == splitter
    with pytest.raises(
        ValidationError, match=r"'pipeline\.learning\.splits\.CombinatorialBySession'"
    ):
        adapter.validate_python({"_target_": "os.system"})
