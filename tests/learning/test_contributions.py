"""The parts of a forecast add up to it, whatever the learners."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMRegressor
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.learning.contributions import contributions
from pipeline.learning.drivers import BASE, OTHER
from pipeline.learning.models import assemble, predictions


def rows(count: int = 300) -> tuple[pd.DataFrame, pd.Series]:
    draw = np.random.default_rng(5)
    index = pd.MultiIndex.from_product(
        [pd.bdate_range("2020-01-01", periods=count // 10), [f"S{n}" for n in range(10)]],
        names=["session", "symbol"],
    )
    features = pd.DataFrame(draw.normal(size=(count, 3)), index, ["a", "b", "idle"], "float32")
    features.iloc[::17, 0] = np.nan
    features["sector"] = pd.array(draw.choice(["Energy", "Utilities"], count), "str")
    returns = 0.01 * features["a"].fillna(0.0) + 0.005 * (features["sector"] == "Energy")
    return features, returns + draw.normal(0.0, 0.01, count)


LEARNERS = {
    "ridge": lambda: Pipeline([("scale", StandardScaler()), ("learner", Ridge(1.0))]),
    "lightgbm": lambda: LGBMRegressor(n_estimators=20, verbose=-1, random_state=1),
    "trees": lambda: ExtraTreesRegressor(5, random_state=1),
}


@pytest.mark.parametrize("names", [["ridge"], ["lightgbm"], ["ridge", "lightgbm"], [*LEARNERS]])
def test_the_parts_add_up_to_the_forecast(names: list[str]) -> None:
    features, returns = rows()
    model = assemble(
        {name: LEARNERS[name]() for name in names},
        {name: 0.3 / place for place, name in enumerate(names, 1)},
        numeric=["a", "b", "idle"], categorical=["sector"],
    ).fit(features, returns)  # fmt: skip
    parts = contributions(model, features)
    assert list(parts) == [BASE, "a", "b", "idle", "sector", OTHER]
    forecasts = predictions(model, features)
    assert np.abs(parts.sum(axis=1) - forecasts).max() < 1e-12
    assert bool((parts[OTHER] == 0.0).all()) is ("trees" not in names)
