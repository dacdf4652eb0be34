"""Splits as columns and rows of a file tell them: 4, 5:4, "3 for 2", a row "4:1 Stock Split"."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData
from pipeline.io.sources.files.numbers import Numbers

EVENT_CHARACTERS = 200
"""Of a text that may tell of a split; more would be looked at for ever."""

_RATIO = r"(\d+(?:\.\d+)?)\s*(?::|/|for|-for-)\s*(\d+(?:\.\d+)?)"


def ratios(columns: pd.DataFrame, read: Numbers) -> np.ndarray:
    """New shares for one old one by row: of the split column, or of a row that tells an event."""
    ratios = np.full(len(columns), np.nan)
    if "split" in columns:
        ratios = _ratio_of(columns["split"])
    if read.unreadable.any():
        rows = np.flatnonzero(read.unreadable)
        texts = columns.iloc[rows].astype("str").agg(" ".join, axis=1)
        is_split = texts.str.contains("split", case=False)
        ratios[rows] = np.where(is_split, _ratio_of(texts), np.nan)
    return ratios


def _ratio_of(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column.dtype):
        return np.array(column.to_numpy(dtype="float64", na_value=np.nan))
    texts = column.astype("str").str.slice(0, EVENT_CHARACTERS).str.strip()
    parts = texts.str.extract(_RATIO, flags=re.IGNORECASE).astype("float64")
    plain = pd.to_numeric(texts.str.replace(",", ".", regex=False), errors="coerce")
    return np.array(plain.fillna(parts[0] / parts[1]).to_numpy(dtype="float64"))


def check_factor(
    who: str, columns: pd.DataFrame, codes: np.ndarray, *, splits_are_given: bool
) -> None:
    """Refuse a column of factors that change: whether prices have them in already is not stated.

    Parameters
    ----------
    codes
        Place of each row's symbol.
    splits_are_given
        Whether ``data.splits_path`` says what the column may mean.

    Raises
    ------
    InvalidData
        It has several values for one symbol.
    """
    if "factor" not in columns or "split" in columns or splits_are_given:
        return
    values = columns["factor"].groupby(codes, observed=True).nunique()
    if (values < 2).all():
        return
    given = f"{who}: a column of adjustment factors that change, which prices may have in or not"
    needed = (
        "data.columns.split with its name where it holds the new shares for an old one on the day "
        "of a split; or data.splits_path, a table of the splits to apply, without a line where "
        "prices are adjusted"
    )
    raise InvalidData("ingest", given, needed)
