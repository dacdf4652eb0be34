"""Folds prepared once and shared by all trials of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.learning.dataset import Dataset
from pipeline.learning.models import Target, preparation
from pipeline.learning.splits import WalkForward


@dataclass(frozen=True)
class Fold:
    """Prepared arrays of one train/validation split.

    Attributes
    ----------
    number
        From 0, oldest first.
    train_x, train_y
        Imputed and encoded inputs, and the treated target; both fitted on these rows alone.
    validation_x
        Inputs of the validated rows, by the preparation fitted on the training rows.
    returns
        Untreated returns of the validated rows, index ``schemas.ROW``.
    unit
        Return that one unit of ``train_y`` stands for, see ``Target.unit``.
    train_sessions
        Sessions trained on, after ``max_rows``.
    """

    number: int
    train_x: np.ndarray
    train_y: np.ndarray
    validation_x: np.ndarray
    returns: pd.Series
    unit: float
    train_sessions: pd.DatetimeIndex


def prepared_folds(
    dataset: Dataset, splitter: WalkForward, target: Target, *, max_rows: int | None = None
) -> list[Fold]:
    """Every fold of the splitter, ready to fit.

    Parameters
    ----------
    max_rows
        Cap on the training rows of a fold, kept by whole sessions spread evenly over it.
    """
    splits = splitter.split(dataset.features, groups=dataset.row_sessions)
    return [
        _prepared(number, capped(dataset.rows(train), max_rows), dataset.rows(validation), target)
        for number, (train, validation) in enumerate(splits)
    ]


def validated_returns(folds: Sequence[Fold]) -> pd.Series:
    """Untreated returns of all validated rows, in the order of ``Trial.out_of_fold``."""
    returns: pd.Series = pd.concat([fold.returns for fold in folds])
    return returns


def fold_of_row(folds: Sequence[Fold]) -> np.ndarray:
    """Number of the fold of each row of ``validated_returns``."""
    return np.repeat([fold.number for fold in folds], [len(fold.returns) for fold in folds])


def capped(dataset: Dataset, max_rows: int | None) -> Dataset:
    """At most ``max_rows`` rows: whole sessions, evenly spread, the newest always kept."""
    rows = np.bincount(dataset.session_codes)
    if max_rows is None or rows.sum() <= max_rows:
        return dataset
    for count in range(len(rows) * max_rows // int(rows.sum()), 0, -1):
        chosen = np.linspace(len(rows) - 1, 0, count).round().astype(int)
        if rows[chosen].sum() <= max_rows:
            return dataset.at(dataset.sessions[chosen])
    return dataset.at(dataset.sessions[-1:])


def _prepared(number: int, train: Dataset, validation: Dataset, target: Target) -> Fold:
    prepared = preparation(train.numeric, train.categorical)
    return Fold(
        number=number,
        train_x=prepared.fit_transform(train.features),
        train_y=target.treated(train).to_numpy(),
        validation_x=prepared.transform(validation.features),
        returns=validation.returns,
        unit=target.unit(train),
        train_sessions=train.sessions,
    )
