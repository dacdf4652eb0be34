"""Cuts and preparations that leak, planted one by one, and those of the project, which do not."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, TimeSeriesSplit

from pipeline.learning.audit_folds import Pair, Prepared, fitted_inside, fold_cuts, prepared_fold
from pipeline.learning.dataset import Dataset
from pipeline.learning.models import preparation
from pipeline.learning.splits import WalkForward
from pipeline.learning.targets import Target

SPLITTER = WalkForward(folds=2, fold_sessions=3, embargo_sessions=1, min_train_sessions=4)
TARGET = Target()


def pairs_of(splitter, dataset: Dataset) -> list[Pair]:
    return list(splitter.split(dataset.features, groups=dataset.row_sessions))


def sessions_to_pairs(dataset: Dataset, train: list[int], validated: list[int]) -> list[Pair]:
    return [
        tuple(np.flatnonzero(np.isin(dataset.session_codes, part)) for part in (train, validated))
    ]


def test_walk_forward_folds_have_no_leak(make_dataset):
    dataset = make_dataset()

    found = fold_cuts(dataset, pairs_of(SPLITTER, dataset), gap_before=1)

    assert found.leaks == 0
    assert found.count == (5 + 3 + 8 + 3) * 8


def test_a_row_wise_split_cuts_a_session_and_names_it(make_dataset):
    dataset = make_dataset(sessions=12, symbols=8)
    pairs = list(TimeSeriesSplit(n_splits=2, test_size=30).split(dataset.features))

    found = fold_cuts(dataset, pairs, gap_before=0)

    # the first fold trains on 36 rows: half of the fifth session
    assert found.listed.iloc[0].to_dict() == {
        "column": "fold 0: session cut",
        "symbol": "S00",
        "session": f"{dataset.sessions[4]:%Y-%m-%d}",
        "stored": f"trained on {dataset.sessions[4]:%Y-%m-%d}",
        "recomputed": f"validated from {dataset.sessions[4]:%Y-%m-%d}, embargo 0",
    }


def test_shuffled_rows_train_on_the_future(make_dataset):
    dataset = make_dataset()
    pairs = list(KFold(3, shuffle=True, random_state=0).split(dataset.features))

    found = fold_cuts(dataset, pairs, gap_before=1)

    rules = {name.partition(": ")[2] for name in found.listed["column"]}
    assert "session cut" in rules
    assert found.leaks > 200


@pytest.mark.parametrize(
    ("train", "validated", "rule", "leaks"),
    [
        ([0, 1, 2, 5], [3, 4], "order", 8),
        ([0, 1, 2, 3], [4, 5], "embargo", 8),
        ([0, 1, 2, 3, 4], [4, 5], "in both parts", 8),
    ],
)
def test_each_rule_is_named_by_whole_sessions(make_dataset, train, validated, rule, leaks):
    dataset = make_dataset()
    allowed = 0 if rule == "order" else 1

    found = fold_cuts(dataset, sessions_to_pairs(dataset, train, validated), gap_before=allowed)

    assert found.listed["column"].iloc[0] == f"fold 0: {rule}"
    assert (found.listed["column"] == f"fold 0: {rule}").sum() == leaks


def test_combinatorial_folds_may_train_on_later_sessions_after_their_embargo(make_dataset):
    dataset = make_dataset()
    close, apart = (
        fold_cuts(
            dataset, sessions_to_pairs(dataset, [0, 1, later], [2, 3]), gap_before=0, gap_after=2
        )
        for later in (5, 6)
    )

    assert close.listed["column"].unique().tolist() == ["fold 0: embargo"]
    assert apart.leaks == 0


def test_the_searchs_own_preparation_sees_its_training_part_only(make_dataset):
    dataset = make_dataset()
    prepare = partial(prepared_fold, SPLITTER, target=TARGET, max_rows=30)

    found = fitted_inside(dataset, pairs_of(SPLITTER, dataset), prepare, seed=0)

    assert found.leaks == 0
    # 24 training rows (3 whole sessions) and 8 validated ones, by fold: 2 numbers, 2 categories
    assert found.count == 2 * (24 * 5 + 8 * 4)


def own(dataset: Dataset, pair: Pair, fitted_on: np.ndarray) -> Prepared:
    """Prepared with an imputer and encoder fitted on the given rows."""
    train, validation = dataset.rows(pair[0]), dataset.rows(pair[1])
    prepared = preparation(dataset.numeric, dataset.categorical)
    prepared.fit(dataset.rows(fitted_on).features)
    parts = [
        pd.DataFrame(prepared.transform(part.features), part.features.index)
        for part in (train, validation)
    ]
    for part in parts:
        part.columns = [*dataset.numeric, *map(str, part.columns[len(dataset.numeric) :])]
    return Prepared(parts[0].assign(target=TARGET.treated(train)), parts[1])


def imputed_on_all_rows(dataset: Dataset, pair: Pair) -> Prepared:
    return own(dataset, pair, np.arange(len(dataset.returns)))


def imputed_on_validation_too(dataset: Dataset, pair: Pair) -> Prepared:
    return own(dataset, pair, np.concatenate(pair))


def filled_backwards(dataset: Dataset, pair: Pair) -> Prepared:
    features = dataset.features.copy()
    numbers = features[dataset.numeric].groupby(level="symbol")
    features[dataset.numeric] = numbers.bfill()
    return own(replace(dataset, features=features), pair, pair[0])


def filled_from_its_own_batch(dataset: Dataset, pair: Pair) -> Prepared:
    """Gaps of validated rows with the mean of all validated rows: of later sessions as well."""
    validated = dataset.features.iloc[pair[1]].copy()
    numbers = validated[dataset.numeric]
    validated[dataset.numeric] = numbers.fillna(numbers.mean())
    features = pd.concat([dataset.features.iloc[: pair[1][0]], validated])
    rows = Dataset(features, dataset.returns.loc[features.index])
    return own(rows, pair, pair[0])


def winsorised_on_all_rows(dataset: Dataset, pair: Pair) -> Prepared:
    made = own(dataset, pair, pair[0])
    treated = TARGET.treated(dataset)
    return Prepared(made.train.assign(target=treated.loc[made.train.index]), made.validation)


@pytest.mark.parametrize(
    ("prepare", "columns"),
    [
        (imputed_on_all_rows, {"signal", "noise"}),
        (imputed_on_validation_too, {"signal", "noise"}),
        (filled_backwards, {"signal", "noise"}),
        (filled_from_its_own_batch, {"signal", "noise"}),
        (winsorised_on_all_rows, {"target"}),
    ],
)
def test_a_preparation_that_sees_other_rows_is_named(make_dataset, prepare, columns):
    dataset = make_dataset(sessions=30, symbols=20)

    found = fitted_inside(dataset, pairs_of(SPLITTER, dataset), prepare, seed=0)

    assert columns <= set(found.listed["column"])
    first = found.listed.iloc[0]
    place = (pd.Timestamp(first["session"]), first["symbol"])
    assert place in dataset.features.index
    assert first["stored"] != first["recomputed"]


def test_an_encoder_that_knows_a_category_of_validation_has_a_column_too_many(make_dataset):
    dataset = make_dataset()

    found = fitted_inside(dataset, pairs_of(SPLITTER, dataset), imputed_on_all_rows, seed=0)

    assert ["4", "", "", "False", "True"] in found.listed.to_numpy().tolist()
