"""Numbers that people write: thousands separators, decimal commas, currency signs, 36.87M.

A text is read only where its separators can mean one thing. ``1.998`` alone may be a thousand or
two; ``22.615,43`` or ``1.234.567`` elsewhere settles it: in the same file, else in its folder, else
``data.decimal``. Between the two lies nothing: what stays unclear is refused with both readings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.commands import Command, override
from pipeline.errors import Fault, InvalidData
from pipeline.io.sources.files.currencies import BEFORE, BEHIND

MISSING = (
    "", "-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "*", "?", "nan", "null", "none",
    "nil", "n/a", "na", "n.a.", "n.a", "n/d", "nd", "<na>", "nat", "void", "missing", "n/m", "nm",
    "nr", "k.a.", "n.v.", "b.d.", "s/d", "s/c", "н/д", "\\n", "-null", "undefined", "@na", "@n/a",
    "1.#qnan", "1.#ind", "-1.#ind", "1.#inf", "-1.#inf", "notavailable", "nodata", "无", "無", "ー",
    "該当なし", "해당없음",
)  # fmt: skip
"""Without spaces, in lower case; so is all that begins with "#", as Excel and Bloomberg say it."""

SUFFIXES = {
    "K": 1e3, "M": 1e6, "MN": 1e6, "MLN": 1e6, "MIO": 1e6, "B": 1e9, "BN": 1e9, "MRD": 1e9,
    "T": 1e12, "TN": 1e12, "TSD": 1e3, "TYS": 1e3, "THOU": 1e3, "THOUSAND": 1e3, "MILLION": 1e6,
    "MILLIONS": 1e6, "BILLION": 1e9, "MLD": 1e9, "MDS": 1e9, "L": 1e5, "LAC": 1e5, "LACS": 1e5,
    "LAKH": 1e5, "LAKHS": 1e5, "CR": 1e7, "CRORE": 1e7, "CRORES": 1e7, "ТЫС": 1e3, "МЛН": 1e6,
    "МЛРД": 1e9, "千": 1e3, "천": 1e3, "万": 1e4, "萬": 1e4, "만": 1e4, "百万": 1e6, "百萬": 1e6,
    "亿": 1e8, "億": 1e8, "억": 1e8, "BILLIONS": 1e9,
}  # fmt: skip
"""In either case; not ``MM`` and ``mil``, which are a thousand to some and a million to others."""

QUOTED = ("B", "L", "M", "T")
"""Behind a price such a letter says that it is a bid, the last one, a mid or an estimate."""

MAX_UNREADABLE = 0.1
"""Share of a column's texts that may be no numbers before the whole file is refused."""

MAX_WORDS = 0.5
"""The same of words without any digit, such as "halted", which are no misread number."""

FEW = 5
"""Volumes from which on all their decimals say something."""

_GROUPS = r"(?<=\d)[\s_'\u2019]+(?=(?:\d\d[\s_'\u2019]+)*\d{3}(?!\d))"
"""Between thousands or lakhs alone: ``101'16`` and ``40 12`` are not 10116 and 4012."""

_SUFFIX = rf"(?:{'|'.join(sorted(SUFFIXES, key=len, reverse=True))})"
_PLAIN = r"[+-]?[\d.,]*\d[\d.,]*(?:[eE][+-]?\d+)?"


class Undecided(InvalidData):
    """A file can be read in two ways, and nothing in it says which."""


@dataclass(frozen=True)
class Marks:
    """Texts that prove a decimal point, and a decimal comma; None where there is none."""

    point: str | None
    comma: str | None

    @property
    def proven(self) -> str | None:
        """The decimal mark where exactly one is proven."""
        if (self.point is None) == (self.comma is None):
            return None
        return "." if self.comma is None else ","


@dataclass(frozen=True)
class Numbers:
    """Columns as float64, NaN where they lack a value.

    Attributes
    ----------
    unreadable
        By row, whether one of its texts is no number.
    example
        One of those texts; empty where there is none.
    marks
        What the file proves about its decimal mark.
    """

    by_column: dict[str, np.ndarray]
    unreadable: np.ndarray
    example: str
    marks: Marks


def numbers(
    columns: Mapping[str, pd.Series], decimal: str | None, who: str, in_folder: Marks | None = None
) -> Numbers:
    """Read the columns of one file.

    Parameters
    ----------
    columns
        Numeric, or text.
    decimal
        The decimal mark, "." or ",", as config says; None: what the file or its folder proves.
    who
        The file, for messages.
    in_folder
        What the other files of its folder prove.

    Raises
    ------
    Undecided
        The decimal mark is not known; both readings are shown.
    InvalidData
        Two marks are proven, or another one than config says; or hardly a text is a number.
    """
    size = len(next(iter(columns.values()))) if columns else 0
    unreadable = np.zeros(size, dtype=bool)
    texts = {name: _bare(c) for name, c in columns.items() if not _is_numeric(c)}
    if not texts:
        values = {name: _floats(column) for name, column in columns.items()}
        return Numbers(values, unreadable, "", _marks([], columns.values()))
    _check_money({name: columns[name] for name in texts}, who)
    marks = _marks(texts.values(), [c for c in columns.values() if _is_numeric(c)])
    mark = _decimal_mark(texts, marks, decimal, in_folder, who)
    values, example = {}, ""
    for name, column in columns.items():
        if name not in texts:
            values[name] = _floats(column)
            continue
        values[name], wrong = _parsed(texts[name], mark, is_price=name != "volume")
        if wrong.any():
            example = example or f"{texts[name][wrong].iloc[0]!r} in column {name}"
            _check_share(wrong, texts[name], name, who)
            unreadable |= wrong.to_numpy()
    return Numbers(values, unreadable, example, marks)


def check_counts(volume: np.ndarray, decimal: str | None, who: str) -> None:
    """Refuse volumes that are all below a thousand with three decimals: a point may group them.

    Parameters
    ----------
    volume
        As read with a decimal point.
    decimal
        As config says it; then it is no question.

    Raises
    ------
    InvalidData
        303.531 may be 303,531 shares.
    """
    some = volume[np.isfinite(volume) & (volume > 0)]
    if decimal is not None or len(some) < FEW or some.max() >= 1000:
        return
    thousandths = 1000 * some
    are_whole = np.abs(thousandths - np.round(thousandths)) < 1e-6
    if are_whole.all() and (np.round(thousandths) % 10 != 0).mean() > 0.5:
        given = f"{who}: volume {some[0]:.3f} is {some[0]:,.3f} or {thousandths[0]:,.0f}"
        needed = "volumes without points; or data.decimal=. where they are fractions"
        raise InvalidData("ingest", given, needed)


def proves_point(tokens: Iterable[str]) -> bool:
    """Whether one of these texts can only have been written with a decimal point."""
    pattern = re.compile(_proof_of("."))
    return any(pattern.fullmatch(token.strip()) for token in tokens)


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) or bool(column.isna().all())


def _floats(column: pd.Series) -> np.ndarray:
    return np.asarray(column.to_numpy(dtype="float64", na_value=np.nan))


def _bare(column: pd.Series) -> pd.Series:
    """Texts without spaces, quotes and currencies; None where they say that nothing is there."""
    codes, unique = pd.factorize(column)
    texts = pd.Series(np.asarray(unique)).astype("str")
    if not texts.str.isascii().all():
        texts = texts.str.normalize("NFKC")
    texts = texts.str.replace(r"^\s*=(?=\")", "", regex=True).str.strip(" \t'\"\u2019")
    texts = texts.str.replace(_GROUPS, "", regex=True)
    texts = texts.str.replace(r"(?<!\d)[\s_]+|[\s_]+(?!\d)", "", regex=True)
    texts = texts.str.replace(r"(?<=\d)(?i:shares|shs|pcs|szt|stk|stück|st)\.?$", "", regex=True)
    texts = texts.str.replace(BEFORE, r"\1", regex=True).str.replace(BEHIND, "", regex=True)
    texts = texts.str.replace(r"^\((.+)\)$", r"-\1", regex=True)  # as accountants write it
    texts = texts.mask(texts.str.lower().isin(MISSING) | texts.str.startswith("#"))
    return pd.Series(texts.array.take(codes, allow_fill=True), column.index)


def _check_money(columns: Mapping[str, pd.Series], who: str) -> None:
    """Refuse prices of which each says its currency, where they say several."""
    money: dict[str, str] = {}
    for name in set(columns) - {"volume", "split"}:
        texts = pd.Series(columns[name].dropna().unique()).astype("str").str.strip()
        for pattern, group in ((BEFORE, 1), (BEHIND, 0)):
            codes = texts.str.replace(r"\s", "", regex=True).str.extract(pattern)[group].dropna()
            money |= {text.strip(".").upper(): text for text in codes.unique()}
    if len(money) > 1:
        given = f"{who}: prices in {' and in '.join(sorted(money.values()))}"
        faults = [Fault(code, f"prices as {text}") for code, text in sorted(money.items())]
        raise InvalidData("ingest", given, "one currency in a file", faults=faults)


def _marks(texts: Iterable[pd.Series], numeric: Iterable[pd.Series]) -> Marks:
    texts = list(texts)
    written = _separated(texts) if texts else pd.Series(dtype="str")
    point, comma = (_first(written, _proof_of(mark)) for mark in (".", ","))
    if point is None and any(bool((np.nan_to_num(_floats(c)) % 1 != 0).any()) for c in numeric):
        point = "another column"
    return Marks(point, comma)


def _separated(texts: Iterable[pd.Series]) -> pd.Series:
    """Every text with a point or a comma once, without its suffix."""
    written = pd.concat([text.dropna() for text in texts]).drop_duplicates()
    written = written.str.replace(rf"(?:%|(?i:{_SUFFIX}))?[.股주株]?$", "", regex=True)
    written = written[written.str.contains("[.,]", regex=True)]
    return written[written.str.fullmatch(_PLAIN)].drop_duplicates()


def _decimal_mark(
    texts: Mapping[str, pd.Series],
    marks: Marks,
    decimal: str | None,
    in_folder: Marks | None,
    who: str,
) -> str:
    if marks.point is not None and marks.comma is not None:
        given = f"{who}: {marks.point!r} has a decimal point, {marks.comma!r} a decimal comma"
        raise InvalidData("ingest", given, "one decimal mark in a file")
    if decimal is not None:
        if marks.proven not in (None, decimal):
            proof = marks.comma if decimal == "." else marks.point
            given = f"{who}: data.decimal={decimal!r}, but {proof} can only be read otherwise"
            raise InvalidData("ingest", given, "the decimal mark of this file")
        return decimal
    settled = marks.proven or (in_folder.proven if in_folder else None)
    if settled is not None:
        return settled
    unclear = _separated(texts.values())
    if unclear.empty:
        return "."
    text = unclear.iloc[0]
    both = re.sub("[.,]", "", text), text.replace(",", ".")
    raise Undecided(
        "ingest", f"{who}: {text!r} is {both[0]} or {both[1]}",
        "the decimal mark of these files: data.decimal=. or data.decimal=,",
        Command("ingest", "data=files", "data.path=...", override("data.decimal", ",")),
    )  # fmt: skip


def _proof_of(mark: str) -> str:
    """What can only be written by someone whose decimal mark this is."""
    one, other = (r"\.", ",") if mark == "." else (",", r"\.")
    # Groups of three, or of two before the last three, as lakh and crore are written.
    grouped = rf"\d{{1,3}}(?:{other}\d{{3}})+|\d{{1,2}}(?:{other}\d{{2}})*{other}\d{{3}}"
    both = rf"(?:{grouped}){one}\d*"
    many_groups = rf"\d{{1,3}}(?:{other}\d{{3}}){{2,}}|\d{{1,2}}(?:{other}\d{{2}})+{other}\d{{3}}"
    few = "0" if mark == "." else "1"  # "280," is a number that was cut
    not_three_digits = rf"\d+{one}(?:\d{{{few},2}}|\d{{4,}})"
    not_a_thousand = rf"(?:0\d*|\d{{4,}}){one}\d*|{one}\d+"
    scientific = rf"\d+{one}\d+[eE][+-]?\d+"
    return rf"[+-]?(?:{both}|{many_groups}|{not_three_digits}|{not_a_thousand}|{scientific})"


def _first(written: pd.Series, pattern: str) -> str | None:
    hits = written[written.str.fullmatch(pattern)]
    return None if hits.empty else str(hits.iloc[0])


def _parsed(texts: pd.Series, mark: str, *, is_price: bool) -> tuple[np.ndarray, pd.Series]:
    """Values, and which of the texts are no numbers."""
    parts = texts.str.extract(rf"^(?P<plain>{_PLAIN})(?P<suffix>%|(?i:{_SUFFIX}))?[.股주株]?$")
    thousands = "," if mark == "." else "."
    plain = parts["plain"].mask(parts["plain"].str.endswith(thousands, na=False))  # cut
    plain = plain.str.replace(thousands, "", regex=False)
    values = pd.to_numeric(plain.str.replace(mark, ".", regex=False), errors="coerce")
    suffix = parts["suffix"].str.upper()
    factor = suffix.map(SUFFIXES).astype("float64").fillna(1.0)
    factor = factor.mask(suffix.isin(QUOTED) & is_price)
    read = values.to_numpy(dtype="float64", na_value=np.nan) * factor.to_numpy()
    return np.asarray(read), texts.notna() & np.isnan(read)


def _check_share(wrong: pd.Series, texts: pd.Series, name: str, who: str) -> None:
    odd, size = texts[wrong], int(texts.notna().sum())
    count, digits = len(odd), int(odd.str.contains(r"\d", regex=True).sum())
    too_many = (digits > MAX_UNREADABLE * size and digits > 1) or count > MAX_WORDS * size
    if too_many or count == size:
        given = f"{who}: {odd.iloc[0]!r} in column {name} is no number ({count} rows)"
        raise InvalidData("ingest", given, "numbers, or nothing where a value is missing")
