"""Looks for validation rows in what a fold was trained with: by its cuts, and by its fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.audit.checks import Check, CheckResult, combine, compare, leaks_at
from pipeline.learning.dataset import Dataset
from pipeline.learning.search.folds import prepared_folds
from pipeline.learning.splits import CombinatorialBySession, Splitter
from pipeline.learning.targets import Target

Pair = tuple[np.ndarray, np.ndarray]
"""Row positions trained on and validated."""

Mask = npt.NDArray[np.bool_]

MISSING_SHARE = 0.2
"""Share of numbers taken away before a preparation is checked, so that it has gaps to fill."""

CORRUPTED_NUMBER, CORRUPTED_WORD, CORRUPTED_RETURN = 1e6, "corrupted", 9.0


@dataclass(frozen=True)
class Gaps:
    """How far training has to stay away from a validated session.

    Attributes
    ----------
    before
        Sessions before a validated one that are not trained on.
    after
        Sessions after it that are not; None: no later session is trained on at all.
    """

    before: int
    after: int | None

    def __str__(self) -> str:
        if self.after is None:
            return f"embargo {self.before}"
        return f"gap {self.before} before and {self.after} after"


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
    """A splitter that yields one of its folds only."""

    def __init__(self, splitter: Splitter, pair: Pair) -> None:
        self._splitter = splitter
        self._pair = pair

    def split(self, *_: object, **__: object) -> Iterator[Pair]:
        yield self._pair

    def __getattr__(self, name: str) -> Any:
        return getattr(self._splitter, name)


def fold_checks(
    dataset: Dataset, splitter: Splitter, *, target: Target, max_rows: int | None, seed: int
) -> dict[str, Check]:
    """Whether folds are cut apart, and whether their preparation sees its training part only.

    Parameters
    ----------
    dataset
        Rows that the splitter cuts into folds.
    max_rows
        Cap on the training rows of a fold, as in the search.

    Raises
    ------
    TooFewSessions
        The dataset has too few for the splitter.
    """
    pairs = list(splitter.split(dataset.features, groups=dataset.row_sessions))
    prepare = partial(prepared_fold, splitter, target=target, max_rows=max_rows)
    return {
        "folds": lambda: fold_cuts(dataset, pairs, required_gaps(splitter)),
        "preparation": lambda: fitted_inside(dataset, pairs, prepare, seed=seed),
    }


def required_gaps(splitter: Splitter) -> Gaps:
    """The gaps that folds of a splitter have to keep.

    A combinatorial fold may train on later sessions, after the purge and the embargo; before a
    validated session it needs the purge alone. Any other splitter has to train on the past alone.
    """
    purge, gap = splitter.purge_sessions, splitter.purge_sessions + splitter.embargo_sessions
    if isinstance(splitter, CombinatorialBySession):
        return Gaps(before=purge, after=gap)
    return Gaps(before=gap, after=None)


def fold_cuts(dataset: Dataset, pairs: Sequence[Pair], gaps: Gaps) -> CheckResult:
    """Whether training and validation lie apart: by rows, whole sessions, order and gaps."""
    return combine(
        _cuts(dataset, f"fold {number}", pair, gaps) for number, pair in enumerate(pairs)
    )


def _cuts(dataset: Dataset, fold: str, pair: Pair, gaps: Gaps) -> CheckResult:
    codes, rows = dataset.session_codes, dataset.features.index
    trained, validated = (np.isin(np.arange(len(codes)), part) for part in pair)
    first = codes[validated].min()
    split = (trained & _in_split_session(codes, trained)) | (
        validated & _in_split_session(codes, validated)
    )
    rules = {
        "in both parts": trained & validated,
        "session cut": split,
        "order": trained & (codes > first) & (gaps.after is None),
        "embargo": trained & _near(codes, validated, gaps),
    }
    limit = f"validated from {dataset.sessions[first]:%Y-%m-%d}, {gaps}"
    unexplained, parts = trained | validated, []
    for rule, holds in rules.items():
        broken = np.flatnonzero(unexplained & holds)
        roles = np.where(trained[broken], "trained on", "validated")
        uses = [
            f"{role} {session:%Y-%m-%d}"
            for role, session in zip(roles, dataset.row_sessions[broken], strict=True)
        ]
        parts.append(leaks_at(f"{fold}: {rule}", rows[broken], uses, [limit] * len(broken)))
        unexplained &= ~holds
    return replace(combine(parts), checked=len(pair[0]) + len(pair[1]), sufficient=True)


def _near(codes: np.ndarray, validated: Mask, gaps: Gaps) -> Mask:
    """Rows of sessions that lie within the gaps of a validated one."""
    distance = np.arange(codes.max() + 1)[:, None] - np.unique(codes[validated])
    within = (distance >= -gaps.before) & (distance <= (gaps.after or 0))
    return np.asarray(within.any(axis=1)[codes])


def _in_split_session(codes: np.ndarray, part: Mask) -> Mask:
    """Rows of sessions of which some rows are in the part and some are not."""
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
) -> CheckResult:
    """Whether a fold's fit sees training rows only, and a validated row only earlier ones.

    Each fold is prepared again with everything corrupted that it was not trained on: what it is
    trained with must keep every bit. Then with everything corrupted but its training part and its
    first validated session, whose prepared rows must keep every bit.
    """
    gapped = _with_missing_values(dataset, seed)
    return combine(part for pair in pairs for part in _prepared_again(gapped, pair, prepare))


def _prepared_again(dataset: Dataset, pair: Pair, prepare: Prepare) -> Iterator[CheckResult]:
    original = prepare(dataset, pair)
    yield compare(original.train, prepare(_corrupted_except(dataset, pair[0]), pair).train)
    first = pair[1][dataset.session_codes[pair[1]] == dataset.session_codes[pair[1]].min()]
    served = _corrupted_except(dataset, np.concatenate([pair[0], first]))
    rows = dataset.features.index[first]
    yield compare(original.validation.loc[rows], prepare(served, pair).validation.loc[rows])


def _with_missing_values(dataset: Dataset, seed: int) -> Dataset:
    features = dataset.features.copy()
    numbers = features[dataset.numeric]
    missing = np.random.default_rng(seed).random(numbers.shape) < MISSING_SHARE
    features[dataset.numeric] = numbers.mask(missing)
    return replace(dataset, features=features)


def _corrupted_except(dataset: Dataset, positions: np.ndarray) -> Dataset:
    elsewhere = ~np.isin(np.arange(len(dataset.returns)), positions)
    words = dict.fromkeys(dataset.categorical, CORRUPTED_WORD)
    corrupted = dict.fromkeys(dataset.numeric, CORRUPTED_NUMBER) | words
    features = dataset.features.assign(
        **{n: dataset.features[n].mask(elsewhere, value) for n, value in corrupted.items()}
    )
    returns = dataset.returns.mask(elsewhere, CORRUPTED_RETURN)
    return replace(dataset, features=features, returns=returns)
