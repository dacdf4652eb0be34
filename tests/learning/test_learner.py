from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.errors import InvalidSettings
from tests.learning import made

TREES = made.learner(made.TREES, "trees", initial={"n_estimators": 5, "max_depth": 3})
RIDGE = made.learner(name="ridge", initial={"alpha": 1.0}, scale=True)


def test_a_trial_overrides_initial_parameters_and_gets_the_seed():
    estimator = TREES.unfitted({"max_depth": 2}, seed=7)

    assert estimator.get_params()["n_estimators"] == 5
    assert estimator.get_params()["max_depth"] == 2
    assert estimator.get_params()["random_state"] == 7


def test_fixed_parameters_of_the_estimator_stay():
    learner = made.learner(made.TREES, fixed={"bootstrap": True}, initial={"n_estimators": 5})

    assert learner.unfitted().get_params()["bootstrap"] is True


def test_trees_grown_by_column_or_by_row_are_the_same_bit_for_bit(make_dataset):
    x = make_dataset().features[["signal", "noise"]].to_numpy()
    y = make_dataset().returns.to_numpy()
    fixed = {"n_jobs": 1, "verbosity": -1, "deterministic": True, "force_row_wise": True}
    drawn = {"n_estimators": 20, "subsample": 0.7, "subsample_freq": 1, "colsample_bytree": 0.5}
    learner = made.learner("lightgbm.LGBMRegressor", fixed=fixed, initial=drawn)

    by_column, by_row = learner.unfitted(seed=3), learner.build(**drawn, random_state=3)

    assert by_column.get_params()["force_col_wise"]
    assert not by_column.get_params()["force_row_wise"]
    assert by_row.get_params()["force_row_wise"]
    np.testing.assert_array_equal(by_column.fit(x, y).predict(x), by_row.fit(x, y).predict(x))


def test_a_scaled_learner_does_not_care_about_units(make_dataset):
    x = make_dataset().features[["signal", "noise"]].to_numpy()
    y = make_dataset().returns.to_numpy()

    plain = RIDGE.unfitted().fit(x, y).predict(x)
    scaled = RIDGE.unfitted().fit(x * [100, 0.01], y).predict(x * [100, 0.01])

    np.testing.assert_allclose(scaled, plain, atol=1e-6)


def test_a_search_begins_inside_its_space_and_every_fault_is_named():
    with pytest.raises(ValidationError) as caught:
        made.learner(
            initial={"alpha": 5.0, "solver": "svd", "max_iter": None},
            space={
                "alpha": {"type": "float", "low": 0.1, "high": 1.0},
                "solver": {"type": "categorical", "choices": ["lsqr"]},
                "max_iter": {"type": "int", "low": 1, "high": 9},
                "tol": {"type": "float", "low": 0, "high": 1},
            },
        )

    for fault in (
        "`initial` lacks tol, which `space` searches",
        "initial alpha 5.0 is outside of its space (type: float, low: 0.1, high: 1.0)",
        "initial solver 'svd' is outside",
        "initial max_iter None is outside",
    ):
        assert fault in str(caught.value)


@pytest.mark.parametrize(
    "dimension",
    [
        {"type": "real", "low": 0, "high": 1},
        {"type": "float", "low": 1, "high": 0},
        {"type": "int", "low": 1},
        {"type": "categorical", "choices": []},
    ],
)
def test_a_dimension_without_bounds_or_choices_is_refused(dimension):
    with pytest.raises(ValidationError, match=r"space\.alpha"):
        made.learner(initial={"alpha": 1}, space={"alpha": dimension})


@pytest.mark.parametrize("path", ["os.system", "sklearnish.Ridge", "subprocess.Popen", ""])
def test_a_class_of_another_library_is_refused_before_it_is_imported(path):
    with pytest.raises(ValidationError, match="must start with lightgbm"):
        made.learner(path)


@pytest.mark.parametrize(
    "path",
    [
        "sklearn.utils.parallel.joblib.externals.loky.backend.context.subprocess.Popen",
        "sklearn._config.os.system",
        "lightgbm.basic.ctypes.CDLL",
        "sklearn.datasets._base.shutil.rmtree",
        "sklearn.base.BaseEstimator",
        "sklearn.base.RegressorMixin",
        "sklearn.linear_model.LogisticRegression",
        "sklearn.linear_model",
        "sklearn.datasets.load_iris",
    ],
)
def test_what_a_library_only_imports_or_does_not_forecast_is_refused(path):
    with pytest.raises(InvalidSettings, match="regressor of scikit-learn or LightGBM"):
        made.learner(path).unfitted()


def test_a_regressor_that_another_library_put_into_a_module_of_scikit_learn_is_refused(monkeypatch):
    import sklearn.linear_model

    class Planted(sklearn.linear_model.Ridge):
        """Its own module is not scikit-learn's."""

    monkeypatch.setattr(sklearn.linear_model, "Planted", Planted, raising=False)
    with pytest.raises(InvalidSettings, match="regressor of scikit-learn or LightGBM"):
        made.learner("sklearn.linear_model.Planted").unfitted()


@pytest.mark.parametrize(
    "path", ["sklearn.linear_model.Rigde", "sklearn.nothing.Ridge", "sklearn."]
)
def test_a_class_that_does_not_exist_is_named(path):
    with pytest.raises(InvalidSettings, match="cannot be imported"):
        made.learner(path).unfitted()


@pytest.mark.parametrize(
    "path",
    [
        "sklearn.utils._testing.subprocess.Popen",
        "sklearn.utils.fixes.platform.os.system",
        "sklearn.externals.joblib.load",
        "lightgbm.basic.ctypes.CDLL",
        "lightgbm.basic.json.loads",
        "sklearn.pipeline.make_pipeline",
        "sklearn.linear_model.LogisticRegression",
        "sklearn.base.RegressorMixin",
        "sklearn.utils._testing",
        "sklearn.linear_model.Ridge.fit",
    ],
)
def test_no_path_below_a_library_reaches_what_it_imports(path: str) -> None:
    with pytest.raises(InvalidSettings):
        made.learner(path).regressor_class()
