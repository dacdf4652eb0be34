"""Whose prices a file holds: by its column of symbols, else by its name."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData
from pipeline.io.calendar import AMERICAN
from pipeline.io.sources.files.columns import say
from pipeline.io.sources.files.dates import Dates
from pipeline.io.sources.files.documents import Document
from pipeline.io.sources.files.layouts import Table
from pipeline.io.sources.files.symbols import from_file, symbol
from pipeline.io.sources.settings import FilesData

_CODES = re.compile(
    r"code|ticker|symbol|instrument|secid|security|asset|isin|cusip|sedol|figi|permno|gvkey"
    r"|\bs?id\b|\bric\b|kod|代码|代碼|コード|코드|код",
    re.IGNORECASE,
)
"""What a column of symbols may be called: it is named first in a message, never chosen."""

_SYMBOL = r"['\"=]*[A-Za-z0-9][A-Za-z0-9.&\- ]{0,15}['\"]*"
_NUMBERED = r"[A-Z]{2}[A-Z0-9]{9}\d|\d{7,}"  # an ISIN or the number of some data base

MAX_WITHOUT = 0.1
"""Share of the rows that may lack a symbol: they are left out."""


def share_class_by_dot(how: FilesData) -> bool:
    """Whether ``BRK.B`` is a share class: elsewhere ``.T`` is an exchange."""
    return how.exchange_calendar in AMERICAN


def symbols_of(
    document: Document, read: Table, day: Dates, how: FilesData
) -> tuple[np.ndarray, list[str], list[str]]:
    """Place of each row's symbol, the symbols, and where they come from if not from a column.

    Raises
    ------
    InvalidData
        More than a tenth of the rows lack a symbol; or there is no column of symbols, and the
        file's name holds none, contradicts its column of codes, or most days have several rows.
    """
    by_dot = share_class_by_dot(how)
    if "symbol" not in read.columns:
        _check_one_symbol(document, read, day)
        name = symbol(_of_file(document, read), share_class_by_dot=by_dot)
        return np.zeros(len(read.columns), np.intp), [name], ["symbol by the file's name"]
    codes, unique = pd.factorize(read.columns["symbol"])
    written = [str(name) for name in unique]
    written += [""] if (codes == -1).any() else []
    names = [symbol(name, share_class_by_dot=by_dot) for name in written]
    places, symbols = pd.factorize(np.array(names, dtype=object))
    codes = places[codes]
    if np.isin(codes, np.flatnonzero(symbols == "")).mean() > MAX_WITHOUT:
        found = f"{document.name}: rows without a symbol"
        raise InvalidData("ingest", found, "a symbol in each row")
    return codes, [str(name) for name in symbols], []


def _of_file(document: Document, read: Table) -> str:
    """The symbol in the file's name, which a column of codes does not contradict.

    Raises
    ------
    InvalidData
        There is none, or the column has another one; it is named.
    """
    codes = set(read.columns["code"].dropna().astype("str")) if "code" in read.columns else set()
    code = codes.pop() if len(codes) == 1 else ""
    is_symbol = re.fullmatch(_SYMBOL, code) and not re.fullmatch(_NUMBERED, code)
    name, why = "", None
    try:
        name = from_file(document.file_name, *document.folders)
    except InvalidData as error:
        why = error
    if is_symbol and not (name and _agree(name, code)):
        says = f"its name says {name}" if name else "its name holds no symbol"
        found = f"{document.name}: {says}, its column {read.code_column} {code}"
        needed = f"the file named by its symbol, or data.columns.symbol={read.code_column}"
        raise InvalidData("ingest", found, needed, say("symbol", read.code_column))
    if why is not None:
        raise why
    return name


def _agree(name: str, code: str) -> bool:
    """Whether one is the other but for an exchange or marks: 600001 and sh.600001."""
    one, other = (re.split(r"[^A-Z0-9&]+", text.upper().strip("'=\"")) for text in (name, code))
    short, long = sorted(("".join(one), "".join(other)), key=len)
    return "".join(one) in other or "".join(other) in one or (len(short) > 2 and short in long)


def _check_one_symbol(document: Document, read: Table, day: Dates) -> None:
    """Refuse several rows a day without a known column of symbols, naming one that may hold them.

    Raises
    ------
    InvalidData
        Most days have several rows.
    """
    rows = pd.Series(day.days).value_counts()
    others = [*([read.code_column] if read.code_column else []), *read.other_columns]
    if rows.median() < 2 or not others or day.has_times:
        return
    may_be = sorted(
        (name for name in others if name.strip() and not name.startswith("__index")),
        key=lambda name: (name.startswith("index"), not _CODES.search(name)),
    )
    shown = ", ".join(may_be[:6])
    needed = f"the column that holds the symbols, by data.columns.symbol; it may be: {shown}"
    several = f"{rows.iloc[0]} rows of {rows.index[0]:%Y-%m-%d} and no column of symbols"
    raise InvalidData("ingest", f"{document.name}: {several}", needed, say("symbol", may_be[0]))
