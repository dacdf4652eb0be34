"""Cuts and preparations that leak, planted one by one, and those of the project, which do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from pydantic import TypeAdapter
from sklearn.model_selection import KFold, TimeSeriesSplit

from pipeline.audit.checks import CheckResult
from pipeline.audit.folds import (
    Gaps,
    Pair,
    Prepared,
    fitted_inside,
    fold_checks,
    fold_cuts,
    prepared_fold,
)
from pipeline.learning.dataset import Dataset
from pipeline.learning.models import preparation
from pipeline.learning.splits import AnySplitter, CombinatorialBySession, Splitter, WalkForward
from tests.learning import made

SPLITTER = made.walk_forward(folds=2, fold_sessions=3, min_train_sessions=4)
TARGET = made.target()
COMBINATORIAL = CombinatorialBySession(
    groups=4, test_groups=2, embargo_sessions=1, min_group_sessions=5, label_sessions=3
)
CONFIGS = sorted((Path(__file__).resolve().parents[2] / "conf" / "cv").glob("*.yaml"))


def pairs_of(splitter, dataset: Dataset) -> list[Pair]:
    return list(splitter.split(dataset.features, groups=dataset.row_sessions))


def sessions_to_pairs(dataset: Dataset, train: list[int], validated: list[int]) -> list[Pair]:
    return [
        tuple(np.flatnonzero(np.isin(dataset.session_codes, part)) for part in (train, validated))
    ]


def test_walk_forward_folds_have_no_leak(make_dataset):
    dataset = make_dataset()

    result = fold_cuts(dataset, pairs_of(SPLITTER, dataset), Gaps(1, None))

    assert result.leaks == 0
    assert result.checked == (5 + 3 + 8 + 3) * 8


def test_a_row_wise_split_cuts_a_session_and_names_it(make_dataset):
    dataset = make_dataset(sessions=12, symbols=8)
    pairs = list(TimeSeriesSplit(n_splits=2, test_size=30).split(dataset.features))

    result = fold_cuts(dataset, pairs, Gaps(0, None))

    # the first fold trains on 36 rows: half of the fifth session
    assert result.listed.iloc[0].to_dict() == {
        "column": "fold 0: session cut",
        "symbol": "S00",
        "session": f"{dataset.sessions[4]:%Y-%m-%d}",
        "stored": f"trained on {dataset.sessions[4]:%Y-%m-%d}",
        "recomputed": f"validated from {dataset.sessions[4]:%Y-%m-%d}, embargo 0",
    }


def test_shuffled_rows_train_on_the_future(make_dataset):
    dataset = make_dataset()
    pairs = list(KFold(3, shuffle=True, random_state=0).split(dataset.features))

    result = fold_cuts(dataset, pairs, Gaps(1, None))

    rules = {name.partition(": ")[2] for name in result.listed["column"]}
    assert "session cut" in rules
    assert result.leaks > 200


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

    result = fold_cuts(dataset, sessions_to_pairs(dataset, train, validated), Gaps(allowed, None))

    assert result.listed["column"].iloc[0] == f"fold 0: {rule}"
    assert (result.listed["column"] == f"fold 0: {rule}").sum() == leaks


def test_combinatorial_folds_may_train_on_later_sessions_after_their_embargo(make_dataset):
    dataset = make_dataset()
    close, apart = (
        fold_cuts(dataset, sessions_to_pairs(dataset, [0, 1, later], [2, 3]), Gaps(0, 2))
        for later in (5, 6)
    )

    assert close.listed["column"].unique().tolist() == ["fold 0: embargo"]
    assert apart.leaks == 0


def leaks_of(splitter: Splitter, dataset: Dataset) -> dict[str, CheckResult]:
    checks = fold_checks(dataset, splitter, target=TARGET, max_rows=None, seed=0)
    return {name: check() for name, check in checks.items()}


@pytest.mark.parametrize("label_sessions", [1, 3])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_no_splitter_of_the_configs_has_a_false_leak(make_dataset, config, label_sessions):
    values = OmegaConf.to_container(OmegaConf.load(config), resolve=True)
    splitter = TypeAdapter(AnySplitter).validate_python(values | {"label_sessions": label_sessions})
    dataset = make_dataset(sessions=splitter.needed_sessions + 7, symbols=3)

    results = leaks_of(splitter, dataset)

    assert {name: result.leaks for name, result in results.items()} == {
        "folds": 0,
        "preparation": 0,
    }
    assert results["folds"].checked > 3 * splitter.get_n_splits() * 10


class TooNear(CombinatorialBySession):
    """Every fold also trains on one session that lies so far from a validated one."""

    offset: int

    def cut(self, sessions: int) -> Iterator[Pair]:
        for train, validated in super().cut(sessions):
            edge = validated[~np.isin(validated + np.sign(self.offset), validated)]
            beside = edge + self.offset
            inside = beside[(beside >= 0) & (beside < sessions)]
            extra = np.setdiff1d(inside, np.concatenate([train, validated]))[:1]
            yield np.union1d(train, extra), validated


@pytest.mark.parametrize("offset", [-1, 1, 2, 3])
def test_a_session_in_a_gap_of_combinatorial_folds_is_named(make_dataset, offset):
    """Labels reach two sessions further: 2 before, and 2 with an embargo of 1 after."""
    planted = TooNear(**vars(COMBINATORIAL), offset=offset)
    dataset = make_dataset(sessions=40, symbols=3)

    result = leaks_of(planted, dataset)["folds"]

    rules = {name.partition(": ")[2] for name in result.listed["column"]}
    assert rules == {"embargo"}
    assert result.leaks == 3 * sum(
        len(train) - len(due)
        for (train, _), (due, _) in zip(planted.cut(40), COMBINATORIAL.cut(40), strict=True)
    )
    assert result.leaks > 0


def test_a_label_that_reaches_into_validation_is_named_in_walk_forward_folds(make_dataset):
    class Unpurged(WalkForward):
        def cut(self, sessions: int) -> Iterator[Pair]:
            for train, validated in super().cut(sessions):
                yield np.append(train, train[-1] + 1), validated

    planted = Unpurged(**vars(SPLITTER) | {"label_sessions": 3})

    result = leaks_of(planted, make_dataset(sessions=20))["folds"]

    assert result.listed["column"].unique().tolist() == ["fold 0: embargo", "fold 1: embargo"]
    assert result.leaks == 2 * 8


def test_an_unknown_splitter_may_not_train_on_later_sessions(make_dataset):
    class Later(WalkForward):
        def cut(self, sessions: int) -> Iterator[Pair]:
            yield np.arange(9, 12), np.arange(4)

    result = leaks_of(Later(**vars(SPLITTER)), make_dataset())["folds"]

    assert result.listed["column"].unique().tolist() == ["fold 0: order"]
    assert result.leaks == 3 * 8


def test_the_searchs_own_preparation_sees_its_training_part_only(make_dataset):
    dataset = make_dataset()
    prepare = partial(prepared_fold, SPLITTER, target=TARGET, max_rows=30)

    result = fitted_inside(dataset, pairs_of(SPLITTER, dataset), prepare, seed=0)

    assert result.leaks == 0
    # 24 training rows (3 whole sessions) and 8 validated ones, by fold: 2 numbers, 2 categories
    assert result.checked == 2 * (24 * 5 + 8 * 4)


def prepared_with(dataset: Dataset, pair: Pair, fitted_on: np.ndarray) -> Prepared:
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
    return prepared_with(dataset, pair, np.arange(len(dataset.returns)))


def imputed_on_validation_too(dataset: Dataset, pair: Pair) -> Prepared:
    return prepared_with(dataset, pair, np.concatenate(pair))


def filled_backwards(dataset: Dataset, pair: Pair) -> Prepared:
    features = dataset.features.copy()
    numbers = features[dataset.numeric].groupby(level="symbol")
    features[dataset.numeric] = numbers.bfill()
    return prepared_with(replace(dataset, features=features), pair, pair[0])


def filled_from_its_own_batch(dataset: Dataset, pair: Pair) -> Prepared:
    """Gaps of validated rows with the mean of all validated rows: of later sessions as well."""
    validated = dataset.features.iloc[pair[1]].copy()
    numbers = validated[dataset.numeric]
    validated[dataset.numeric] = numbers.fillna(numbers.mean())
    features = pd.concat([dataset.features.iloc[: pair[1][0]], validated])
    rows = Dataset(features, dataset.returns.loc[features.index])
    return prepared_with(rows, pair, pair[0])


def winsorised_on_all_rows(dataset: Dataset, pair: Pair) -> Prepared:
    result = prepared_with(dataset, pair, pair[0])
    treated = TARGET.treated(dataset)
    return Prepared(result.train.assign(target=treated.loc[result.train.index]), result.validation)


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

    result = fitted_inside(dataset, pairs_of(SPLITTER, dataset), prepare, seed=0)

    assert columns <= set(result.listed["column"])
    first = result.listed.iloc[0]
    place = (pd.Timestamp(first["session"]), first["symbol"])
    assert place in dataset.features.index
    assert first["stored"] != first["recomputed"]


def test_an_encoder_that_knows_a_category_of_validation_has_a_column_too_many(make_dataset):
    dataset = make_dataset()

    result = fitted_inside(dataset, pairs_of(SPLITTER, dataset), imputed_on_all_rows, seed=0)

    assert ["4", "", "", "False", "True"] in result.listed.to_numpy().tolist()
