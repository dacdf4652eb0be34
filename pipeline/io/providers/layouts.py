"""One CSV or Parquet file as a table of text and numbers, whatever its header looks like."""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from pipeline.errors import InvalidData
from pipeline.io.providers.columns import ALIASES, fields, layout, plain

SUFFIXES = (".csv", ".csv.gz", ".txt", ".parquet", ".pq")
TEXT = ("date", "symbol", "exchange", "sector")
_SEPARATORS = ",;\t|"
_HEAD_BYTES = 100_000


@dataclass(frozen=True)
class Table:
    """What a file holds, by field.

    Attributes
    ----------
    columns
        The fields it has, by the names of ``columns.ALIASES``, as text, numbers or times.
    layout
        How it was recognised, in words.
    """

    columns: pd.DataFrame
    layout: str


def is_prices(file: Path) -> bool:
    """Whether a file in a folder is one of prices, by its name."""
    return file.name.lower().endswith(SUFFIXES) and not file.name.startswith((".", "~", "_"))


def table(file: Path, said: Mapping[str, str]) -> Table:
    """Read one file.

    Parameters
    ----------
    said
        Column by field, as ``data.columns`` has it.

    Raises
    ------
    InvalidData
        It is no table of prices, or a column may be two things.
    """
    try:
        return _parquet(file, said) if file.suffix in (".parquet", ".pq") else _csv(file, said)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        text = re.sub(r"\s+", " ", str(error))[:160]
        found = f"{file.name}: cannot be read: {text}"
        raise InvalidData("ingest", found, "a CSV or Parquet file of daily bars") from error


def _csv(file: Path, said: Mapping[str, str]) -> Table:
    lines, skip = _first_lines(file)
    separator = max(_SEPARATORS, key=lines[0].count)
    header = [next(csv.reader([line], delimiter=separator)) for line in lines[:3]]
    if _is_stacked(header):
        names = [str(place) for place in range(len(header[0]))]
        rows = _read_csv(file, names, names[:1], (names, skip + 3, separator))
        pairs = dict(zip(names[1:], zip(header[0][1:], header[1][1:], strict=True), strict=True))
        return _stacked(file, rows, names[0], pairs, said)
    names = [name.strip() or f"index{place or ''}" for place, name in enumerate(header[0])]
    _check_header(file, names, lines[0])
    found = fields(names, said, file.name)
    text = [found[field] for field in TEXT if field in found]
    rows = _read_csv(file, list(found.values()), text, (names, skip + 1, separator))
    return _by_field(rows, names, found)


def _first_lines(file: Path) -> tuple[list[str], int]:
    """Lines that hold something, and how many empty ones stand before them."""
    with pa.input_stream(str(file)) as stream:  # uncompresses by suffix
        text = stream.read(_HEAD_BYTES).decode("utf-8-sig", errors="replace")
    every = text.splitlines()
    lines = [line for line in every if line.strip()]
    if not lines:
        raise InvalidData("ingest", f"{file.name}: the file is empty", "daily bars")
    if lines[0].lstrip()[0] in "{[" or lines[0].lstrip()[:2].lower() in ("<!", "<h", "<?"):
        content = re.sub(r"\s+", " ", text)[:80].strip()
        found = f"{file.name}: no table but a web service's answer, saved as one: {content}"
        raise InvalidData("ingest", found, "the file downloaded again")
    return lines, every.index(lines[0])


def _check_header(file: Path, names: Sequence[str], line: str) -> None:
    known = {alias for aliases in ALIASES.values() for alias in aliases}
    if not known & {plain(name) for name in names}:
        found = f"{file.name}: the first line names no known column: {line[:80]}"
        needed = "a first line as date,open,high,low,close,volume"
        raise InvalidData("ingest", found, needed)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        found = f"{file.name}: columns that occur twice: {', '.join(twice)}"
        raise InvalidData("ingest", found, "each column once")


def _read_csv(
    file: Path,
    wanted: Sequence[str],
    text: Sequence[str],
    form: tuple[list[str], int, str],
) -> pa.Table:
    """Numbers as numbers where all of a column are plain ones, else all columns as text."""
    names, skip, separator = form
    kinds = {name: pa.string() if name in text else pa.float64() for name in wanted}
    try:
        return _converted(file, kinds, (names, skip, separator))
    except pa.ArrowInvalid as error:
        if "conversion error" not in str(error):
            raise
        return _converted(file, dict.fromkeys(wanted, pa.string()), (names, skip, separator))


def _converted(
    file: Path, kinds: Mapping[str, pa.DataType], form: tuple[list[str], int, str]
) -> pa.Table:
    """Types are not inferred: that looks at the first block of a long file alone."""
    names, skip, separator = form
    repeated = pa.dictionary(pa.int32(), pa.string())
    return pyarrow.csv.read_csv(
        file,
        pyarrow.csv.ReadOptions(column_names=names, skip_rows=skip),
        pyarrow.csv.ParseOptions(delimiter=separator),
        pyarrow.csv.ConvertOptions(
            column_types={n: repeated if k == pa.string() else k for n, k in kinds.items()},
            include_columns=list(kinds),
            null_values=["", "NaN", "nan", "null", "NULL", "None", "N/A", "NA", "#N/A"],
            strings_can_be_null=False,
            timestamp_parsers=["never: dates are read elsewhere"],
        ),
    )


def _parquet(file: Path, said: Mapping[str, str]) -> Table:
    names = list(pyarrow.parquet.read_schema(file).names)
    text = [name for name in names if plain(name) in ALIASES["symbol"] + TEXT]
    source = pyarrow.parquet.ParquetFile(file, read_dictionary=text)
    pairs = {name: pair for name in names if (pair := _pair(name))}
    if pairs:
        date = next(n for n in (*names, "") if n not in pairs)
        return _stacked(file, source.read(), date, pairs, said)
    _check_header(file, names, ",".join(names))
    found = fields(names, said, file.name)
    return _by_field(source.read(list(dict.fromkeys(found.values()))), names, found)


def _pair(name: str) -> tuple[str, str] | None:
    """Two header lines as pandas writes them into one name: ``('Close', 'UHS')``."""
    if not re.fullmatch(r"\('.*', '.*'\)", name):
        return None
    first, second = ast.literal_eval(name)
    return str(first), str(second)


def _by_field(rows: pa.Table, names: Sequence[str], found: Mapping[str, str]) -> Table:
    columns = {field: _series(rows[name]) for field, name in found.items()}
    chosen = dict(found)
    if plain(chosen.get("symbol", "")) == "name" and not _are_tickers(columns["symbol"]):
        del columns["symbol"], chosen["symbol"]  # the company's
    return Table(pd.DataFrame(columns), layout(names, chosen))


def _series(column: pa.ChunkedArray) -> pd.Series:
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return column.to_pandas()


def _are_tickers(names: pd.Series) -> bool:
    unique = pd.Series(names.dropna().unique(), dtype="str")
    return bool(unique.str.fullmatch(r"\^?[A-Z0-9][A-Z0-9.\-=]{0,9}").all())


def _is_stacked(header: Sequence[Sequence[str]]) -> bool:
    """Three header lines of yfinance: fields, tickers, and the index's name alone."""
    if len(header) < 3 or len({len(line) for line in header}) > 1:
        return False
    corners = [plain(line[0]) for line in header]
    heads = {"price", "ticker", "", "attributes", "symbols"}
    return (
        corners[2] in ("date", "datetime") and set(corners[:2]) <= heads and not any(header[2][1:])
    )


def _stacked(
    file: Path,
    rows: pa.Table,
    date: str,
    pairs: Mapping[str, tuple[str, str]],
    said: Mapping[str, str],
) -> Table:
    """One block of rows per ticker; a block's empty rows are only the others' sessions."""
    known = {alias for aliases in ALIASES.values() for alias in aliases}
    field_first = plain(next(iter(pairs.values()))[0]) in known
    blocks: dict[str, dict[str, str]] = {}
    for column, (first, second) in pairs.items():
        field, ticker = (first, second) if field_first else (second, first)
        blocks.setdefault(ticker, {})[field] = column
    parts = []
    for ticker, columns in blocks.items():
        found = fields(["Date", *columns], said, f"{file.name}, {ticker}")
        values = {f: _series(rows[columns[n]]) for f, n in found.items() if f != "date"}
        part = pd.DataFrame(values)
        part.insert(0, "date", _series(rows[date]))
        part.insert(1, "symbol", ticker)
        parts.append(part.dropna(subset=list(values), how="all") if len(blocks) > 1 else part)
    many = f"{len(blocks)} tickers" if len(blocks) > 1 else "one ticker"
    whole = pd.concat(parts, ignore_index=True)
    return Table(whole, f"yfinance export with three header lines, {many}")
