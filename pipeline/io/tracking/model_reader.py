"""skops as far as reading a model needs it: without the search that it makes when it is imported.

When it is imported, skops lists what it trusts by itself. It imports all of scikit-learn to name
its estimators, and looks every ufunc of SciPy up in every module there is: half of what a command
imports that reads a model. A model holds a dozen types. So reading begins with a short list, all of
which is on skops' own; where a model holds another type, and before one is written, skops' own
list takes its place.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

import numpy as np

NAMES = "skops.io._trusted_types"

ESTIMATORS = (
    "sklearn.compose._column_transformer.ColumnTransformer",
    "sklearn.dummy.DummyRegressor",
    "sklearn.ensemble._forest.ExtraTreesRegressor",
    "sklearn.ensemble._forest.RandomForestRegressor",
    "sklearn.ensemble._gb.GradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
    "sklearn.ensemble._voting.VotingRegressor",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.linear_model._ridge.Ridge",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._encoders.OneHotEncoder",
    "sklearn.tree._classes.DecisionTreeRegressor",
    "sklearn.tree._classes.ExtraTreeRegressor",
)
INTERNAL = (
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
)
"""Types of the models of ``conf/``."""

_short: dict[str, list[Any]] = {}
"""The lists by name, where skops was imported by `skops` and is not complete."""


def skops() -> ModuleType:
    """``skops.io``, which may trust less by itself than it does elsewhere, and never more."""
    if "skops.io" not in sys.modules:
        _short.update(_shortened())
        stand_in = ModuleType(NAMES)
        vars(stand_in).update(_short)
        sys.modules[NAMES] = stand_in
        try:
            importlib.import_module("skops.io")
        finally:
            del sys.modules[NAMES]
    return sys.modules["skops.io"]


def complete() -> ModuleType:
    """``skops.io``, which trusts by itself what it does elsewhere."""
    module = importlib.import_module("skops.io")
    if _short:
        whole = importlib.import_module(NAMES)
        for name, trusted in _short.items():
            trusted[:] = getattr(whole, name)
        _short.clear()
    return module


def _shortened() -> dict[str, list[Any]]:
    dtypes = {f"{kind.__module__}.{kind.__name__}" for kind in np.sctypeDict.values()}
    generators = [
        f"numpy.random.{name}"
        for name, kind in vars(np.random).items()
        if isinstance(kind, type)
        and issubclass(kind, np.random.BitGenerator)
        and kind is not np.random.BitGenerator
    ]
    return {
        "PRIMITIVES_TYPES": [int, float, str, bool],
        "PRIMITIVE_TYPE_NAMES": [f"builtins.{name}" for name in ("int", "float", "str", "bool")],
        "CONTAINER_TYPES": [list, set, map, tuple],
        "CONTAINER_TYPE_NAMES": [f"builtins.{name}" for name in ("list", "set", "map", "tuple")],
        "SKLEARN_ESTIMATOR_TYPE_NAMES": list(ESTIMATORS),
        "SKLEARN_INTERNAL_TYPE_NAMES": list(INTERNAL),
        "SCIPY_UFUNC_TYPE_NAMES": [],
        "NUMPY_UFUNC_TYPE_NAMES": [],
        "NUMPY_RANDOM_BIT_GENERATOR_TYPE_NAMES": sorted(generators),
        "NUMPY_DTYPE_TYPE_NAMES": sorted(name for name in dtypes if name.startswith("numpy")),
    }
