"""Folds prepared once and shared by all trials of a search, and what they validate joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.errors import TooFewSessions
from pipeline.learning.dataset import Dataset
from pipeline.learning.falling import falling_columns
from pipeline.learning.models import preparation
from pipeline.learning.search.reuse import Reused
from pipeline.learning.splits import Splitter
from pipeline.learning.targets import Target
from pipeline.schemas import SESSION

FITTED_TO_STOPPING = 3
"""An inner stopping part may be at most a third of the sessions fitted before it."""


@dataclass(frozen=True)
class Fold:
    """Prepared arrays of one train/validation split.

    Attributes
    ----------
    number
        From 0, in the splitter's order.
    train_x, train_y
        Imputed and encoded inputs, and the treated target; both fitted on these rows alone.
    validation_x
        Inputs of the validated rows, by the preparation fitted on the training rows.
    returns
        Untreated returns of the validated rows, index ``schemas.ROW``.
    rows
        Positions of the validated rows in the dataset.
    unit
        Return that one unit of ``train_y`` stands for, see ``Target.unit``.
    train_sessions
        Sessions trained on, after ``max_rows``.
    train_ages
        How many sessions each training row lies before the newest one, of all before the cap.
    inner
        Training rows to fit on and later ones to stop boosting on, whole sessions with the
        splitter's gap between; None without early stopping.
    falling
        Positions of the columns that no forecast may rise with.
    reused
        What trials share of it; a changed copy of the fold begins with nothing.
    """

    number: int
    train_x: np.ndarray
    train_y: np.ndarray
    validation_x: np.ndarray
    returns: pd.Series
    rows: np.ndarray
    unit: float
    train_sessions: pd.DatetimeIndex
    train_ages: np.ndarray
    inner: tuple[np.ndarray, np.ndarray] | None = None
    falling: tuple[int, ...] = ()
    reused: Reused = field(default_factory=Reused, init=False, repr=False, compare=False)


def prepared_folds(
    dataset: Dataset,
    splitter: Splitter,
    target: Target,
    *,
    max_rows: int | None = None,
    stopping_sessions: int | None = None,
) -> list[Fold]:
    """Every fold of the splitter, ready to fit.

    Parameters
    ----------
    max_rows
        Cap on the training rows of a fold, kept by whole sessions spread evenly over it.
    stopping_sessions
        Newest training sessions of a fold that tell boosted trees when to stop.

    Raises
    ------
    TooFewSessions
        For the splitter, or for ``stopping_sessions`` in some fold.
    """
    gap = splitter.embargo_sessions + splitter.purge_sessions
    folds = []
    for number, (rows, validated) in enumerate(
        splitter.split(dataset.features, groups=dataset.row_sessions)
    ):
        rows, ages = _capped(rows, dataset.session_codes[rows], max_rows)
        train, validation = dataset.rows(rows), dataset.rows(validated)
        prepared = preparation(train.numeric, train.categorical)
        folds.append(
            Fold(
                number=number,
                train_x=prepared.fit_transform(train.features),
                train_y=target.treated(train).to_numpy(),
                validation_x=prepared.transform(validation.features),
                returns=validation.returns,
                rows=validated,
                unit=target.unit(train),
                train_sessions=train.sessions,
                train_ages=ages,
                inner=_inner(number, train, stopping_sessions, gap) if stopping_sessions else None,
                falling=falling_columns(train.numeric),
            )
        )
    return folds


def joined(folds: Sequence[Fold], parts: Sequence[pd.Series]) -> pd.Series:
    """One prediction a validated row, oldest first: the mean over the folds that validated it.

    Walk-forward folds validate a row once and keep their bits. Combinatorial ones validate it
    once a path: the mean over paths is what the mean of their fits would have forecast.
    """
    whole = pd.concat(parts)
    first, place = _places(folds)
    if len(first) == len(whole):
        return whole
    means = np.bincount(place, weights=whole.to_numpy()) / np.bincount(place)
    return pd.Series(means, whole.index[first], name=whole.name)


def joined_sessions(parts: Sequence[pd.Series]) -> pd.Series:
    """One value a validated session, oldest first: the mean over the folds that validated it."""
    whole = pd.concat(parts)
    means: pd.Series = whole if whole.index.is_unique else whole.groupby(level=0).mean()
    return means


def validated_returns(folds: Sequence[Fold]) -> pd.Series:
    """Untreated returns of all validated rows, in the order of ``Trial.out_of_fold``."""
    returns: pd.Series = pd.concat([fold.returns for fold in folds])
    return returns.iloc[_places(folds)[0]]


def fold_of_row(folds: Sequence[Fold]) -> np.ndarray:
    """Number of the validated block of each row of ``validated_returns``, oldest first.

    A block are the sessions that the same folds validated: the fold's own in a walk-forward, a
    group in combinatorial ones.
    """
    by_number = {fold.number: pd.Series(1, fold.returns.index.unique(SESSION)) for fold in folds}
    validated_by = pd.DataFrame(by_number).sort_index().notna()
    codes, _ = pd.factorize(pd.MultiIndex.from_frame(validated_by))
    sessions = validated_returns(folds).index.get_level_values(SESSION)
    return np.asarray(codes[validated_by.index.get_indexer(sessions)])


def capped(dataset: Dataset, max_rows: int | None) -> Dataset:
    """At most ``max_rows`` rows: whole sessions, evenly spread, the newest always kept."""
    rows = np.bincount(dataset.session_codes)
    if max_rows is None or rows.sum() <= max_rows:
        return dataset
    return dataset.at(dataset.sessions[_spread(rows, max_rows)])


def _capped(
    rows: np.ndarray, codes: np.ndarray, max_rows: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Those of these rows that a cap keeps, and their sessions' ages among all of them.

    Chosen by their sessions' codes: years of rows are not copied to throw most of them away.
    """
    sessions, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    ages = len(sessions) - 1 - places
    if max_rows is None or len(rows) <= max_rows:
        return rows, ages
    drawn = np.isin(places, _spread(counts, max_rows))
    return rows[drawn], ages[drawn]


def _spread(rows: np.ndarray, max_rows: int) -> np.ndarray:
    """Positions of sessions with these rows, evenly spread, the newest first, within a cap."""
    for count in range(len(rows) * max_rows // int(rows.sum()), 0, -1):
        chosen = np.linspace(len(rows) - 1, 0, count).round().astype(int)
        if rows[chosen].sum() <= max_rows:
            return chosen
    return np.array([len(rows) - 1])


def _places(folds: Sequence[Fold]) -> tuple[np.ndarray, np.ndarray]:
    """Where each distinct validated row comes first, and the distinct row of every row."""
    rows = np.concatenate([fold.rows for fold in folds])
    _, first, place = np.unique(rows, return_index=True, return_inverse=True)
    return first, place


def _inner(
    number: int, train: Dataset, stopping_sessions: int, gap: int
) -> tuple[np.ndarray, np.ndarray]:
    count = len(train.sessions)
    needed = (1 + FITTED_TO_STOPPING) * stopping_sessions + gap
    if count < needed:
        raise TooFewSessions(
            "early stopping",
            f"fold {number} trains on {count} sessions, after hpo.max_rows",
            f"{needed}: the newest {stopping_sessions} to stop on, {FITTED_TO_STOPPING} times as "
            f"many to fit on, {gap} between; longer folds, or hpo.early_stopping_sessions=null",
        )
    codes = train.session_codes
    stop = count - stopping_sessions
    return np.flatnonzero(codes < stop - gap), np.flatnonzero(codes >= stop)
