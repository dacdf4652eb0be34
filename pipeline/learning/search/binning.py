"""LightGBM's bins of a fold, made once for the trials that share them: the same forecasts sooner.

Binning twelve thousand rows of 150 columns takes as long as growing a hundred small trees on them.
Parameters that only steer growth leave the bins as they are. One of those touches them after all:
columns that no split could part into two leaves of ``min_child_samples`` rows are left out before
columns are drawn for each tree. The more rows a leaf needs, the more columns are left out; so
between two values that leave out the same ones, all do, and the bins of the lower one serve.
Between others LightGBM decides, about the few columns in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np

MIN_ROWS = "min_child_samples"
GROWTH = frozenset(
    {
        "n_estimators", "learning_rate", "num_leaves", "max_depth", MIN_ROWS,
        "colsample_bytree", "subsample", "subsample_freq", "reg_alpha", "reg_lambda",
        "min_split_gain", "min_child_weight",
    }
)  # fmt: skip
"""Parameters that leave bins as they are; any other may change them."""

ONLY_OF_THE_WRAPPER = ("n_estimators", "importance_type", "class_weight")

MAX_RECENT, MAX_BYTES = 12, 2**26
"""Binned copies of a fold at a time: so many, in so many bytes (one a value); two at least."""

HALVED = 4
"""Times that a copy is tried to be made for half as many rows a leaf, which serves more trials."""

PREFIX = "Column_"

MAX_DOUBTFUL = 0.5
"""Part of the columns up to which asking for them alone is cheaper than binning all."""


def can_share(estimator: Any) -> bool:
    """Whether an estimator grows trees on bins that `Bins` can keep."""
    return (
        type(estimator).__name__ == "LGBMRegressor"
        and estimator.n_jobs == 1
        and estimator.class_weight is None
        and estimator.objective in (None, "regression")
    )


@dataclass(frozen=True)
class _Binned:
    """A binned copy, made for so many rows a leaf, and the columns it has left."""

    dataset: Any
    other_parameters: str
    columns: frozenset[int]
    min_rows: int

    def has(self, other_parameters: str, columns: frozenset[int]) -> bool:
        """Whether it is one of these parameters with these columns left."""
        return (self.other_parameters, self.columns) == (other_parameters, columns)


@dataclass
class Bins:
    """The bins of one fold's training rows; safe between threads.

    Attributes
    ----------
    x, y
        Rows x inputs, and the target of each row.
    """

    x: np.ndarray
    y: np.ndarray
    _recent: list[_Binned] = field(default_factory=list)
    _known: dict[str, dict[int, frozenset[int]]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def forecasts(self, estimator: Any, inputs: np.ndarray) -> np.ndarray:
        """What the estimator would forecast of these inputs, fitted on the fold's rows.

        Equal to its own ``fit`` and ``predict`` to the last bit.
        """
        import lightgbm

        params = {k: v for k, v in estimator.get_params().items() if k not in ONLY_OF_THE_WRAPPER}
        params |= {"objective": "regression", "metric": "None"}
        dataset = self._binned(params)
        booster = lightgbm.train(
            params, dataset, estimator.n_estimators, keep_training_booster=True
        )
        return np.asarray(booster.predict(inputs, num_threads=1))

    def _binned(self, params: Mapping[str, Any]) -> Any:
        """The bins for these parameters: those of earlier ones, if they are the same."""
        other = repr(sorted((k, v) for k, v in params.items() if k not in GROWTH))
        min_rows = int(params[MIN_ROWS])
        with self._lock:
            known_columns = self._columns(params, other, min_rows)
            new = [self._made(params, other, min_rows)] if known_columns is None else []
            columns = new[0].columns if known_columns is None else known_columns
            same = [bins for bins in (*self._recent, *new) if bins.has(other, columns)]
            binned = min(same, key=lambda bins: bins.min_rows, default=None)
            # LightGBM takes lower ones, not higher
            if binned is None or binned.min_rows > min_rows:
                binned = self._made(params, other, self._lowest(params, other, columns))
            rest = [bins for bins in self._recent if not bins.has(other, columns)]
            count = max(min(MAX_RECENT, MAX_BYTES // self.x.size), 2)
            self._recent = [*rest, binned][-count:]  # the one used last stays longest
            return binned.dataset

    def _lowest(self, params: Mapping[str, Any], other: str, columns: frozenset[int]) -> int:
        """A low number of rows a leaf that leaves the same columns."""
        lowest = min(value for value, left in self._known[other].items() if left == columns)
        for _ in range(HALVED):
            if lowest < 2 or self._columns(params, other, lowest // 2) != columns:
                break
            lowest //= 2
        return lowest

    def _columns(
        self, params: Mapping[str, Any], other: str, min_rows: int
    ) -> frozenset[int] | None:
        """Which columns LightGBM would leave; None where only binning all of them tells.

        Those left for more rows a leaf are, and those gone for fewer are not: LightGBM decides
        about the others alone.
        """
        every, none = frozenset(range(self.x.shape[1])), frozenset[int]()
        too_many = len(self.y) // 2 + len(self.y) // 100 + 2  # no column has two such leaves
        known = self._known.setdefault(other, {0: every, too_many: none})
        below = known[max(value for value in known if value <= min_rows)]
        above = known[min((value for value in known if value >= min_rows), default=too_many)]
        if below == above:
            return below
        doubtful = sorted(below - above)
        if len(doubtful) > MAX_DOUBTFUL * len(every):
            return None
        names = [_name(column) for column in doubtful]
        probe = _dataset(self.x[:, doubtful], self.y, {**params, MIN_ROWS: min_rows}, names)
        known[min_rows] = above | _left(probe)
        return known[min_rows]

    def _made(self, params: Mapping[str, Any], other: str, min_rows: int) -> _Binned:
        names = [_name(column) for column in range(self.x.shape[1])]
        dataset = _dataset(self.x, self.y, {**params, MIN_ROWS: min_rows}, names)
        self._known[other][min_rows] = columns = _left(dataset)
        return _Binned(dataset, other, columns, min_rows)


def _dataset(x: np.ndarray, y: np.ndarray, params: Mapping[str, Any], names: list[str]) -> Any:
    import lightgbm

    return lightgbm.Dataset(x, y, params=dict(params), feature_name=names).construct()


def _left(dataset: Any) -> frozenset[int]:
    """The columns that LightGBM left in it."""
    import lightgbm

    quiet = {"verbosity": -1, "num_threads": 1, "force_col_wise": True}
    untrained = lightgbm.Booster(quiet, dataset).dump_model(num_iteration=1)
    return frozenset(int(name.removeprefix(PREFIX)) for name in untrained["feature_infos"])


def _name(column: int) -> str:
    return f"{PREFIX}{column}"
