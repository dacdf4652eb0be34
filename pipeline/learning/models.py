"""From learners to the one scikit-learn pipeline that is scored, logged and served."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.optimize import nnls
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pipeline.errors import InvalidSettings
from pipeline.learning.dataset import Dataset, model_inputs
from pipeline.learning.threads import single_threaded
from pipeline.schemas import SECTOR, SESSION

WEIGHT_SPREAD = 0.25
"""How far a learner's weight is expected to lie from an equal share."""

IMPUTED_AT_ONCE = 30
"""Columns."""

ZERO = "zero_forecast"
"""Name of the ensemble's member that always forecasts 0."""


@dataclass(frozen=True)
class Learner:
    """A base learner: how it is built and what is searched.

    Attributes
    ----------
    build
        Makes an unfitted scikit-learn regressor from keyword parameters.
    initial
        Parameters of the first trial; those outside ``space`` hold for every trial.
    space
        ``{parameter: {"type": "float"|"int"|"categorical", "low", "high", "log", "step",
        "choices"}}``; empty = nothing to search.
    scale
        Whether the learner wants standardised inputs.
    recent_sessions
        Learn from the rows of that many newest sessions only; None: from all given.
    """

    name: str
    build: Callable[..., Any]
    initial: Mapping[str, Any] = field(default_factory=dict)
    space: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scale: bool = False
    recent_sessions: int | None = None

    def __post_init__(self) -> None:
        missing = sorted(set(self.space) - set(self.initial))
        if missing:
            raise InvalidSettings(
                "model",
                f"{self.name}: searched but without initial value: {missing}",
                f"model.learners.{self.name}.initial.<parameter> for each",
            )

    def estimator(self, params: Mapping[str, Any] | None = None, *, seed: int = 0) -> Any:
        """Unfitted estimator with ``initial`` overridden by ``params``."""
        estimator = self.build(**{**self.initial, **(params or {})})
        if "random_state" in estimator.get_params():
            estimator.set_params(random_state=seed)
        if not self.scale:
            return estimator
        return Pipeline([("scale", StandardScaler()), ("learner", estimator)])

    def newest(self, ages: np.ndarray) -> slice:
        """The rows to learn from, of rows from old to new of these ``Dataset.ages``."""
        if self.recent_sessions is None:
            return slice(None)
        return slice(int((ages >= self.recent_sessions).sum()), None)


@dataclass(frozen=True)
class Target:
    """How the open-to-close return is treated before a fit.

    Everything is fitted on the rows given, session by session: nothing has to be stored, and no
    other rows are seen. The common move of the session, of which a window holds only some 40, is
    forecast as 0.

    Attributes
    ----------
    winsorise
        Share of rows clipped at each end, at quantiles pooled over the rows given.
    relative
        ``"none"``; ``"market"``: minus the session's mean; ``"sector"``: minus the session's
        mean in the symbol's sector.
    against
        Numeric columns, such as a beta: of each session only what a least-squares fit on those
        that the dataset has leaves unexplained is kept; see ``missing``.
    ranked
        Take the rank in the session, centred, before and after that. Ranks give every session
        and every size of move the same weight. `unit` leads back to returns.
    """

    winsorise: float = 0.01
    relative: Literal["none", "market", "sector"] = "market"
    against: tuple[str, ...] = ()
    ranked: bool = False

    def scored(self, returns: pd.Series) -> pd.Series:
        """What the model is asked to forecast, unclipped, as a return."""
        return returns if self.relative == "none" else market_relative(returns)

    def treated(self, dataset: Dataset) -> pd.Series:
        """What a learner is fitted on."""
        values = session_ranks(dataset.returns) if self.ranked else dataset.returns
        if self.relative == "market" or self.against:
            values = market_relative(values)
        if self.relative == "sector" or self.against:
            values = self._unexplained(values, dataset)
        if self.ranked:
            return session_ranks(values)
        low, high = values.quantile([self.winsorise, 1 - self.winsorise])
        return values.clip(low, high)

    def missing(self, columns: Collection[str] | pd.Index) -> list[str]:
        """Names of ``against`` that are none of these columns."""
        return [name for name in self.against if name not in columns]

    def unit(self, dataset: Dataset) -> float:
        """Return that one unit of the treated target stands for; 1 where it is a return.

        The ratio of their standard deviations over the rows given.
        """
        if not self.ranked:
            return 1.0
        return float(self.scored(dataset.returns).std() / self.treated(dataset).std())

    def _unexplained(self, values: pd.Series, dataset: Dataset) -> pd.Series:
        sectors = dataset.features[SECTOR].factorize()[0] if self.relative == "sector" else None
        there = [name for name in self.against if name in dataset.features]
        columns = dataset.features[there].to_numpy(dtype="float64")
        left = unexplained(values.to_numpy(), dataset.session_codes, columns, sectors)
        return pd.Series(left, values.index, name=values.name)


def session_ranks(values: pd.Series) -> pd.Series:
    """Rank in the session over the number of rows, centred on 0; ties share their mean rank."""
    sessions = values.groupby(level=SESSION)
    ranks: pd.Series = sessions.rank(pct=True)
    return ranks - (1 + 1 / sessions.transform("size")) / 2


def unexplained(
    values: np.ndarray,
    session_codes: np.ndarray,
    columns: np.ndarray,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """What a least-squares fit in each session leaves of the values.

    Parameters
    ----------
    values
        One a row; rows of a session lie together.
    session_codes
        Session of each row, from 0, ascending.
    columns
        rows x columns explained by; a missing value counts as its session's mean.
    groups
        Group of each row; each has its own intercept. None: one intercept a session.
    """
    left = np.empty(len(values))
    ends = np.flatnonzero(np.diff(session_codes, append=session_codes[-1] + 1)) + 1
    for rows in map(slice, [0, *ends[:-1]], ends):
        known = np.ones((1, rows.stop - rows.start), dtype=bool)
        if groups is not None:
            known = groups[rows] == np.unique(groups[rows])[:, None]
        own = columns[rows]
        missing = np.isnan(own)
        means = np.where(missing, 0.0, own).sum(axis=0) / np.maximum((~missing).sum(axis=0), 1)
        design = np.column_stack([known.T, np.where(missing, 0.0, own - means)])
        fitted, *_ = np.linalg.lstsq(design, values[rows])
        left[rows] = values[rows] - design @ fitted
    return left


def market_relative(values: pd.Series) -> pd.Series:
    """Values minus their session's mean over the rows given."""
    return values - values.groupby(level=SESSION).transform("mean")


def preparation(numeric: Sequence[str], categorical: Sequence[str]) -> ColumnTransformer:
    """Median imputation of numbers, one-hot columns for categories, fitted where it is put.

    Some columns at a time: a median of years of rows sorts a copy of all it is given.
    A category unseen in the fit is a row of zeros, never another category. A column without
    any value becomes 0.
    """
    return ColumnTransformer(
        [
            *(
                (
                    f"numeric_{first}",
                    SimpleImputer(strategy="median", keep_empty_features=True),
                    list(numeric[first : first + IMPUTED_AT_ONCE]),
                )
                for first in range(0, len(numeric), IMPUTED_AT_ONCE)
            ),
            (
                "categorical",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32),
                list(categorical),
            ),
        ],
        sparse_threshold=0.0,
    )


def assemble(
    learners: Mapping[str, Any],
    weights: Mapping[str, float],
    *,
    numeric: Sequence[str],
    categorical: Sequence[str],
) -> Pipeline:
    """Preparation and the weighted sum of the learners.

    A constant-zero member takes what the weights leave of 1 (less than nothing where they are
    more), so that the calibration lives in a pipeline of third-party classes only.

    Parameters
    ----------
    learners
        Unfitted estimators by name.
    weights
        By the same names, see ``member_weights``.
    """
    shares = [float(weights[name]) for name in learners]
    if not (np.isfinite(shares).all() and min(shares, default=0.0) >= 0.0):
        raise ValueError(f"weights are {dict(weights)}, needed are numbers of 0 or more")
    members = [*learners.items(), (ZERO, DummyRegressor(strategy="constant", constant=0.0))]
    return Pipeline(
        [
            ("preparation", preparation(numeric, categorical)),
            ("ensemble", VotingRegressor(members, weights=[*shares, 1.0 - sum(shares)])),
        ]
    )


def fit(
    pipeline: Pipeline, dataset: Dataset, target: Target, learners: Sequence[Learner] = ()
) -> Pipeline:
    """The pipeline, fitted on the treated returns with one thread.

    Parameters
    ----------
    learners
        Those of the pipeline's members that may learn from the newest sessions only; the
        preparation, which they share, sees all rows.
    """
    recent = {own.name: own for own in learners if own.recent_sessions is not None}
    values = target.treated(dataset).to_numpy()
    with single_threaded():
        if recent:
            _fit_one_by_one(pipeline, dataset, values, recent)
        else:
            pipeline.fit(dataset.features, values)
    return pipeline


def _fit_one_by_one(
    pipeline: Pipeline, dataset: Dataset, values: np.ndarray, recent: Mapping[str, Learner]
) -> None:
    """Each member on its own rows; the ensemble then holds them as they are."""
    prepared, ages = pipeline["preparation"].fit_transform(dataset.features), dataset.ages
    members = []
    for name, estimator in pipeline["ensemble"].estimators:
        own = recent[name].newest(ages) if name in recent else slice(None)
        members.append((name, FrozenEstimator(estimator.fit(prepared[own], values[own]))))
    pipeline["ensemble"].set_params(estimators=members).fit(prepared[:1], values[:1])


def predictions(pipeline: Pipeline, features: pd.DataFrame) -> pd.Series:
    """Forecast open-to-close return (a fraction) of every row, known at decision time."""
    with single_threaded():
        values = pipeline.predict(model_inputs(features))
    return pd.Series(values, index=features.index, name="prediction", dtype="float64")


def calibration_slope(returns: pd.Series, predictions: pd.Series, least: float = 0.0) -> float:
    """Slope through the origin of out-of-fold returns on predictions, clipped to [least, 1].

    Mincer and Zarnowitz (1969) without the intercept. ``least`` where the predictions do not
    vary. A ``least`` above 0 keeps the order of forecasts that showed no skill, so that their
    rank IC can still be measured.

    Examples
    --------
    >>> calibration_slope(pd.Series([0.01, -0.02]), pd.Series([0.02, -0.04]))
    0.5
    """
    squares = float((predictions**2).sum())
    if squares == 0.0 or not np.isfinite(squares):
        return least
    slope = float((predictions * returns).sum()) / squares
    return float(np.clip(slope, least, 1.0)) if np.isfinite(slope) else least


def member_weights(
    returns: pd.Series, members: pd.DataFrame, least: float = 0.0
) -> dict[str, float]:
    """Weight of every learner in the forecast, from what they said of rows they had not seen.

    Stacked regression (Breiman 1996): least squares without negative weights, of the returns on
    the learners' out-of-fold predictions. It is drawn toward equal weights that sum to the
    calibration slope of the mean, as by a normal prior of standard deviation ``WEIGHT_SPREAD``
    around each: little evidence leaves equal weights, much of it finds the learner that knows
    more. Each weight that is free costs an R² of one over the number of rows.

    Parameters
    ----------
    members
        Out-of-fold predictions, rows x learners.
    least
        Of the weights' sum, see ``calibration_slope``.

    Examples
    --------
    >>> seen = pd.DataFrame({"knows": [1.0, -1.0] * 500, "does_not": [1.0, 1.0] * 500})
    >>> told = member_weights(0.5 * seen["knows"], seen)
    >>> {name: round(weight, 2) for name, weight in told.items()}
    {'knows': 0.5, 'does_not': 0.0}
    """
    seen = members.to_numpy(dtype="float64")
    slope = calibration_slope(returns, members.mean(axis=1), least)
    equal = np.full(members.shape[1], slope / members.shape[1])
    belief = (float(returns.var()) or 1.0) / WEIGHT_SPREAD**2
    root = np.linalg.cholesky(seen.T @ seen + belief * np.eye(len(equal))).T
    wanted = np.linalg.solve(root.T, seen.T @ returns.to_numpy() + belief * equal)
    weights, _ = nnls(root, wanted)
    weights += max(least - weights.sum(), 0.0) / len(weights)
    return dict(zip(map(str, members), map(float, weights), strict=True))


def equal_weights(members: pd.DataFrame) -> dict[str, float]:
    """The learners' plain mean, as confident as it is."""
    return dict.fromkeys(map(str, members), 1.0 / members.shape[1])


def calibrated(
    returns: pd.Series,
    members: pd.DataFrame,
    fold_of_row: np.ndarray,
    weigh: Callable[[pd.Series, pd.DataFrame], Mapping[str, float]] = member_weights,
) -> pd.Series:
    """Out-of-fold forecasts of the ensemble, each fold by the weights of the *other* folds.

    What ``cv/*`` scores: weights fitted on the rows they are scored on would flatter them.

    Parameters
    ----------
    weigh
        Weights from returns and out-of-fold predictions, such as ``member_weights``.
    """
    parts = []
    for number in np.unique(fold_of_row):
        own = fold_of_row == number
        weights = weigh(returns[~own], members[~own])
        parts.append(members[own] @ pd.Series(weights))
    joined: pd.Series = pd.concat(parts)
    return joined.reindex(members.index).rename("prediction")
