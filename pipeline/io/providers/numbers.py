"""Numbers that people write: thousands separators, decimal commas, currency signs, 36.87M.

A text column is read only where its separators can mean one thing. ``1,234`` alone may be a
thousand or one and a bit; ``22,615.43`` or ``1,234,567`` elsewhere in the same file settles it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData

MISSING = ("", "-", "--", "nan", "null", "none", "n/a", "na", "#n/a")
SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_PLAIN = r"[+-]?[\d.,]*\d[\d.,]*(?:[eE][+-]?\d+)?"


def numbers(
    columns: Mapping[str, pd.Series], decimal: str | None, who: str
) -> dict[str, np.ndarray]:
    """Each column as float64; what is missing is NaN.

    Parameters
    ----------
    columns
        Columns of one file: numeric, or text.
    decimal
        The decimal mark, "." or ","; None: what the file proves.
    who
        The file, for messages.

    Raises
    ------
    InvalidData
        A text is no number, or may be two; both readings are shown.
    """
    texts = {name: _bare(c) for name, c in columns.items() if not _is_numeric(c)}
    if not texts:
        return {name: _floats(column) for name, column in columns.items()}
    mark = decimal or _decimal_mark(texts, _proves_point(columns.values()), who)
    return {
        name: _parsed(texts[name], mark, name, who) if name in texts else _floats(column)
        for name, column in columns.items()
    }


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) or bool(column.isna().all())


def _floats(column: pd.Series) -> np.ndarray:
    return np.asarray(column.to_numpy(dtype="float64", na_value=np.nan))


def _proves_point(columns: Iterable[pd.Series]) -> bool:
    floats = [_floats(c) for c in columns if _is_numeric(c)]
    return any(bool((np.nan_to_num(values) % 1 != 0).any()) for values in floats)


def _bare(column: pd.Series) -> pd.Series:
    texts = column.astype("str").str.replace(r"[\s$€£'_]", "", regex=True)
    return texts.mask(texts.str.lower().isin(MISSING))


def _decimal_mark(texts: Mapping[str, pd.Series], point: bool, who: str) -> str:
    written = pd.concat(list(texts.values())).dropna().str.rstrip("KMBT%")
    written = written[written.str.contains("[.,]", regex=True)].drop_duplicates()
    proofs = {".": _first(written, _proof_of(".")), ",": _first(written, _proof_of(","))}
    if point and proofs["."] is None:
        proofs["."] = "another column"
    proven = [mark for mark, proof in proofs.items() if proof is not None]
    if len(proven) > 1:
        found = f"{who}: {proofs['.']!r} has a decimal point, {proofs[',']!r} a decimal comma"
        raise InvalidData("ingest", found, "one decimal mark in a file", _next("decimal='.'"))
    unclear = written[written.str.contains(",", regex=False)]
    if not proven and len(unclear):
        text = unclear.iloc[0]
        found = f"{who}: {text!r} is {text.replace(',', '')} or {text.replace(',', '.')}"
        raise InvalidData("ingest", found, "the decimal mark", _next("decimal='.'"))
    return proven[0] if proven else "."


def _proof_of(mark: str) -> str:
    """What can only be written by someone whose decimal mark this is."""
    one, other = (r"\.", ",") if mark == "." else (",", r"\.")
    both = rf"[+-]?\d{{1,3}}(?:{other}\d{{3}})+{one}\d+"
    many_thousands = rf"[+-]?\d{{1,3}}(?:{other}\d{{3}}){{2,}}"
    not_three_digits = rf"[+-]?\d+{one}(?:\d{{0,2}}|\d{{4,}})"
    not_a_thousand = rf"[+-]?(?:0|\d{{4,}}){one}\d*"
    return rf"(?:{both}|{many_thousands}|{not_three_digits}|{not_a_thousand})"


def _first(written: pd.Series, pattern: str) -> str | None:
    hits = written[written.str.fullmatch(pattern)]
    return None if hits.empty else str(hits.iloc[0])


def _parsed(texts: pd.Series, mark: str, name: str, who: str) -> np.ndarray:
    factor = texts.str[-1].map(SUFFIXES).astype("float64").fillna(1.0)
    plain = texts.str.rstrip("".join(SUFFIXES)).str.rstrip("%")
    wrong = plain.notna() & ~plain.str.fullmatch(_PLAIN).fillna(False).astype(bool)
    if wrong.any():
        found = f"{who}: {texts[wrong].iloc[0]!r} in column {name} is no number"
        needed = "numbers, or nothing where a value is missing"
        raise InvalidData("ingest", f"{found} ({int(wrong.sum())} rows)", needed)
    thousands = "," if mark == "." else "."
    plain = plain.str.replace(thousands, "", regex=False).str.replace(mark, ".", regex=False)
    values = pd.to_numeric(plain, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    return np.asarray(values * factor.to_numpy())


def _next(setting: str) -> str:
    return f'python -m pipeline.stages.ingest data=files data.path=... "data.{setting}"'
