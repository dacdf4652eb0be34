"""Tables as CSV that a spreadsheet opens without taking a text for a formula."""

from __future__ import annotations

import pandas as pd

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
"""The wide ones are read as the others where Chinese, Japanese or Korean is written."""


def csv_text(frame: pd.DataFrame, *, index: bool = False) -> str:
    """A frame as CSV; the one way to write a table for people.

    Parameters
    ----------
    frame
        Any columns; a row a line.
    index
        Whether the index is written as well.

    Examples
    --------
    >>> csv_text(pd.DataFrame({"name": ["A", "=HYPERLINK(1)"], "x": [-1.0, 2.0]})).splitlines()
    ['name,x', 'A,-1.0', "'=HYPERLINK(1),2.0"]
    """
    return harmless(frame).to_csv(index=index, lineterminator="\n")


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose texts, names of columns included, are behind an apostrophe if need be.

    Source: OWASP, "CSV Injection".
    """
    texts = frame.select_dtypes(["object", "str", "category"]).columns
    safe = frame.assign(**{name: frame[name].map(_text) for name in texts})
    return safe.rename(columns=_text)


def _text(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
