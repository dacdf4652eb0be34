"""Splits as columns and rows of a file tell them: 4, 5:4, "3 for 2", a row "4:1 Stock Split"."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData
from pipeline.io.sources.files.numbers import MISSING, Numbers

EVENT_CHARACTERS = 200
"""Of a text that may tell of a split; more would be looked at for ever."""

_RATIO = r"(\d+(?:\.\d+)?)\s*(?::|/|for|-for-)\s*(\d+(?:\.\d+)?)"


CHANGES = 0.1
"""Share of the rows by which a factor of splits and dividends changes at most."""


def ratios(columns: pd.DataFrame, read: Numbers, who: str) -> np.ndarray:
    """New shares for one old one by row: of the split column, or of a row that tells an event.

    Raises
    ------
    InvalidData
        A text of the split column is no ratio.
    """
    ratios = np.full(len(columns), np.nan)
    if "split" in columns:
        ratios = _ratio_of(columns["split"])
        _check_read(columns["split"], ratios, who)
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
    part = texts.str.extract(r"^(\d+(?:[.,]\d+)?) ?%$")[0].str.replace(",", ".", regex=False)
    more = 1 + part.astype("float64") / 100  # a stock dividend
    plain = pd.to_numeric(texts.str.replace(",", ".", regex=False), errors="coerce").fillna(more)
    return np.array(plain.fillna(parts[0] / parts[1]).to_numpy(dtype="float64"))


def _check_read(column: pd.Series, read: np.ndarray, who: str) -> None:
    texts = column.astype("str").str.strip()
    odd = texts[np.isnan(read) & column.notna().to_numpy() & ~texts.str.lower().isin(MISSING)]
    if len(odd):
        given = f"{who}: {odd.iloc[0][:EVENT_CHARACTERS]!r} in the column of splits is no ratio"
        raise InvalidData("ingest", given, "new shares for an old one: 4, 0.1, 5:4, 25%")


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
    factor = columns["factor"]
    if pd.api.types.is_numeric_dtype(factor.dtype):
        factor = factor.fillna(1.0)  # where nothing is written, nothing changes
    else:
        factor = factor.astype("str").fillna("").str.strip()
    by_symbol = factor.groupby(codes, observed=True)
    several, before = by_symbol.min() != by_symbol.max(), by_symbol.shift()
    changes = (before.notna() & (before != factor)).mean()
    if not several.any() or (changes > CHANGES and len(factor) > 1 / CHANGES):
        return  # none, or something else that is called alike
    given = f"{who}: a column of adjustment factors that change, which prices may have in or not"
    needed = (
        "data.columns.split with its name where it holds the new shares for an old one on the day "
        "of a split; or data.splits_path, a table of the splits to apply, without a line where "
        "prices are adjusted"
    )
    raise InvalidData("ingest", given, needed)
