"""What a learner is fitted on: the open-to-close return, treated session by session."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal, TypeVar

import numpy as np
import pandas as pd
from pydantic import Field

from pipeline.learning.dataset import Dataset
from pipeline.schemas import SECTOR, SESSION
from pipeline.values import Value

Rows = TypeVar("Rows", pd.Series, pd.DataFrame)


class Target(Value):
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
    neutralise
        Numeric columns, such as a beta: of each session only what a least-squares fit on those
        that the dataset has leaves unexplained is kept; see ``missing``.
    ranked
        Take the rank in the session, centred, before and after that. Ranks give every session
        and every size of move the same weight. `unit` leads back to returns.
    """

    winsorise: Annotated[float, Field(ge=0, lt=0.5)]
    relative: Literal["none", "market", "sector"]
    neutralise: tuple[str, ...]
    ranked: bool

    def scored(self, returns: pd.Series) -> pd.Series:
        """What the model is to forecast, unclipped, as a return."""
        return returns if self.relative == "none" else market_relative(returns)

    def treated(self, dataset: Dataset) -> pd.Series:
        """What a learner is fitted on."""
        values = session_ranks(dataset.returns) if self.ranked else dataset.returns
        if self.relative == "market" or self.neutralise:
            values = market_relative(values)
        if self.relative == "sector" or self.neutralise:
            values = self._unexplained(values, dataset)
        if self.ranked:
            return session_ranks(values)
        low, high = values.quantile([self.winsorise, 1 - self.winsorise])
        return values.clip(low, high)

    def missing(self, columns: Collection[str] | pd.Index) -> list[str]:
        """Names of ``neutralise`` that are none of these columns."""
        return [name for name in self.neutralise if name not in columns]

    def unit(self, dataset: Dataset) -> float:
        """Return that one unit of the treated target stands for; 1 where it is a return.

        The ratio of their standard deviations over the rows given.
        """
        if not self.ranked:
            return 1.0
        return float(self.scored(dataset.returns).std() / self.treated(dataset).std())

    def _unexplained(self, values: pd.Series, dataset: Dataset) -> pd.Series:
        sectors = dataset.features[SECTOR].factorize()[0] if self.relative == "sector" else None
        there = [name for name in self.neutralise if name in dataset.features]
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
        explaining = columns[rows]
        missing = np.isnan(explaining)
        means = np.where(missing, 0.0, explaining).sum(axis=0) / np.maximum(
            (~missing).sum(axis=0), 1
        )
        design = np.column_stack([known.T, np.where(missing, 0.0, explaining - means)])
        fitted, *_ = np.linalg.lstsq(design, values[rows])
        left[rows] = values[rows] - design @ fitted
    return left


def market_relative(values: Rows) -> Rows:
    """Values minus their session's mean over the rows given, column by column.

    Parameters
    ----------
    values
        By (session, symbol), such as returns; of labels known after the session's close.

    Returns
    -------
    Series or DataFrame
        As given: on the same rows and in the same unit.
    """
    return values - values.groupby(level=SESSION).transform("mean")
