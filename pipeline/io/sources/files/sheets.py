"""A text file of prices: where its rows begin, how they are split, and its cells by column."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv

from pipeline.errors import InvalidData
from pipeline.io.sources.files import encoding, stacked
from pipeline.io.sources.files.columns import has_prices, is_header
from pipeline.io.sources.files.documents import Document
from pipeline.io.sources.files.numbers import proves_point
from pipeline.io.sources.settings import FilesData

SEPARATORS = ",;\t|"
HEADER_WITHIN = 30
"""Lines among which the header has to be; those before it are a title."""
PROOF_LINES = 200
HEAD_CHARACTERS = 100_000


@dataclass(frozen=True)
class Sheet:
    """A text file: where its rows begin and how they are split.

    Attributes
    ----------
    source
        What pyarrow reads: a path, or UTF-8 bytes.
    lines
        The first lines that hold something, split into cells, the header first.
    skip
        Lines before the first row.
    without_header
        Whether the columns are called by their places.
    """

    source: str | pa.BufferReader
    lines: list[list[str]]
    skip: int
    separator: str
    title: int
    without_header: bool = False

    @property
    def names(self) -> list[str]:
        """Of the columns; one without a name is an index, later ones are called by their place."""
        return [name.strip() or f"index{place or ''}" for place, name in enumerate(self.lines[0])]


def opened(document: Document, how: FilesData) -> Sheet:
    """The file with its header found.

    Raises
    ------
    InvalidData
        It is empty, or a web service's answer saved as a table.
    """
    head = document.head()
    name = encoding.encoding(head, how.exchange_calendar)
    plain_text = name == "utf-8" and document.on_disk
    if plain_text:
        text = head.decode("utf-8", errors="replace")
        source: str | pa.BufferReader = str(document.path)
    else:
        text = _decoded(document.read(), name, how)
        source = pa.BufferReader(text.encode())
    every = _lines(text)
    filled = _filled(every)
    if not filled:
        raise InvalidData("ingest", f"{document.name}: the file is empty", "daily bars")
    if gap := _spaces(every, filled):
        whole = document.read().decode("utf-8", "replace") if plain_text else text
        text = "\n".join(re.sub(gap, "\t", line.strip()) for line in _split(whole))
        source, every = pa.BufferReader(text.encode()), _lines(text)
        filled = _filled(every)
    first = every[filled[0]].lstrip("\ufeff ")
    if first[0] in "{[" or first[:2].lower() in ("<!", "<h", "<?"):
        content = re.sub(r"\s+", " ", text)[:80].strip()
        given = f"{document.name}: no table but a web service's answer, saved as one: {content}"
        raise InvalidData("ingest", given, "the file downloaded again")
    separator = ""
    if match := re.fullmatch(r"\"?sep=(.)\"?", first.strip(), re.IGNORECASE):
        separator, filled = match[1], filled[1:]
    return _with_header(source, every, filled, separator, how)


def _lines(text: str) -> list[str]:
    """The first lines, ended by what ends a line for pyarrow, which is to skip as many."""
    return _split(text[:HEAD_CHARACTERS])


def _split(text: str) -> list[str]:
    return re.split(r"\r\n|\n|\r", text)


def _filled(lines: list[str]) -> list[int]:
    """Places of the lines that hold something."""
    return [place for place, line in enumerate(lines) if line.strip(" ,;\t|\r\n\ufeff\0")]


def _spaces(every: list[str], filled: list[int]) -> str:
    """What stands between columns that spaces alone keep apart; empty where something else does."""
    for at in filled[:HEADER_WITHIN]:
        if not set(SEPARATORS) & set(every[at]):
            for gap in (r"\s{2,}", r"\s+"):
                if has_prices(re.split(gap, every[at])):
                    return gap
    return ""


def _with_header(
    source: str | pa.BufferReader,
    every: list[str],
    filled: list[int],
    separator: str,
    how: FilesData,
) -> Sheet:
    """The sheet from its header on: the first line of known columns, else the first line.

    Columns are called by their places where config calls them so, or the first line has values.
    """
    by_place = how.columns.are_places
    given = {} if by_place else how.columns.given
    for place, at in enumerate(filled[:HEADER_WITHIN]):
        mark = separator or max(SEPARATORS, key=every[at].count)
        cells = [_cells(every[row], mark) for row in filled[place : place + PROOF_LINES]]
        is_first = place == 0 and stacked.header_lines(cells[:3])
        if (is_first and not by_place) or is_header(cells[0], given):
            names = [str(n + 1) for n in range(len(cells[0]))] if by_place else _fitted(cells)
            return Sheet(source, [names, *cells[1:]], at + 1, mark, place)
    mark = separator or max(SEPARATORS, key=every[filled[0]].count)
    cells = [_cells(every[row], mark) for row in filled[:PROOF_LINES]]
    if by_place or _are_values(cells[0]):
        places = [str(place + 1) for place in range(len(cells[0]))]
        return Sheet(source, [places, *cells], filled[0], mark, 0, without_header=True)
    return Sheet(source, cells, filled[0] + 1, mark, 0)


def _are_values(cells: Sequence[str]) -> bool:
    """Whether a line is a row of numbers and dates, and names nothing."""
    return sum(bool(re.match(r"\s*[-+$€£]?\d", cell)) for cell in cells) > 3


def _fitted(lines: Sequence[Sequence[str]]) -> list[str]:
    """The header in as many columns as each row has, which may be one more or one less.

    R writes the names of rows before them, without a name of their own; others end rows, or the
    header alone, with a separator.
    """
    names, rows = list(lines[0]), lines[1:]
    widths = {len(row) for row in rows}
    if widths == {len(names) + 1}:
        return [*names, ""] if not any(row[-1].strip() for row in rows) else ["", *names]
    if widths == {len(names) - 1} and not names[-1].strip():
        return names[:-1]
    return names


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line.lstrip("\ufeff")], delimiter=separator), [""])


def _decoded(content: bytes, name: str, how: FilesData) -> str:
    try:
        return content.decode(name)
    except UnicodeDecodeError:
        if name.startswith(("utf-16", "utf-32")):  # cut within its last character
            return content.decode(name, errors="replace")
        return content.decode(encoding.of_market(how.exchange_calendar), errors="replace")


def rows(
    document: Document,
    sheet: Sheet,
    names: Sequence[str],
    columns: Sequence[str],
    text: Sequence[str],
    more_header: int,
    how: FilesData,
) -> tuple[pa.Table, tuple[str, ...]]:
    """Cells by column: numbers where all are plain ones with a proven point, else texts.

    Parameters
    ----------
    names
        Of all columns, in order.
    columns, text
        Columns to read; those of them that are texts.
    more_header
        Lines of the header beyond the first.

    Returns
    -------
    rows
        By the names of the columns.
    remarks
        What was left out, in words.

    Raises
    ------
    InvalidData
        More than a tenth of the lines have another number of columns than the header.
    """
    as_text = dict.fromkeys(columns, pa.string())
    places = [place for place, name in enumerate(names) if name in columns and name not in text]
    first = sheet.lines[1 + more_header :]
    proven = proves_point(row[place] for row in first for place in places if place < len(row))
    if how.decimal == "," or (how.decimal is None and not proven):
        return _converted(document, sheet, names, as_text, more_header, how)
    kinds = {name: pa.string() if name in text else pa.float64() for name in columns}
    try:
        return _converted(document, sheet, names, kinds, more_header, how)
    except pa.ArrowInvalid as error:
        if "conversion error" not in str(error):
            raise
    return _converted(document, sheet, names, as_text, more_header, how)


def _converted(
    document: Document,
    sheet: Sheet,
    names: Sequence[str],
    kinds: Mapping[str, pa.DataType],
    more_header: int,
    how: FilesData,
) -> tuple[pa.Table, tuple[str, ...]]:
    """Types are not inferred: that looks at the first block of a long file alone."""
    odd: list[str] = []

    def left_out(row: pyarrow.csv.InvalidRow) -> str:
        if row.text.strip(" ,;\t|"):
            odd.append(row.text)
        return "skip"

    repeated = pa.dictionary(pa.int32(), pa.string())
    unique = [n if list(names).index(n) == i else f"{n} ({i})" for i, n in enumerate(names)]
    options = (
        pyarrow.csv.ReadOptions(column_names=unique, skip_rows=sheet.skip + more_header),
        pyarrow.csv.ParseOptions(delimiter=sheet.separator, invalid_row_handler=left_out),
        pyarrow.csv.ConvertOptions(
            column_types={n: repeated if k == pa.string() else k for n, k in kinds.items()},
            include_columns=list(kinds),
            null_values=["", "NaN", "nan", "null", "NULL", "None", "N/A", "NA", "#N/A"],
            strings_can_be_null=False,
            timestamp_parsers=["never: dates are read elsewhere"],
        ),
    )
    if isinstance(sheet.source, pa.BufferReader):
        sheet.source.seek(0)
    try:
        rows = pyarrow.csv.read_csv(sheet.source, *options)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise
        odd.clear()  # not Unicode beyond the first of its lines
        text = _decoded(document.read(), encoding.of_market(how.exchange_calendar), how)
        rows = pyarrow.csv.read_csv(pa.BufferReader(text.encode()), *options)
    return rows, _remarks(document, sheet, odd, len(rows))


def _remarks(document: Document, sheet: Sheet, odd: list[str], size: int) -> tuple[str, ...]:
    count = sum(max(1, len(text.strip().splitlines())) for text in odd)  # a quote may hold many
    if (count > 0.1 * (size + count) and count > 3) or (odd and not size):
        width = len(sheet.lines[0])
        given = f"{document.name}: {count} lines have not {width} columns: {odd[0][:80]!r}"
        raise InvalidData("ingest", given, "a line of values for each day, under its header")
    title = [f"{sheet.title} lines before the header left out"] if sheet.title else []
    lines = f"{count} lines that are no rows left out: {odd[0][:60]!r}" if odd else ""
    return (*title, lines) if lines else tuple(title)
