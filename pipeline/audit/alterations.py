"""Datasets in which no honest forecast keeps its skill: labels or symbols exchanged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.learning.dataset import Dataset
from pipeline.schemas import SYMBOL


def permuted(dataset: Dataset, random: np.random.Generator) -> Dataset:
    """Returns permuted among the rows of each session."""
    order = np.lexsort((random.random(len(dataset.returns)), dataset.session_codes))
    returns = pd.Series(dataset.returns.to_numpy()[order], dataset.returns.index)
    return replace(dataset, returns=returns)


def shifted(dataset: Dataset, sessions: int) -> Dataset:
    """Every row with its symbol's return of so many sessions before.

    Rows whose symbol has no return there are left out.
    """
    wide = dataset.returns.unstack(SYMBOL).shift(sessions)
    returns = pd.Series(wide.stack()).reindex(dataset.returns.index).dropna()
    return replace(dataset, features=dataset.features.loc[returns.index], returns=returns)


def with_other_symbols(dataset: Dataset, seed: int) -> Dataset:
    """Every row with the features of one other symbol, the same one in all sessions."""
    names = np.random.default_rng(seed).permutation(dataset.features.index.unique(SYMBOL))
    owners = dict(zip(names, np.roll(names, 1), strict=True))
    features = dataset.features.rename(index=owners, level=SYMBOL)
    rows = dataset.returns.index.intersection(features.index)
    return replace(dataset, features=features.loc[rows], returns=dataset.returns.loc[rows])
