"""One CSV, Parquet or Feather file as a table of text and numbers, whatever its header is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pyarrow.parquet

from pipeline.commands import Command
from pipeline.errors import Fault, InvalidData
from pipeline.io.sources.files import sheets, stacked
from pipeline.io.sources.files.columns import (
    KNOWN,
    fields,
    is_header,
    known,
    layout,
    plain,
    say,
)
from pipeline.io.sources.files.documents import Document
from pipeline.io.sources.files.header_words import ALIASES
from pipeline.io.sources.settings import FilesData

SYMBOL_KEYS = (
    "code", "sym", "asset", "instrument", "ts code", "secid", "security", "ric", "stock code", "id",
    "permno", "coin", "pair", "contract",
)  # fmt: skip
"""What folders of one symbol are called as well, as ``sym=AAPL``."""

TEXT = ("date", "symbol", "code", "exchange", "sector", "series")


@dataclass(frozen=True)
class Table:
    """What a file holds, by field.

    Attributes
    ----------
    columns
        The fields it has, by the names of ``columns.ALIASES``, as text, numbers or times.
    layout
        How it was recognised, in words.
    remarks
        What was left out while reading, in words.
    other_columns
        Columns that are no field.
    code_column
        The column called code or alike, which `columns` has as ``code``; empty: none.
    """

    columns: pd.DataFrame
    layout: str
    remarks: tuple[str, ...] = ()
    other_columns: tuple[str, ...] = ()
    code_column: str = ""


def table(document: Document, how: FilesData) -> Table:
    """Read one file.

    Raises
    ------
    InvalidData
        It is no table of prices, or a column may be two things.
    """
    read = {"text": _text, "parquet": _columnar, "feather": _columnar}[document.kind]
    try:
        return _with_partitions(read(document, how), document)
    except (pa.ArrowException, OSError, UnicodeError, EOFError) as error:
        text = re.sub(r"\s+", " ", str(error))[:160]
        if "straddling" in text:  # two blocks of its reader
            text = "it has a line of more than 1,000,000 characters"
        given = f"{document.name}: cannot be read: {text}"
        raise InvalidData("ingest", given, "a CSV or Parquet file of daily bars") from error


def _with_partitions(read: Table, document: Document) -> Table:
    """The table with fields that stand in its folders' names, as ``symbol=AAPL``."""
    columns = read.columns
    for field, value in _in_folders(document).items():
        if field not in columns:
            columns = columns.assign(**{field: value})
    return replace(read, columns=columns)


def _in_folders(document: Document) -> dict[str, str]:
    """Values by field; a folder ``code=AAPL`` holds the one symbol of its files."""
    keys = {field: ALIASES[field] for field in TEXT if field in ALIASES}
    keys["symbol"] = (*keys["symbol"], *SYMBOL_KEYS)
    held: dict[str, str] = {}
    for key, value in document.partitions.items():
        held |= {field: value for field, names in keys.items() if plain(key) in names}
    return held


def _text(document: Document, how: FilesData) -> Table:
    sheet = sheets.opened(document, how)
    count = stacked.header_lines(sheet.lines)
    if count:
        names = [str(place) for place in range(len(sheet.lines[0]))]
        pairs = stacked.pairs(stacked.cells(sheet.lines))
        rows, remarks = sheets.rows(document, sheet, names, names, names[:1], count - 1, how)
        return _blocks(document, rows, names[0], dict(zip(names[1:], pairs, strict=True)), remarks)
    names = sheet.names
    if sheet.without_header and not how.columns.are_places:
        raise _without_header(document, sheet.lines[1])
    pairs_by_name = stacked.named_pairs(names)
    if pairs_by_name:
        date = next(name for name in names if name not in pairs_by_name)
        rows, remarks = sheets.rows(document, sheet, names, [date, *pairs_by_name], [date], 0, how)
        return _blocks(document, rows, date, pairs_by_name, remarks)
    _check_header(document, names, how)
    _check_unique(document, names, how)
    chosen = fields(names, how.columns.given, document.name, _in_folders(document))
    unique = list(dict.fromkeys(chosen.values()))
    text = [chosen[field] for field in TEXT if field in chosen]
    rows, remarks = sheets.rows(document, sheet, names, unique, text, 0, how)
    return _by_field(rows, names, chosen, remarks)


def _without_header(document: Document, row: Sequence[str]) -> InvalidData:
    given = f"{document.name}: no header, the first line is a row of values: {','.join(row)[:80]}"
    needed = "a first line as date,open,high,low,close,volume; or the columns by their places"
    names = ("date", "open", "high", "low", "close", "volume")
    places = [f"data.columns.{name}={place}" for place, name in enumerate(names, start=1)]
    command = Command("ingest", "data=files", "data.path=...", *places)
    return InvalidData("ingest", given, needed, command)


def _check_header(document: Document, names: Sequence[str], how: FilesData) -> None:
    if not KNOWN & {known(name) for name in names} and not is_header(names, how.columns.given):
        line = f"{document.name}: the first line names no known column: {','.join(names)[:80]}"
        if len(names) == 1 and document.kind == "text":
            needed = "columns apart by commas, semicolons, tabs or bars; none of a fixed width"
            raise InvalidData("ingest", line, needed)
        needed = "a first line as date,open,high,low,close,volume; or data.columns.date=..., "
        needed += "data.columns.open=... and so on, with the names of its columns"
        raise InvalidData("ingest", line, needed, say("date"))


def _check_unique(document: Document, names: Sequence[str], how: FilesData) -> None:
    fields_of = {
        name for name in names if known(name) in KNOWN or name in how.columns.given.values()
    }
    twice = sorted({name for name in fields_of if list(names).count(name) > 1})
    if twice:
        given = f"{document.name}: columns that occur twice: {', '.join(twice)}"
        faults = [Fault(name, "occurs twice") for name in twice]
        raise InvalidData("ingest", given, "each column once", faults=faults)


def _columnar(document: Document, how: FilesData) -> Table:
    names, rows = _arrow(document)
    pairs = stacked.named_pairs(names)
    if pairs:
        date = next(name for name in (*names, "") if name not in pairs)
        return _blocks(document, rows(None), date, pairs, ())
    _check_header(document, names, how)
    chosen = fields(names, how.columns.given, document.name, _in_folders(document))
    return _by_field(rows(list(dict.fromkeys(chosen.values()))), names, chosen, ())


def _arrow(document: Document):  # type: ignore[no-untyped-def]
    """Names of the columns, and what reads some of them."""
    content = str(document.path) if document.on_disk else pa.BufferReader(document.read())
    if document.kind == "feather":
        whole = _feather(content)
        return list(whole.column_names), lambda columns: whole.select(columns or whole.column_names)
    schema = pyarrow.parquet.read_schema(content)
    names = list(schema.names)
    text = [n for n in names if plain(n) in (*ALIASES["symbol"], *TEXT)]
    text = [n for n in text if pa.types.is_string(schema.field(n).type)]
    source = pyarrow.parquet.ParquetFile(content, read_dictionary=text)
    return names, source.read


def _feather(content: str | pa.BufferReader) -> pa.Table:
    """A Feather file, or a stream of Arrow under the same suffix."""
    try:
        return pyarrow.feather.read_table(content)
    except pa.ArrowInvalid:
        if isinstance(content, pa.BufferReader):
            content.seek(0)
            return pa.ipc.open_stream(content).read_all()
        with pa.OSFile(content, "rb") as stream:
            return pa.ipc.open_stream(stream).read_all()


def _by_field(
    rows: pa.Table, names: Sequence[str], chosen: Mapping[str, str], remarks: tuple[str, ...]
) -> Table:
    columns = {field: series(rows[name]) for field, name in chosen.items()}
    fields_of = dict(chosen)
    if plain(fields_of.get("symbol", "")) == "name" and not _are_tickers(columns["symbol"]):
        del columns["symbol"], fields_of["symbol"]  # the company's
    others = tuple(name for name in names if name not in chosen.values())
    code = fields_of.get("code", "")
    return Table(pd.DataFrame(columns), layout(names, fields_of), remarks, others, code)


def series(column: pa.ChunkedArray) -> pd.Series:
    """A column for pandas: bytes as text, dates as times, decimals as floats.

    Raises
    ------
    ArrowTypeError
        Its cells are lists or structures.
    """
    kind = column.type
    if pa.types.is_nested(kind):
        raise pa.ArrowTypeError(f"a column of type {kind}, not of single values")
    if pa.types.is_dictionary(kind) and not pa.types.is_string(kind.value_type):
        column = column.cast(kind.value_type)
    if pa.types.is_fixed_size_binary(column.type) or pa.types.is_binary_view(column.type):
        column = column.cast(pa.binary())
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        column = column.cast(pa.string())
        column = pc.utf8_rtrim(column, characters="\x00 ")  # as texts of one length are filled up
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return column.to_pandas()


def _are_tickers(names: pd.Series) -> bool:
    unique = pd.Series(names.dropna().unique(), dtype="str")
    are = unique.str.fullmatch(r"\^?[A-Z0-9][A-Z0-9.\-=&_]{0,13}").all()
    return bool(are and not unique.str.fullmatch(r"\d+").all())  # numbers are ids of coins


def _blocks(
    document: Document,
    rows: pa.Table,
    date: str,
    pairs: Mapping[str, stacked.Pair],
    remarks: tuple[str, ...],
) -> Table:
    """One block of rows per ticker; a block's empty rows are only the others' sessions."""
    grouped = stacked.blocks(pairs)
    parts = []
    for ticker, columns in grouped.items():
        chosen = fields(["Date", *columns], {}, f"{document.name}, {ticker}")
        values = {f: series(rows[columns[n]]) for f, n in chosen.items() if f != "date"}
        part = pd.DataFrame(values)
        part.insert(0, "date", series(rows[date]))
        part.insert(1, "symbol", ticker)
        parts.append(part.dropna(subset=list(values), how="all") if len(grouped) > 1 else part)
    many = f"{len(grouped)} tickers" if len(grouped) > 1 else "one ticker"
    whole = pd.concat(parts, ignore_index=True)
    return Table(whole, f"a column for each field of each ticker, {many}", remarks)
