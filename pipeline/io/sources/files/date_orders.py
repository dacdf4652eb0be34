"""Which of the three numbers of a date is its day, its month and its year."""

from __future__ import annotations

import pandas as pd

from pipeline.commands import Command
from pipeline.errors import InvalidData
from pipeline.io.sources.files.numbers import Undecided

SHORT = {"%d-%m-%y": True, "%m-%d-%y": False, "%y-%m-%d": None}
"""Orders of numbers of two digits, and whether they say that the day stands before the month."""

_WORDS = {"%d-%m-%y": "day first", "%m-%d-%y": "month first", "%y-%m-%d": "year first"}
MAX_UNREADABLE = 0.1
DAYS_APART = 7
"""Between neighbouring bars, in the median; dates read in a wrong order lie months apart."""

Order = tuple[str, str, bool | None]
"""Form, how it was found in words, whether the day is proven to be first."""


def of_long(texts: pd.Series, day_first: bool | None, who: str) -> Order:
    """Which of the two numbers before a year of four digits is the day.

    Parameters
    ----------
    texts
        Such as ``03-02-2021``.
    day_first
        As config or the other files of the folder say; None: they do not.

    Raises
    ------
    Undecided
        Nothing proves it.
    InvalidData
        Both are proven.
    """
    numbers = texts.str.extract(r"(\d+)-(\d+)-").astype("int64")
    proofs = {True: texts[numbers[0] > 12], False: texts[numbers[1] > 12]}
    proven = [first for first, proof in proofs.items() if len(proof)]
    if len(proven) == 2 or (proven and day_first not in (None, proven[0])):
        shown = " and ".join(repr(proofs[first].iloc[0]) for first in proven)
        value = str(day_first).lower()
        also = "" if day_first is None else f" although data.day_first={value}"
        order = "day" if proven[0] else "month"
        given = f"{who}: dates with the {order} first, {shown}{also}"
        raise InvalidData("ingest", given, "one order of day and month in all of the file")
    if not proven and day_first is None:
        raise _undecided(texts.iloc[0], ("%d-%m-%Y", "%m-%d-%Y"), who)
    first = proven[0] if proven else bool(day_first)
    how = f"proven by {proofs[first].iloc[0]}" if proven else "as data.day_first or the folder says"
    form, word = ("%d-%m-%Y", "day") if first else ("%m-%d-%Y", "month")
    return form, f"{word} first, {how}", proven[0] if proven else None


def of_short(texts: pd.Series, day_first: bool | None, who: str) -> Order:
    """The order of three numbers of two digits.

    An order has to make a date of each of them; of several that do, the one whose dates lie as
    close together as daily bars do.

    Parameters
    ----------
    texts
        Unique ones such as ``11-06-23``; `day_first` as in `of_long`.

    Raises
    ------
    Undecided
        Nothing proves it.
    InvalidData
        No order makes dates of them.
    """
    read = {form: pd.to_datetime(texts, format=form, errors="coerce") for form in SHORT}
    fits = [form for form, days in read.items() if days.isna().mean() <= MAX_UNREADABLE]
    if not fits:
        needed = "one order of day, month and year in all of the file"
        raise InvalidData("ingest", f"{who}: {texts.iloc[0]!r} is no date that can be read", needed)
    how = "the only order that makes dates of all"
    stated = [form for form in fits if SHORT[form] is not None and SHORT[form] == day_first]
    if len(fits) > 1 and stated:
        fits, how = stated, "as data.day_first or the folder says"
    if len(fits) > 1:
        close = [form for form in fits if _apart(read[form]) <= DAYS_APART]
        fits, how = close or fits, "the only order that makes daily bars"
    if len(fits) > 1:
        raise _undecided(texts.iloc[0], fits, who)
    return fits[0], f"year of two digits, {_WORDS[fits[0]]}, {how}", SHORT[fits[0]]


def _apart(days: pd.Series) -> float:
    """Days between neighbours, in the median."""
    return float(days.dropna().sort_values().diff().dt.days.median())


def _undecided(text: str, forms: tuple[str, ...] | list[str], who: str) -> Undecided:
    days = dict.fromkeys(f"{pd.to_datetime(text, format=form):%Y-%m-%d}" for form in forms)
    return Undecided(
        "ingest", f"{who}: {text!r} is {' or '.join(days)}; no date in the file proves which",
        "which of the numbers is the day",
        Command("ingest", "data=files", "data.path=...", "data.day_first=true"),
    )  # fmt: skip
