"""Folds of whole sessions: a walk-forward, and combinatorial purged cross-validation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import combinations
from math import comb
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from pipeline.errors import TooFewSessions
from pipeline.values import Count, Value

MAX_FOLDS = 100
"""Fits of one trial above which a combination of groups is a mistake rather than a wish."""

WALK_FORWARD: Literal["pipeline.learning.splits.WalkForward"] = (
    "pipeline.learning.splits.WalkForward"
)
COMBINATORIAL: Literal["pipeline.learning.splits.CombinatorialBySession"] = (
    "pipeline.learning.splits.CombinatorialBySession"
)
"""Class paths as configurations and logged runs name them."""


class Splitter(Value, ABC):
    """Folds of whole sessions, for panels with any number of symbols a session.

    Works as scikit-learn's ``cv=``, with the session of every row as ``groups``.

    Attributes
    ----------
    embargo_sessions
        Sessions left out beside a validated block, against features that remember.
    label_sessions
        Sessions a label reaches over, its own included. Training labels that reach into a
        validated block are purged: ``label_sessions - 1`` sessions, none for a label that ends
        with its own session.
    """

    embargo_sessions: Annotated[int, Field(ge=0)]
    label_sessions: Count

    @property
    def purge_sessions(self) -> int:
        """Sessions whose label reaches into the session after them."""
        return self.label_sessions - 1

    @property
    def gap_sessions(self) -> int:
        """Sessions that keep what is learned from apart from what is predicted after it."""
        return self.embargo_sessions + self.purge_sessions

    @property
    @abstractmethod
    def needed_sessions(self) -> int:
        """Fewest sessions that can be split."""

    @property
    @abstractmethod
    def needs(self) -> str:
        """What ``needed_sessions`` is made of, in words."""

    @abstractmethod
    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Number of folds, whatever the data."""

    @abstractmethod
    def cut(self, sessions: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions (trained on, validated) among so many sessions, fold by fold."""

    def split(
        self, X: object, y: object = None, groups: object = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row positions (train, validation) of each fold; ``groups`` = session of each row.

        Raises
        ------
        TooFewSessions
            Fewer sessions than the folds need.
        ValueError
            Without groups.
        """
        if groups is None:
            raise ValueError(f"{type(self).__name__}.split needs groups: the session of every row")
        sessions, codes = np.unique(np.asarray(groups), return_inverse=True)
        if len(sessions) < self.needed_sessions:
            raise TooFewSessions(
                "folds", f"{len(sessions)} sessions", f"{self.needed_sessions}: {self.needs}"
            )
        for train, validated in self.cut(len(sessions)):
            yield np.flatnonzero(np.isin(codes, train)), np.flatnonzero(np.isin(codes, validated))


class WalkForward(Splitter):
    """Walk-forward folds by session, expanding or rolling.

    The last ``folds * fold_sessions`` sessions are validated, each once and in order. A fold
    trains on what is earlier, but for the embargo and the purge right before its validation.
    Three folds of two sessions with one session of embargo, among twelve sessions::

        train_sessions=None (expanding)     train_sessions=3 (rolling)
        * * * * * . v v                     - - * * * . v v
        * * * * * * * . v v                 - - - - * * * . v v
        * * * * * * * * * . v v             - - - - - - * * * . v v

        * trained on, . embargo or purge, v validated, - not used, time to the right

    Source: Lopez de Prado (2018), Advances in Financial Machine Learning, chapter 7.

    Attributes
    ----------
    train_sessions
        Length of every training part (rolling), or None for everything earlier (expanding).
    min_train_sessions
        Fewest sessions the first fold of an expanding walk-forward trains on.

    Examples
    --------
    >>> splitter = WalkForward(
    ...     folds=2, fold_sessions=1, embargo_sessions=1, label_sessions=1,
    ...     min_train_sessions=1, train_sessions=None,
    ... )
    >>> [(list(a), list(b)) for a, b in splitter.split(range(4), groups=[1, 2, 3, 4])]
    [([np.int64(0)], [np.int64(2)]), ([np.int64(0), np.int64(1)], [np.int64(3)])]
    """

    class_path: Literal["pipeline.learning.splits.WalkForward"] = Field(
        WALK_FORWARD, alias="_target_", repr=False
    )
    folds: Annotated[int, Field(ge=2)]
    fold_sessions: Count
    min_train_sessions: Count
    train_sessions: Count | None

    @property
    def first_train_sessions(self) -> int:
        """Sessions the first fold has to train on."""
        return self.train_sessions or self.min_train_sessions

    @property
    def needed_sessions(self) -> int:
        """Fewest sessions that can be split."""
        return self.first_train_sessions + self.gap_sessions + self.folds * self.fold_sessions

    @property
    def needs(self) -> str:
        """What ``needed_sessions`` is made of, in words."""
        purge = f"{self.purge_sessions} purged, " if self.purge_sessions else ""
        return (
            f"{self.first_train_sessions} to train on, {purge}"
            f"{self.embargo_sessions} embargo, {self.folds} folds of {self.fold_sessions}"
        )

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Number of folds, whatever the data."""
        return self.folds

    def cut(self, sessions: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions (trained on, validated) among so many sessions, fold by fold."""
        first = sessions - self.folds * self.fold_sessions
        for start in range(first, sessions, self.fold_sessions):
            stop = start - self.gap_sessions
            begin = stop - self.train_sessions if self.train_sessions else 0
            yield np.arange(begin, stop), np.arange(start, start + self.fold_sessions)


class CombinatorialBySession(Splitter):
    """Combinatorial purged cross-validation: every choice of some groups of sessions is held out.

    ``groups`` consecutive blocks of sessions, the last one with the remainder; each choice of
    ``test_groups`` of them is validated by a fit on the rest. Training loses the purge on both
    sides of a validated block, and the embargo after it. Every session is validated by
    C(groups - 1, test_groups - 1) folds, so that as many paths through all sessions exist. Most
    fits know sessions later than the validated ones: it tells how much a choice depends on the
    sessions it was made with, not how a forecast would have done. Three groups of four sessions,
    two of them held out, with one session of embargo::

        v v v v v v v v . * * *
        v v v v . * * * v v v v
        * * * * v v v v v v v v

        * trained on, . embargo or purge, v validated, time to the right

    Source: Lopez de Prado (2018), Advances in Financial Machine Learning, chapters 7 and 12.

    Attributes
    ----------
    min_group_sessions
        Fewest sessions a group may hold.

    Examples
    --------
    >>> splitter = CombinatorialBySession(
    ...     groups=3, test_groups=2, embargo_sessions=1, label_sessions=1, min_group_sessions=2
    ... )
    >>> for train, validated in splitter.cut(6):
    ...     print(train.tolist(), validated.tolist())
    [5] [0, 1, 2, 3]
    [3] [0, 1, 4, 5]
    [0, 1] [2, 3, 4, 5]
    """

    class_path: Literal["pipeline.learning.splits.CombinatorialBySession"] = Field(
        COMBINATORIAL, alias="_target_", repr=False
    )
    groups: Annotated[int, Field(ge=3)]
    test_groups: Count
    min_group_sessions: Count

    @model_validator(mode="after")
    def _something_is_trained_on(self) -> Self:
        if self.test_groups >= self.groups:
            raise ValueError(f"test_groups must be less than groups, which is {self.groups}")
        if comb(self.groups, self.test_groups) > MAX_FOLDS:
            raise ValueError(f"{comb(self.groups, self.test_groups)} folds; at most {MAX_FOLDS}")
        return self

    @property
    def group_sessions(self) -> int:
        """Sessions a group needs to keep one between two validated blocks."""
        return max(self.min_group_sessions, 2 * self.purge_sessions + self.embargo_sessions + 1)

    @property
    def needed_sessions(self) -> int:
        """Fewest sessions that can be split."""
        return self.groups * self.group_sessions

    @property
    def needs(self) -> str:
        """What ``needed_sessions`` is made of, in words."""
        return f"{self.groups} groups of {self.group_sessions}"

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Number of folds, whatever the data."""
        return comb(self.groups, self.test_groups)

    def cut(self, sessions: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions (trained on, validated) among so many sessions, fold by fold."""
        group = np.minimum(np.arange(sessions) // (sessions // self.groups), self.groups - 1)
        after = self.purge_sessions + self.embargo_sessions
        for chosen in combinations(range(self.groups), self.test_groups):
            validated = np.isin(group, chosen)
            near = validated.copy()
            for lag in range(1, after + 1):
                near[lag:] |= validated[:-lag]
            for lag in range(1, self.purge_sessions + 1):
                near[:-lag] |= validated[lag:]
            yield np.flatnonzero(~near), np.flatnonzero(validated)


AnySplitter = Annotated[WalkForward | CombinatorialBySession, Field(discriminator="class_path")]
"""A splitter as a configuration names it, by ``_target_``."""
