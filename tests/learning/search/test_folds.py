from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import TooFewSessions
from pipeline.learning.search.folds import (
    capped,
    fold_of_row,
    joined,
    prepared_folds,
    validated_returns,
)
from tests.learning import made

SPLITTER = made.walk_forward(folds=2, fold_sessions=3, min_train_sessions=4)
RAW = made.target(winsorise=0.0, relative="none")


def test_nothing_of_a_fold_is_fitted_on_its_validation_rows(make_dataset):
    plain, changed = make_dataset(), make_dataset()
    later = changed.row_sessions >= changed.sessions[6]
    changed.features.loc[later, ["signal", "noise"]] = 1e6
    changed.returns.loc[later] = 9.0

    before = prepared_folds(plain, SPLITTER, made.target())[0]
    after = prepared_folds(changed, SPLITTER, made.target())[0]

    np.testing.assert_array_equal(after.train_x, before.train_x)
    np.testing.assert_array_equal(after.train_y, before.train_y)


def test_a_gap_is_filled_with_the_median_of_the_training_part(make_dataset):
    dataset = make_dataset()
    dataset.features.iloc[-1, 0] = np.nan

    fold = prepared_folds(dataset, SPLITTER, RAW)[-1]

    assert fold.validation_x[-1, 0] == np.median(fold.train_x[:, 0])


def test_validation_returns_are_untreated_and_in_order(make_dataset):
    dataset = make_dataset()

    folds = prepared_folds(dataset, SPLITTER, made.target(winsorise=0.2, relative="market"))

    assert validated_returns(folds).equals(dataset.returns.iloc[-6 * 8 :])
    assert list(fold_of_row(folds)) == [0] * 24 + [1] * 24


def test_no_cap_keeps_every_row(make_dataset):
    dataset = make_dataset()

    assert capped(dataset, None) is dataset
    assert capped(dataset, len(dataset.returns)) is dataset


@pytest.mark.parametrize(("max_rows", "kept"), [(47, [0, 3, 6, 8, 11]), (16, [0, 11]), (9, [11])])
def test_a_cap_keeps_whole_sessions_spread_evenly(make_dataset, max_rows, kept):
    dataset = make_dataset(sessions=12, symbols=8)

    small = capped(dataset, max_rows)

    assert list(dataset.sessions.get_indexer(small.sessions)) == kept
    assert len(small.returns) == 8 * len(kept)


def test_a_cap_holds_when_sessions_differ_in_size(make_dataset):
    full = make_dataset(sessions=6, symbols=8)
    uneven = full.rows(np.array([0, 8, *range(16, 48)]))  # two sessions of one row, four of eight

    small = capped(uneven, 20)

    assert len(small.returns) <= 20
    assert small.sessions[-1] == uneven.sessions[-1]


def test_the_training_target_is_treated(make_dataset):
    fold = prepared_folds(make_dataset(), SPLITTER, made.target(winsorise=0.2, relative="none"))[0]
    raw = prepared_folds(make_dataset(), SPLITTER, RAW)[0]

    low, high = np.quantile(raw.train_y, [0.2, 0.8])
    np.testing.assert_allclose(fold.train_y, np.clip(raw.train_y, low, high))


def test_combinatorial_folds_join_to_one_row_each_in_order(make_dataset):
    dataset = make_dataset(sessions=8, symbols=3)
    folds = prepared_folds(
        dataset, made.combinatorial(groups=4, embargo_sessions=0, min_group_sessions=2), RAW
    )

    assert validated_returns(folds).equals(dataset.returns)
    assert list(fold_of_row(folds)) == [0] * 6 + [1] * 6 + [2] * 6 + [3] * 6
    marked = [pd.Series(float(fold.number), fold.returns.index) for fold in folds]
    # pairs (0,1) (0,2) (0,3) (1,2) (1,3) (2,3): group 0 is in 0, 1, 2; group 3 in 2, 4, 5
    means = joined(folds, marked).groupby(level="session").first()
    assert list(means) == [1.0, 1.0, 7 / 3, 7 / 3, 3.0, 3.0, 11 / 3, 11 / 3]


def test_rows_to_stop_on_are_the_newest_training_sessions_with_the_gap_between(make_dataset):
    dataset = make_dataset(sessions=12, symbols=8)
    splitter = made.walk_forward(folds=2, fold_sessions=1, min_train_sessions=9)

    fold = prepared_folds(dataset, splitter, RAW, stopping_sessions=2)[0]

    # nine sessions of training: 0..5 to fit, 6 between, 7 and 8 to stop on
    fitted, stopped = fold.inner
    assert list(fitted) == list(range(6 * 8))
    assert list(stopped) == list(range(7 * 8, 9 * 8))


def test_a_fold_too_short_for_early_stopping_is_refused_with_numbers(make_dataset):
    splitter = made.walk_forward(folds=2, fold_sessions=1, min_train_sessions=9)

    with pytest.raises(TooFewSessions, match="trains on 9 sessions") as caught:
        prepared_folds(make_dataset(), splitter, RAW, stopping_sessions=3)

    assert "13: the newest 3" in caught.value.needed


def test_the_age_of_a_training_row_counts_sessions_that_a_cap_left_out(make_dataset):
    dataset = make_dataset()

    whole = prepared_folds(dataset, SPLITTER, RAW)[-1]
    few = prepared_folds(dataset, SPLITTER, RAW, max_rows=16)[-1]

    sessions = len(whole.train_sessions)
    np.testing.assert_array_equal(whole.train_ages, np.repeat(range(sessions)[::-1], 8))
    np.testing.assert_array_equal(few.train_ages, np.repeat([sessions - 1, 0], 8))
    assert made.learner(recent_sessions=2).newest(few.train_ages) == slice(8, None)
    assert made.learner().newest(few.train_ages) == slice(None)
