"""Digests of months of bars, and runs of neighbouring months."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import pandas as pd

from pipeline.schemas import BAR_FIELDS

FIELDS = (*BAR_FIELDS, "final")


def months(days: pd.DatetimeIndex) -> pd.Index:
    """The month of each day.

    >>> months(pd.DatetimeIndex(["2009-12-31", "2010-01-04"])).tolist()
    ['2009-12', '2010-01']
    """
    return days.strftime("%Y-%m")


def month_runs(days: pd.DatetimeIndex) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """First and last of the days, sorted, in each run of neighbouring months.

    >>> days = pd.DatetimeIndex(["2009-12-30", "2009-12-31", "2010-01-04", "2010-03-01"])
    >>> [f"{first:%m-%d} to {last:%m-%d}" for first, last in month_runs(days)]
    ['12-30 to 01-04', '03-01 to 03-01']
    """
    breaks = np.flatnonzero(np.diff(_numbers(days)) > 1) + 1
    return [(days[a], days[b - 1]) for a, b in pairwise([0, *breaks, len(days)]) if b > a]


def month_digests(bars: pd.DataFrame) -> dict[str, str]:
    """Of each month, over the sessions, symbols and values of its bars, bit for bit.

    Parameters
    ----------
    bars
        Long, sorted, as in a `pipeline.io.sources.Delivery`.
    """
    days, symbols = bars.index.levels  # type: ignore[attr-defined]
    session, symbol = bars.index.codes  # type: ignore[attr-defined]
    words = [hashlib.blake2b(str(word).encode(), digest_size=8).digest() for word in symbols]
    columns = [
        days.to_numpy()[session],
        np.frombuffer(b"".join(words), np.int64)[symbol],
        *(np.ascontiguousarray(bars[field].to_numpy()) for field in FIELDS),
    ]
    numbers = _numbers(days)[session]
    starts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    keys = months(pd.DatetimeIndex(days))[session[starts[:-1]]] if len(numbers) else []
    return {
        str(key): _digest([values[start:end] for values in columns])
        for key, (start, end) in zip(keys, pairwise(starts), strict=False)
    }


def _digest(columns: list[np.ndarray]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for values in columns:
        digest.update(values.tobytes())
    return digest.hexdigest()


def _numbers(days: pd.DatetimeIndex) -> np.ndarray:
    """Months, counted on from year to year."""
    return np.asarray(days.year * 12 + days.month, dtype=np.int64)
