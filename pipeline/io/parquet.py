"""Parquet files whose every byte is checked: nothing that changed on disk is read as data.

Parquet's own checksums cover the pages of a file, not its footer, which holds the schema, the
places of the pages and the statistics by which rows are skipped. So a *seal* is written among the
footer's metadata: a digest of the footer, in which the seal's own digits count as zeros, and one of
all that lies before it. A reader of a few columns checks the footer and the pages it reads; a
reader of the whole file checks every byte.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.commands import Command
from pipeline.errors import Damaged
from pipeline.io.files import write_atomically
from pipeline.io.objects import ObjectPath, Place

KEY = "sealed"
"""Of the seal, in the metadata of a file's schema."""

MARK = b"blake2b of footer and body: "
HEX = 32
"""Digits of one digest."""

BLANK = b"0" * 2 * HEX
LENGTH = 8
"""Digits of the length of what follows the digests: a JSON text."""

TAIL = 8
"""Bytes behind a footer: its length and ``PAR1``."""


class Sealed(NamedTuple):
    """A sealed file: its rows, and what was given beside them."""

    rows: pd.DataFrame
    facts: dict[str, Any]


def write_parquet(path: Place, rows: pd.DataFrame | pa.Table, /, **facts: Any) -> None:
    """Write a sealed file, whole or not at all.

    Parameters
    ----------
    rows
        Of a frame, the index is kept as pandas keeps it.
    facts
        What a reader gives back beside the rows, and `read_facts` alone; as JSON.
    """
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows)
    content = json.dumps(facts).encode()
    seal = MARK + BLANK + f"{len(content):0{LENGTH}d}".encode() + content
    metadata = {**(table.schema.metadata or {}), KEY.encode(): seal}
    buffer = BytesIO()
    pq.write_table(
        table.replace_schema_metadata(metadata),
        buffer,
        compression="zstd",
        write_page_checksum=True,
    )
    sealed = _sealed(buffer.getvalue())
    if isinstance(path, ObjectPath):
        path.write_bytes(sealed)
    else:
        write_atomically(path, lambda temporary: temporary.write_bytes(sealed))


def read_parquet(path: Path, *, needed: str, heal: Command | str = "") -> Sealed:
    """All of a sealed file, every byte of it checked.

    Parameters
    ----------
    needed, heal
        What an error says is needed instead, and the command that makes the file again.

    Raises
    ------
    Damaged
        The file is not as it was written, or was not written by `write_parquet`.
    """
    try:
        data = path.read_bytes()
        footer = _footer(BytesIO(data))
        if _digest(data[: len(data) - len(footer)]) != _digests(footer)[1]:
            raise ValueError("its digest differs")
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
        return Sealed(table.to_pandas(), json.loads(_content(footer)))
    except (pa.ArrowException, ValueError, OSError) as error:
        raise damaged(path, error, needed, heal) from None


def read_columns(
    path: Place,
    columns: list[str] | None,
    filters: list[tuple] | None,
    *,
    needed: str,
    heal: Command | str = "",
) -> pa.Table:
    """Some columns and rows of a sealed file; its footer and the pages that are read are checked.

    Parameters
    ----------
    filters
        As in ``pyarrow.parquet.read_table``.
    needed, heal
        As in `read_parquet`.

    Raises
    ------
    Damaged
        As in `read_parquet`.
    """
    try:
        with path.open("rb") as file:  # one handle: nobody puts another file here in between
            _footer(file)
            return pq.read_table(
                file, columns=columns, filters=filters, page_checksum_verification=True
            )
    except (pa.ArrowException, ValueError, OSError) as error:
        raise damaged(path, error, needed, heal) from None


def read_facts(path: Place, *, needed: str, heal: Command | str = "") -> dict[str, Any]:
    """What was given to `write_parquet` beside the rows; the footer is checked, no row is read.

    Raises
    ------
    Damaged
        As in `read_parquet`.
    """
    try:
        with path.open("rb") as file:
            facts: dict[str, Any] = json.loads(_content(_footer(file)))
        return facts
    except (ValueError, OSError) as error:
        raise damaged(path, error, needed, heal) from None


def damaged(path: Place, error: Exception, needed: str, heal: Command | str = "") -> Damaged:
    """The one error of a file that is not as it was written."""
    why = " ".join(str(error).split())[:200]
    return Damaged("files", f"{path} is damaged: {why}", needed, heal)


def _sealed(data: bytes) -> bytes:
    """The same file with the two digests in their place."""
    start = len(data) - TAIL - int.from_bytes(data[-TAIL : -TAIL + 4], "little")
    digests = _digest(data[:start])
    place = data.index(MARK, start) + len(MARK)
    footer = bytearray(data[start:])
    footer[place - start + HEX : place - start + 2 * HEX] = digests
    footer[place - start : place - start + HEX] = _digest(bytes(footer))
    return data[:start] + bytes(footer)


def _footer(file: BinaryIO) -> bytes:
    """The footer with its tail, checked.

    Raises
    ------
    ValueError
        It has no seal, or is not as it was written.
    """
    size = file.seek(0, 2)
    file.seek(max(size - TAIL, 0))
    length = int.from_bytes(file.read(TAIL)[:4], "little") + TAIL
    if length > size:
        raise ValueError("its end is missing")
    file.seek(size - length)
    footer = file.read(length)
    file.seek(0)
    place = footer.find(MARK) + len(MARK)
    if place < len(MARK):
        raise ValueError("it has no seal: a former version wrote it, or it is no longer whole")
    blank = footer[:place] + BLANK[:HEX] + footer[place + HEX :]
    if _digest(blank) != footer[place : place + HEX]:
        raise ValueError("the digest of its footer differs")
    return footer


def _digests(footer: bytes) -> tuple[bytes, bytes]:
    """Of the footer, and of what lies before it."""
    place = footer.index(MARK) + len(MARK)
    return footer[place : place + HEX], footer[place + HEX : place + 2 * HEX]


def _content(footer: bytes) -> bytes:
    place = footer.index(MARK) + len(MARK) + 2 * HEX
    length = int(footer[place : place + LENGTH])
    return footer[place + LENGTH : place + LENGTH + length]


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=HEX // 2).hexdigest().encode()
