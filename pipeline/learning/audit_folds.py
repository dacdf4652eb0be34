"""Looks for validation rows in what a fold was trained with: by its cuts, and by its fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.leaks import Checked, compared, places_of, together
from pipeline.learning.dataset import Dataset
from pipeline.learning.folds import prepared_folds
from pipeline.learning.splits import Splitter
from pipeline.learning.targets import Target

Pair = tuple[np.ndarray, np.ndarray]
"""Row positions trained on and validated."""

Mask = npt.NDArray[np.bool_]

HOLES = 0.2
"""Share of numbers taken away before a preparation is looked at, so that it has gaps to fill."""

SPOILED_NUMBER, SPOILED_WORD, SPOILED_RETURN = 1e6, "spoiled", 9.0


@dataclass(frozen=True)
class Prepared:
    """What a learner gets of one fold, rows by (session, symbol).

    Attributes
    ----------
    train
        Prepared inputs and the treated target in a column ``target``.
    validation
        Prepared inputs.
    """

    train: pd.DataFrame
    validation: pd.DataFrame


Prepare = Callable[[Dataset, Pair], Prepared]


class _OneFold:
    """A splitter of which one fold is left."""

    def __init__(self, splitter: Splitter, pair: Pair) -> None:
        self._splitter = splitter
        self._pair = pair

    def split(self, *_: object, **__: object) -> Iterator[Pair]:
        yield self._pair

    def __getattr__(self, name: str) -> Any:
        return getattr(self._splitter, name)


def fold_cuts(
    dataset: Dataset, pairs: Sequence[Pair], *, gap_before: int, gap_after: int | None = None
) -> Checked:
    """Whether training and validation lie apart: by rows, whole sessions, order and embargo.

    Parameters
    ----------
    gap_before, gap_after
        Sessions before and after a validated one that are not trained on; None: no later session
        at all is.
    """
    return together(
        _cuts(dataset, f"fold {number}", pair, gap_before, gap_after)
        for number, pair in enumerate(pairs)
    )


def _cuts(
    dataset: Dataset, fold: str, pair: Pair, gap_before: int, gap_after: int | None
) -> Checked:
    codes, rows = dataset.session_codes, dataset.features.index
    trained, validated = (np.isin(np.arange(len(codes)), part) for part in pair)
    first = codes[validated].min()
    rules = {
        "in both parts": trained & validated,
        "session cut": (trained & _torn(codes, trained)) | (validated & _torn(codes, validated)),
        "order": trained & (codes > first) & (gap_after is None),
        "embargo": trained & _near(codes, validated, gap_before, gap_after or 0),
    }
    limit = f"validated from {dataset.sessions[first]:%Y-%m-%d}, embargo {gap_before}"
    left, parts = trained | validated, []
    for rule, holds in rules.items():
        broken = np.flatnonzero(left & holds)
        roles = np.where(trained[broken], "trained on", "validated")
        found = [
            f"{role} {session:%Y-%m-%d}"
            for role, session in zip(roles, dataset.row_sessions[broken], strict=True)
        ]
        parts.append(places_of(f"{fold}: {rule}", rows[broken], found, [limit] * len(broken)))
        left &= ~holds
    return replace(together(parts), count=len(pair[0]) + len(pair[1]), enough=True)


def _near(codes: np.ndarray, validated: Mask, before: int, after: int) -> Mask:
    """Rows of sessions that are so few before or after a validated one."""
    distance = np.arange(codes.max() + 1)[:, None] - np.unique(codes[validated])
    return np.asarray(((distance >= -before) & (distance <= after)).any(axis=1)[codes])


def _torn(codes: np.ndarray, part: Mask) -> Mask:
    """Rows of sessions that are in the part, but not with all of their rows."""
    inside, everywhere = np.bincount(codes, part), np.bincount(codes)
    return np.asarray(((inside > 0) & (inside < everywhere))[codes])


def prepared_fold(
    splitter: Splitter,
    dataset: Dataset,
    pair: Pair,
    *,
    target: Target,
    max_rows: int | None = None,
) -> Prepared:
    """One fold as the search prepares it."""
    one = cast(Splitter, _OneFold(splitter, pair))
    fold = prepared_folds(dataset, one, target, max_rows=max_rows)[0]
    train = dataset.rows(pair[0]).at(fold.train_sessions)
    encoded = fold.train_x.shape[1] - len(dataset.numeric)
    names = [*dataset.numeric, *(f"encoded {k}" for k in range(encoded))]
    inputs = pd.DataFrame(fold.train_x, train.features.index, names)
    validation = pd.DataFrame(fold.validation_x, fold.returns.index, names)
    return Prepared(inputs.assign(target=fold.train_y), validation)


def fitted_inside(
    dataset: Dataset, pairs: Sequence[Pair], prepare: Prepare, *, seed: int
) -> Checked:
    """Whether a fold's fit sees training rows only, and a validated row only earlier ones.

    Each fold is prepared again with everything spoiled that it was not trained on: what it is
    trained with must keep every bit. Then with everything spoiled but its training part and its
    first validated session, whose prepared rows must keep every bit.
    """
    holed = _with_holes(dataset, seed)
    return together(part for pair in pairs for part in _prepared_anew(holed, pair, prepare))


def _prepared_anew(dataset: Dataset, pair: Pair, prepare: Prepare) -> Iterator[Checked]:
    as_it_is = prepare(dataset, pair)
    yield compared(as_it_is.train, prepare(_spoiled_but(dataset, pair[0]), pair).train)
    first = pair[1][dataset.session_codes[pair[1]] == dataset.session_codes[pair[1]].min()]
    served = _spoiled_but(dataset, np.concatenate([pair[0], first]))
    rows = dataset.features.index[first]
    yield compared(as_it_is.validation.loc[rows], prepare(served, pair).validation.loc[rows])


def _with_holes(dataset: Dataset, seed: int) -> Dataset:
    features = dataset.features.copy()
    numbers = features[dataset.numeric]
    gone = np.random.default_rng(seed).random(numbers.shape) < HOLES
    features[dataset.numeric] = numbers.mask(gone)
    return replace(dataset, features=features)


def _spoiled_but(dataset: Dataset, kept: np.ndarray) -> Dataset:
    elsewhere = ~np.isin(np.arange(len(dataset.returns)), kept)
    words = dict.fromkeys(dataset.categorical, SPOILED_WORD)
    spoiled = dict.fromkeys(dataset.numeric, SPOILED_NUMBER) | words
    features = dataset.features.assign(
        **{n: dataset.features[n].mask(elsewhere, value) for n, value in spoiled.items()}
    )
    return replace(
        dataset, features=features, returns=dataset.returns.mask(elsewhere, SPOILED_RETURN)
    )
