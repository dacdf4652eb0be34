"""One file of prices as bars: its layout, dates, numbers and symbols read without guessing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData
from pipeline.io.calendar import AMERICAN, timezone
from pipeline.io.providers.dates import Dates, dates
from pipeline.io.providers.layouts import Table, table
from pipeline.io.providers.names import from_file, symbol
from pipeline.io.providers.numbers import numbers
from pipeline.schemas import BAR_FIELDS, STATIC

NUMBERS = (*BAR_FIELDS, "adjusted_close", "split")


@dataclass(frozen=True)
class Reading:
    """How files are to be read; None: only what they prove.

    Attributes
    ----------
    columns
        Column of the file by field.
    day_first
        Whether ``03/02/2021`` is the third of February.
    decimal
        The decimal mark, "." or ",".
    adjust_dividends
        Whether prices are scaled to the adjusted close.
    exchange_calendar
        Whose time zone decides on days, and whether a dot before a letter is a share class.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    day_first: bool | None = None
    decimal: str | None = None
    adjust_dividends: bool = False
    exchange_calendar: str = "XNYS"


@dataclass(frozen=True)
class Prices:
    """What one file holds.

    Attributes
    ----------
    days, codes, numbers
        By row: the day, the place of its symbol in `symbols`, and numbers by the names of
        `NUMBERS`, NaN where the file lacks them.
    symbols
        By place; `described` has their exchange and sector where the file does.
    report
        How the file was read, in words.
    """

    days: np.ndarray
    codes: np.ndarray
    symbols: list[str]
    numbers: dict[str, np.ndarray]
    described: pd.DataFrame
    report: str


def prices(file: Path, reading: Reading, *, is_index: bool) -> Prices:
    """Read one file.

    Parameters
    ----------
    is_index
        Whether all of it is of indices, which may lack volume.

    Raises
    ------
    InvalidData
        Something in it is missing or can be read in two ways; nothing is guessed.
    """
    held = table(file, reading.columns)
    columns = held.columns
    if columns.empty:
        raise InvalidData("ingest", f"{file.name}: a header without rows", "daily bars")
    day = dates(columns["date"], reading.day_first, timezone(reading.exchange_calendar), file.name)
    codes, symbols, how = _symbols(file, held, reading)
    _check_daily(file, day, codes)
    _check_volume(file, columns, is_index or all(name.startswith("^") for name in symbols))
    _check_adjusted(file, columns, reading, is_index)
    written = {name: columns[name] for name in NUMBERS if name in columns}
    values = numbers(written, reading.decimal, file.name)
    lacking = np.full(len(columns), np.nan)
    report = ", ".join(
        [held.layout, f"dates: {day.reading}", *how, *_remarks(day, columns, reading)]
    )
    return Prices(
        day.days,
        codes,
        symbols,
        {name: values.get(name, lacking) for name in NUMBERS},
        _described(columns, codes, symbols),
        report,
    )


def share_class_by_dot(reading: Reading) -> bool:
    """Whether ``BRK.B`` is a share class: elsewhere ``.T`` is an exchange."""
    return reading.exchange_calendar in AMERICAN


def _symbols(file: Path, held: Table, reading: Reading) -> tuple[np.ndarray, list[str], list[str]]:
    """Place of each row's symbol, the symbols, and where they come from if not from a column."""
    by_dot = share_class_by_dot(reading)
    if "symbol" not in held.columns:
        name = symbol(from_file(file), share_class_by_dot=by_dot)
        return np.zeros(len(held.columns), np.intp), [name], ["symbol by the file's name"]
    codes, unique = pd.factorize(held.columns["symbol"])
    written = [str(name) for name in unique]
    empty = int((codes == -1).sum()) + sum(not name.strip() for name in written)
    if empty:
        raise InvalidData("ingest", f"{file.name}: rows without a symbol", "a symbol in each row")
    names = [symbol(name, share_class_by_dot=by_dot) for name in written]
    places, symbols = pd.factorize(np.array(names, dtype=object))
    return places[codes], [str(name) for name in symbols], []


def _check_daily(file: Path, day: Dates, codes: np.ndarray) -> None:
    if not day.has_times:
        return
    rows = pd.Series(1).repeat(len(codes)).groupby([codes, day.days]).sum()
    if rows.median() > 1:
        first = pd.Timestamp(rows.index[0][1])
        found = f"{file.name}: intraday rows, {rows.iloc[0]} on {first:%Y-%m-%d}"
        raise InvalidData("ingest", found, "one row a day: open, high, low, close of the session")


def _check_volume(file: Path, columns: pd.DataFrame, is_index: bool) -> None:
    if "volume" not in columns and not is_index:
        raise InvalidData(
            "ingest",
            f"{file.name}: no column for volume, which only an index may lack",
            "a column volume, or an index given by data.index_path",
            "python -m pipeline.stages.ingest data=files data.path=... data.columns.volume=Vol",
        )


def _check_adjusted(file: Path, columns: pd.DataFrame, reading: Reading, is_index: bool) -> None:
    if reading.adjust_dividends and not is_index and "adjusted_close" not in columns:
        found = f"{file.name}: data.adjust_dividends=true, but there is no adjusted close"
        raise InvalidData("ingest", found, "a column adjusted_close, or adjust_dividends=false")


def _remarks(day: Dates, columns: pd.DataFrame, reading: Reading) -> list[str]:
    remarks = ["times of day dropped"] if day.has_times else []
    if "adjusted_close" in columns and not reading.adjust_dividends:
        remarks.append("adjusted close not used: data.adjust_dividends=false")
    return remarks


def _described(columns: pd.DataFrame, codes: np.ndarray, symbols: list[str]) -> pd.DataFrame:
    """Exchange and sector of each symbol in its last row."""
    _, from_end = np.unique(codes[::-1], return_index=True)
    rows = len(codes) - 1 - from_end
    held = {name: columns[name].iloc[rows].to_numpy() for name in STATIC if name in columns}
    return pd.DataFrame(held, index=pd.Index(symbols, dtype="str")).reindex(columns=list(STATIC))
