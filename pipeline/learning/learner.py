"""A base learner: which estimator it is, where its search begins and what it searches.

Nothing here imports scikit-learn or LightGBM before an estimator is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from pipeline.errors import InvalidSettings
from pipeline.values import Count, Value

CLASS = "_target_"
"""Key of an estimator's class path, as Hydra calls it."""

LIBRARIES = ("lightgbm.", "sklearn.")


class Parameter(Value):
    """One dimension of a search space.

    Attributes
    ----------
    low, high
        Bounds of a number, both included.
    step, log
        Distance between the values of a number, and whether it is drawn on a logarithmic scale.
    choices
        The values of a categorical parameter.
    """

    type: Literal["float", "int", "categorical"]
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False
    choices: tuple[Any, ...] | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.type == "categorical" and not self.choices:
            raise ValueError("a categorical parameter needs `choices`")
        if self.type != "categorical" and (
            self.low is None or self.high is None or self.low > self.high
        ):
            raise ValueError("a numeric parameter needs `low` <= `high`")
        return self

    def holds(self, value: Any) -> bool:
        """Whether a value lies in this dimension."""
        if self.choices:
            return value in self.choices
        if self.low is None or self.high is None or isinstance(value, bool):
            return False
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        """The dimension as it is written in a configuration."""
        given = {name: value for name, value in self if name in self.model_fields_set}
        return ", ".join(f"{name}: {value}" for name, value in given.items())


class Learner(Value):
    """A base learner: how it is built and what is searched.

    Attributes
    ----------
    name
        Its key among the model's learners.
    estimator
        ``_target_``, the path of a scikit-learn or LightGBM regressor, and its parameters that
        hold for every trial.
    initial
        Parameters of the first trial; those outside ``space`` hold for every trial.
    space
        Dimensions that are searched; empty: nothing to search.
    scale
        Whether the learner wants standardised inputs.
    recent_sessions
        Learn from the rows of that many newest sessions only; None: from all given.

    Raises
    ------
    pydantic.ValidationError
        A class of another library, or a dimension without an initial value inside it.
    """

    name: str = Field(exclude=True)
    estimator: Mapping[str, Any]
    initial: Mapping[str, Any]
    space: Mapping[str, Parameter]
    scale: bool
    recent_sessions: Count | None

    @field_validator("estimator")
    @classmethod
    def _is_of_a_known_library(cls, estimator: Mapping[str, Any]) -> Mapping[str, Any]:
        path = str(estimator.get(CLASS, ""))
        if not path.startswith(LIBRARIES):
            raise ValueError(f"{CLASS} {path!r} must start with {' or '.join(LIBRARIES)}")
        return estimator

    @model_validator(mode="after")
    def _search_begins_inside_its_space(self) -> Self:
        missing = sorted(set(self.space) - set(self.initial))
        faults = (
            [f"`initial` lacks {', '.join(missing)}, which `space` searches"] if missing else []
        )
        faults += [
            f"initial {name} {self.initial[name]!r} is outside of its space ({dimension})"
            for name, dimension in self.space.items()
            if name in self.initial and not dimension.holds(self.initial[name])
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def regressor_class(self) -> type[Any]:
        """The class that the estimator's path names.

        Raises
        ------
        InvalidSettings
            There is no such class, or it is no regressor of scikit-learn or LightGBM.
        """
        return _regressor_class(str(self.estimator[CLASS]))

    def build(self, **params: Any) -> Any:
        """Unfitted regressor with these parameters beside the fixed ones."""
        fixed = {name: value for name, value in self.estimator.items() if name != CLASS}
        return self.regressor_class()(**fixed, **params)

    def unfitted(self, params: Mapping[str, Any] | None = None, *, seed: int = 0) -> Any:
        """Unfitted estimator with ``initial`` overridden by ``params``.

        LightGBM adds its histograms up column by column, whatever ``force_row_wise`` says: with
        one thread these are the same numbers in the same order, and many columns take a quarter
        less time.
        """
        regressor = self.build(**{**self.initial, **(params or {})})
        known = regressor.get_params()
        if "random_state" in known:
            regressor.set_params(random_state=seed)
        if known.get("force_row_wise") and known["n_jobs"] == 1:
            regressor.set_params(force_row_wise=False, force_col_wise=True)
        if not self.scale:
            return regressor
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        return Pipeline([("scale", StandardScaler()), ("learner", regressor)])

    def newest(self, ages: np.ndarray) -> slice:
        """The rows to learn from, of rows from old to new of these ``Dataset.ages``."""
        if self.recent_sessions is None:
            return slice(None)
        return slice(int((ages >= self.recent_sessions).sum()), None)


def _regressor_class(path: str) -> type[Any]:
    """The class at a path, judged by what it is: modules hold what they import, too."""
    try:
        resolved = resolve_name(path)
    except (ImportError, ValueError, AttributeError) as error:
        message = f"{CLASS} {path!r} cannot be imported: {error}"
        raise InvalidSettings("model", message, "an existing class") from None
    from sklearn.base import BaseEstimator, RegressorMixin

    is_regressor = (
        isinstance(resolved, type)
        and issubclass(resolved, RegressorMixin)
        and issubclass(resolved, BaseEstimator)
        and resolved.__module__.startswith(LIBRARIES)
    )
    if not is_regressor:
        raise InvalidSettings(
            "model", f"{CLASS} {path!r}", "a regressor of scikit-learn or LightGBM"
        )
    return resolved
