from __future__ import annotations

from dataclasses import replace

import numpy as np
import optuna
import pytest
from sklearn.ensemble import GradientBoostingRegressor

from pipeline.learning.search.early_stopping import best_trees
from pipeline.learning.search.folds import Fold, prepared_folds
from pipeline.learning.search.search import search
from tests.learning import made

LIGHT = made.learner(
    "lightgbm.LGBMRegressor",
    "light",
    initial={
        "n_estimators": 200, "learning_rate": 0.2, "min_child_samples": 5, "num_leaves": 4,
        "n_jobs": 1, "verbosity": -1,
    },
    space={"num_leaves": {"type": "int", "low": 4, "high": 8}},
)  # fmt: skip
HISTOGRAM = made.learner(
    "sklearn.ensemble.HistGradientBoostingRegressor", "histogram", initial={"max_iter": 200}
)
BOOSTED = [(LIGHT, "n_estimators"), (HISTOGRAM, "max_iter")]


@pytest.fixture
def folds(make_dataset) -> list[Fold]:
    splitter = made.walk_forward(folds=2, fold_sessions=4, min_train_sessions=20)
    return prepared_folds(make_dataset(sessions=30), splitter, made.target(), stopping_sessions=4)


@pytest.mark.parametrize(("learner", "name"), BOOSTED)
def test_the_number_of_trees_has_the_least_error_on_the_stopping_rows(folds, learner, name):
    (fold, _), estimator = folds, learner.unfitted()
    earlier, later = fold.inner

    found = best_trees(estimator, fold)

    def error(trees: int) -> float:
        own = learner.unfitted({name: trees}).fit(fold.train_x[earlier], fold.train_y[earlier])
        return float(np.mean((own.predict(fold.train_x[later]) - fold.train_y[later]) ** 2))

    errors = {trees: error(trees) for trees in range(1, found[name] + 21)}
    assert found == {name: min(errors, key=errors.get)}
    assert found[name] < 200
    assert estimator.get_params()[name] == 200


@pytest.mark.parametrize(("learner", "name"), BOOSTED)
def test_validated_rows_decide_nothing(folds, learner, name):
    fold = folds[0]
    spoilt = replace(fold, validation_x=fold.validation_x * 9, returns=fold.returns * -9)

    assert best_trees(learner.unfitted(), spoilt) == best_trees(learner.unfitted(), fold)


def test_other_learners_and_folds_without_a_stopping_part_are_left_alone(folds):
    assert best_trees(GradientBoostingRegressor(), folds[0]) == {}
    assert best_trees(LIGHT.unfitted(), replace(folds[0], inner=None)) == {}


@pytest.mark.parametrize("pruner", [None, "median"])
def test_what_was_found_is_recorded_fitted_and_replayed(folds, pruner):
    study = optuna.create_study()
    options = {
        "objective": "mae", "n_trials": 6, "batch_size": 4, "seed": 1, "clock": lambda: 0.0,
        "pruner": pruner,
    }  # fmt: skip
    trials, again = [], []

    best = search(study, LIGHT, folds, on_trial=trials.append, **options)
    repeated = search(study, LIGHT, folds, on_trial=again.append, **options)

    per_fold = [best_trees(LIGHT.unfitted(best.params | {"n_estimators": 200}), f) for f in folds]
    trees = [own["n_estimators"] for own in per_fold]
    assert best.params["n_estimators"] == best.trees["n_estimators"] == round(np.median(trees))
    assert [t.params for t in again] == [t.params for t in trials]
    assert repeated.replayed
    np.testing.assert_array_equal(repeated.out_of_fold, best.out_of_fold)
    last = LIGHT.unfitted(best.params | per_fold[-1])
    last.fit(folds[-1].train_x, folds[-1].train_y)
    np.testing.assert_array_equal(
        best.out_of_fold.iloc[-len(folds[-1].returns) :], last.predict(folds[-1].validation_x)
    )
