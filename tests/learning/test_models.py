from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators

from pipeline.learning.dataset import Dataset
from pipeline.learning.models import assemble, fit, predictions
from tests.learning import made

TREES = made.learner(made.TREES, "trees", initial={"n_estimators": 5, "max_depth": 3})
RIDGE = made.learner(name="ridge", initial={"alpha": 1.0}, scale=True)
RAW = made.target(winsorise=0.0, relative="none")


def model(dataset: Dataset, trees: float, ridge: float) -> Pipeline:
    members = {learner.name: learner.unfitted(seed=1) for learner in (TREES, RIDGE)}
    columns = {"numeric": dataset.numeric, "categorical": dataset.categorical}
    return assemble(members, {"trees": trees, "ridge": ridge}, **columns)


@pytest.mark.parametrize(("trees", "ridge"), [(0.0, 0.0), (0.5, 0.5), (0.1, 0.3), (0.9, 0.8)])
def test_the_forecast_is_the_weighted_sum_of_the_learners(make_dataset, trees, ridge):
    dataset = make_dataset()
    pipeline = fit(model(dataset, trees, ridge), dataset, RAW)

    prepared = pipeline["preparation"].transform(dataset.features)
    by_trees, by_ridge, nothing = pipeline["ensemble"].transform(prepared).T

    expected = trees * by_trees + ridge * by_ridge
    assert (nothing == 0).all()
    np.testing.assert_allclose(predictions(pipeline, dataset.features), expected, atol=1e-7)


@pytest.mark.parametrize("weight", [-0.1, np.inf, np.nan])
def test_a_weight_that_is_negative_or_no_number_is_refused(make_dataset, weight):
    with pytest.raises(ValueError, match="weights"):
        model(make_dataset(), 0.5, weight)


def test_a_learner_of_recent_sessions_is_fitted_on_those_and_the_others_on_all(make_dataset):
    dataset = make_dataset(sessions=20)
    recent = RIDGE.changed(recent_sessions=5)

    both = fit(model(dataset, 1.0, 1.0), dataset, RAW, [TREES, recent])
    whole = fit(model(dataset, 1.0, 1.0), dataset, RAW)

    prepared = both["preparation"].transform(dataset.features)
    own = dataset.ages < 5
    ridge = RIDGE.unfitted(seed=1).fit(prepared[own], dataset.returns[own])
    by_trees, by_ridge, _ = both["ensemble"].transform(prepared).T
    np.testing.assert_allclose(by_ridge, ridge.predict(prepared), atol=1e-12)
    np.testing.assert_array_equal(by_trees, whole["ensemble"].transform(prepared)[:, 0])


def test_a_model_of_recent_sessions_is_loaded_as_it_was(make_dataset):
    dataset = make_dataset(sessions=20)
    fitted = fit(model(dataset, 0.5, 0.5), dataset, RAW, [RIDGE.changed(recent_sessions=5)])

    again = pickle.loads(pickle.dumps(fitted))

    pd.testing.assert_series_equal(
        predictions(again, dataset.features), predictions(fitted, dataset.features)
    )


def test_the_model_holds_third_party_classes_only(make_dataset):
    pipeline = fit(model(make_dataset(), 0.25, 0.25), make_dataset(), made.target())
    known = {kind for _, kind in all_estimators()}

    parts = [pipeline["preparation"], pipeline["ensemble"], *pipeline["ensemble"].estimators_]

    assert {type(part) for part in parts} <= known | {Pipeline}


def test_an_unseen_category_is_none_of_the_known_ones(make_dataset):
    dataset = make_dataset()
    pipeline = fit(model(dataset, 0.5, 0.5), dataset, RAW)
    rows = dataset.features.iloc[:1]

    encoded = pipeline["preparation"].transform(rows.assign(sector="Space"))

    assert list(encoded[0, 2:]) == [0.0, 0.0]
    assert np.isfinite(predictions(pipeline, rows.assign(sector=None))).all()


def test_one_row_is_forecast_as_it_is_among_others(make_dataset):
    dataset = make_dataset()
    pipeline = fit(model(dataset, 0.5, 0.5), dataset, RAW)

    together = predictions(pipeline, dataset.features)
    alone = pd.concat([predictions(pipeline, dataset.features.iloc[[n]]) for n in range(8)])

    np.testing.assert_allclose(alone, together.iloc[:8], atol=1e-15)


def test_a_column_missing_at_serving_is_an_error(make_dataset):
    dataset = make_dataset()
    pipeline = fit(model(dataset, 0.5, 0.5), dataset, RAW)

    with pytest.raises(ValueError, match="noise"):
        predictions(pipeline, dataset.features.drop(columns="noise"))


def test_a_feature_without_any_value_is_kept_as_zero(make_dataset):
    dataset = make_dataset()
    dataset.features["noise"] = np.float32(np.nan)

    pipeline = fit(model(dataset, 0.5, 0.5), dataset, RAW)

    assert (pipeline["preparation"].transform(dataset.features)[:, 1] == 0).all()


def test_the_same_seed_fits_the_same_model(make_dataset):
    dataset = make_dataset()

    first, second = (
        predictions(fit(model(dataset, 0.25, 0.25), dataset, made.target()), dataset.features)
        for _ in range(2)
    )

    pd.testing.assert_series_equal(first, second, check_exact=True)
