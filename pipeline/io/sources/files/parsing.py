"""One file of prices as bars: its layout, dates, numbers and symbols read without guessing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.errors import Fault, InvalidData
from pipeline.io.calendar import timezone
from pipeline.io.sources.files.columns import plain, say
from pipeline.io.sources.files.dates import Dates, dates
from pipeline.io.sources.files.documents import Document
from pipeline.io.sources.files.layouts import Table, table
from pipeline.io.sources.files.lots import CUSTOMARY, shares_per_unit
from pipeline.io.sources.files.naming import symbols_of
from pipeline.io.sources.files.numbers import Marks, Numbers, check_counts, numbers
from pipeline.io.sources.files.ratios import check_factor, ratios
from pipeline.io.sources.settings import FilesData
from pipeline.schemas import BAR_FIELDS, STATIC

NUMBERS = (*BAR_FIELDS, "adjusted_close", "split", "dividend")

SHARES = ("EQ", "BE", "BZ", "SM", "ST", "")
"""Series of the Indian exchanges that are shares; others of a symbol are its bonds and warrants."""

NOTHING = Marks(None, None)


@dataclass(frozen=True)
class Evidence:
    """What files prove about how they, or others of their folder, are to be read."""

    marks: Marks = NOTHING
    day_first: bool | None = None

    @classmethod
    def of(cls, parts: list[Evidence]) -> Evidence:
        """What several files prove together; where they contradict each other: nothing."""
        points = [part.marks.point for part in parts if part.marks.point is not None]
        commas = [part.marks.comma for part in parts if part.marks.comma is not None]
        orders = {part.day_first for part in parts} - {None}
        marks = Marks(points[0] if points else None, commas[0] if commas else None)
        return cls(marks, orders.pop() if len(orders) == 1 else None)


@dataclass(frozen=True)
class Prices:
    """What one file holds.

    Attributes
    ----------
    days, codes, numbers
        By row: the day, the place of its symbol in `symbols`, and numbers by the names of
        `NUMBERS`, NaN where the file lacks them.
    clock
        By row, a time of day that only this row has: when a bar of today was read; NaT otherwise.
    unreadable
        By row, whether one of its texts is no number.
    symbols
        By place; `described` has their exchange and sector where the file does.
    report
        How the file was read, in words.
    evidence
        What it proves to the other files of its folder.
    by_name
        Whether its symbol is that of the file's name.
    """

    days: np.ndarray
    clock: np.ndarray
    codes: np.ndarray
    symbols: list[str]
    numbers: dict[str, np.ndarray]
    unreadable: np.ndarray
    described: pd.DataFrame
    report: str
    evidence: Evidence
    by_name: bool


def prices(
    document: Document, how: FilesData, *, is_index: bool, folder: Evidence | None = None
) -> Prices:
    """Read one file.

    Parameters
    ----------
    is_index
        Whether all of it is of indices, which may lack volume.
    folder
        What the other files prove; it settles what this one leaves open.

    Raises
    ------
    Undecided
        It can be read in two ways and nothing proves which.
    InvalidData
        Something in it is missing; nothing is guessed.
    """
    folder = folder or Evidence()
    read = table(document, how)
    if read.columns.empty:
        raise InvalidData("ingest", f"{document.name}: a header without rows", "daily bars")
    _check_lengths(document, read.columns, how.max_field_characters)
    read, remarks = _shares(read)
    first = how.day_first if how.day_first is not None else folder.day_first
    read, day, undated = _dated(read, first, how, document)
    columns = read.columns
    codes, symbols, origin = symbols_of(document, read, day, how)
    _check_daily(document, read, day, codes)
    _check_volume(document, read, is_index or all(name.startswith("^") for name in symbols))
    _check_adjusted(document, columns, how, is_index)
    check_factor(document.name, columns, codes, splits_are_given=how.splits_path is not None)
    written = {name: columns[name] for name in NUMBERS if name in columns and name != "split"}
    values = numbers(written, how.decimal, document.name, folder.marks)
    if (size := _lot(columns, values, how, document.name)) != 1:
        values.by_column["volume"] = size * values.by_column["volume"]
        remarks.append(f"volume in lots of {size:,.0f} shares, as its turnover shows")
    if document.kind == "text" and "volume" in values.by_column:
        check_counts(values.by_column["volume"], how.decimal, document.name)
    lacking = np.full(len(columns), np.nan)
    split = {"split": ratios(columns, values, document.name)}
    remarks += [*read.remarks, *undated, *_remarks(day, columns, how, values)]
    return Prices(
        day.days,
        _odd_times(day),
        codes,
        symbols,
        {name: (values.by_column | split).get(name, lacking) for name in NUMBERS},
        values.unreadable,
        _described(columns, codes, symbols),
        ", ".join([read.layout, f"dates: {day.reading}", *origin, *remarks]),
        Evidence(values.marks if document.kind == "text" else NOTHING, day.day_first),
        "symbol" not in columns,
    )


def _check_lengths(document: Document, columns: pd.DataFrame, max_characters: int) -> None:
    """No text is so long that something else than a value was read as one."""
    for name in columns.select_dtypes(["object", "str", "category"]):
        column = columns[name]
        texts = column.cat.categories if column.dtype == "category" else column.dropna()
        lengths = pd.Series(texts).astype("str").str.len()
        if len(lengths) and lengths.max() > max_characters:
            longest = int(lengths.max())
            start = str(pd.Series(texts).iloc[int(lengths.argmax())])[:40]
            raise InvalidData(
                "ingest",
                f"{document.name}: {name} has a field of {longest:,} characters: {start!r}",
                f"at most {max_characters:,} each; or data.max_field_characters={longest}",
            )


def _shares(read: Table) -> tuple[Table, list[str]]:
    """Without rows of bonds and warrants, of which an exchange's daily list has many."""
    if "series" not in read.columns:
        return read, []
    is_share = read.columns["series"].astype("str").str.strip().str.upper().isin(SHARES)
    count = int((~is_share).sum())
    if not count or not is_share.any():
        return read, []
    columns = read.columns[is_share].reset_index(drop=True)
    return replace(read, columns=columns), [f"{count} rows of other series than shares left out"]


def _dated(
    read: Table, day_first: bool | None, how: FilesData, document: Document
) -> tuple[Table, Dates, list[str]]:
    """The rows with a date, their days, and a word about the others."""
    zone = timezone(how.exchange_calendar)
    day = dates(read.columns["date"], day_first, zone, document.name)
    dated = ~np.isnat(day.days)
    if dated.all():
        return read, day, []
    empty = read.columns[~dated].drop(columns=["date", "symbol"], errors="ignore")
    filled = empty.apply(lambda c: c.notna() & (c.astype("str").str.strip() != ""))
    lost = int(filled.any(axis=1).sum())
    share = (len(empty) if day.unreadable else lost) / len(dated)
    if share > 0.1 and lost > 1:
        given = f"{document.name}: {len(empty)} of {len(dated)} rows have no date"
        raise InvalidData("ingest", given, "a date in each row")
    words = f" ({day.unreadable!r})" if day.unreadable else ""
    shown = [f"{len(empty) - lost} empty rows left out"] if len(empty) > lost else []
    shown += [f"{lost} rows without a date left out{words}"] if lost or day.unreadable else []
    columns = read.columns[dated].reset_index(drop=True)
    return (
        replace(read, columns=columns),
        replace(day, days=day.days[dated], clock=day.clock[dated]),
        shown,
    )


def _check_daily(document: Document, read: Table, day: Dates, codes: np.ndarray) -> None:
    if not day.has_times:
        return
    rows = pd.Series(1).repeat(len(codes)).groupby([codes, day.days]).sum()
    if rows.median() > 1:
        first = pd.Timestamp(rows.index[0][1])
        given = f"{document.name}: intraday rows, {rows.iloc[0]} on {first:%Y-%m-%d}"
        raise InvalidData("ingest", given, "one row a day: open, high, low, close of the session")


def _check_volume(document: Document, read: Table, is_index: bool) -> None:
    if "volume" in read.columns or is_index:
        return
    alike = [name for name in read.other_columns if "vol" in plain(name)]
    may_be = f"; it may be {' or '.join(map(repr, alike))}" if alike else ""
    raise InvalidData(
        "ingest",
        f"{document.name}: no column for volume, which only an index may lack{may_be}",
        "a column of shares or coins, or an index given by data.index_path",
        say("volume", alike[0] if alike else "..."),
        faults=[Fault(name, "may be the volume") for name in alike],
    )


def _check_adjusted(
    document: Document, columns: pd.DataFrame, how: FilesData, is_index: bool
) -> None:
    if how.adjust_dividends and not is_index and "adjusted_close" not in columns:
        given = f"{document.name}: data.adjust_dividends=true, but there is no adjusted close"
        raise InvalidData("ingest", given, "a column adjusted_close, or adjust_dividends=false")


def _lot(columns: pd.DataFrame, read: Numbers, how: FilesData, who: str) -> float:
    """Shares that a volume counts as one, by the column of turnover where there is one.

    Raises
    ------
    InvalidData
        More than one, where no exchange counts lots, and config does not name the volume.
    """
    if not {"turnover", "volume"} <= set(columns):
        return 1.0
    try:
        paid = numbers({"paid": columns["turnover"]}, how.decimal, "", read.marks).by_column["paid"]
    except InvalidData:
        return 1.0  # it is no bar's price or volume
    size = shares_per_unit(read.by_column, paid)
    if size == 1 or how.exchange_calendar in CUSTOMARY:
        return size
    if how.columns.volume is not None:
        return 1.0
    given = f"{who}: by its turnover a volume of 1 is {size:,.0f} shares, or the turnover is in "
    given += "smaller money than prices"
    needed = "volumes in shares, and data.columns.volume with their column where they are"
    raise InvalidData("ingest", given, needed, say("volume"))


def _odd_times(day: Dates) -> np.ndarray:
    """Times of day that differ from those of most rows: a bar of today, as of when it was read."""
    clock = day.clock.astype("timedelta64[us]")
    nothing = np.full(len(clock), np.timedelta64("NaT"), dtype="timedelta64[us]")
    if not day.has_times:
        return nothing
    _, places, counts = np.unique(clock, return_inverse=True, return_counts=True)
    usual = counts[places] > max(2, 0.05 * len(clock))
    return np.where(usual | (clock == np.timedelta64(0)), nothing, clock)


def _remarks(day: Dates, columns: pd.DataFrame, how: FilesData, read: Numbers) -> list[str]:
    remarks = ["times of day dropped"] if day.has_times else []
    if "adjusted_close" in columns and not how.adjust_dividends:
        remarks.append("adjusted close not used: data.adjust_dividends=false")
    if read.example:
        count = int(read.unreadable.sum())
        remarks.append(f"{count} rows with a text that is no number: {read.example}")
    return remarks


def _described(columns: pd.DataFrame, codes: np.ndarray, symbols: list[str]) -> pd.DataFrame:
    """Exchange and sector of each symbol in its last row."""
    _, from_end = np.unique(codes[::-1], return_index=True)
    rows = len(codes) - 1 - from_end
    held = {name: columns[name].iloc[rows].to_numpy() for name in STATIC if name in columns}
    return pd.DataFrame(held, index=pd.Index(symbols, dtype="str")).reindex(columns=list(STATIC))
