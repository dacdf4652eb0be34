"""No forecast rises with a symbol's own open: trees are told, a ridge leaves such columns out."""

from __future__ import annotations

import numpy as np
import pytest
from lightgbm import LGBMRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.errors import InvalidSettings
from pipeline.learning.falling import constrained, falling_columns, fitted_falling

RNG = np.random.default_rng(2)
X = RNG.normal(size=(800, 4))
Y = X[:, 0] + 0.8 * X[:, 1] - X[:, 2] + 0.1 * RNG.normal(size=800)
"""Rises with the columns 0 and 1."""


def test_indicated_columns_are_the_falling_ones() -> None:
    assert falling_columns(["a", "indicated_gap", "b", "indicated_over_market"]) == (1, 3)


def test_a_ridge_has_no_rising_column_and_keeps_the_others() -> None:
    linear = Pipeline([("scale", StandardScaler()), ("learner", Ridge(alpha=1.0))])
    before = X.copy()
    fitted = fitted_falling(linear, X, Y, (1, 2))
    signs = np.sign(fitted["learner"].coef_)
    assert signs.tolist()[:3] == [1.0, 0.0, -1.0]
    np.testing.assert_array_equal(X, before)
    free = Pipeline([("scale", StandardScaler()), ("learner", Ridge(alpha=1.0))]).fit(X, Y)
    assert free["learner"].coef_[1] > 0.5


@pytest.mark.parametrize("column", [1, 2])
def test_trees_never_rise_with_it(column: int) -> None:
    trees = LGBMRegressor(n_estimators=40, min_child_samples=5, verbosity=-1, n_jobs=1)
    fitted = fitted_falling(trees, X, Y, (1, 2))
    rows = np.repeat(X[:50], 30, axis=0)
    rows[:, column] = np.tile(np.linspace(-3, 3, 30), 50)
    along = fitted.predict(rows).reshape(50, 30)
    assert (np.diff(along, axis=1) <= 1e-12).all()


def test_without_such_columns_nothing_changes() -> None:
    plain, same = Ridge().fit(X, Y), fitted_falling(Ridge(), X, Y, ())
    np.testing.assert_array_equal(plain.coef_, same.coef_)
    assert constrained(LGBMRegressor(), 4, ()).get_params().get("monotone_constraints") is None


def test_a_learner_that_cannot_be_kept_from_it_is_refused() -> None:
    neighbours = KNeighborsRegressor()
    with pytest.raises(InvalidSettings, match="own open"):
        fitted_falling(neighbours, X, Y, (1,))
