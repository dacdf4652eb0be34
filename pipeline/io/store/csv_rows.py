"""Rows of a table as the CSV that PostgreSQL's COPY reads: missing values empty, texts quoted."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
from pyarrow import csv
from sqlalchemy import Boolean, Column, Date, Float, Integer, Table

ROWS = 50_000
"""Of a block."""


def as_csv(table: Table, rows: pd.DataFrame) -> Iterator[memoryview]:
    """Blocks of rows, in the order of the table's columns.

    Floats are written as their shortest text, which is read back as the same bits.

    Parameters
    ----------
    rows
        Indexed by the table's primary key; columns as in the table.
    """
    names = [column.name for column in table.columns]
    cells = pa.table([_cells(column, rows) for column in table.columns], names=names)
    for start in range(0, len(rows), ROWS):
        block = io.BytesIO()
        csv.write_csv(cells.slice(start, ROWS), block, csv.WriteOptions(include_header=False))
        yield block.getbuffer()


def _cells(column: Column, rows: pd.DataFrame) -> pa.Array:
    values = (
        rows.index.get_level_values(column.name)
        if column.name in rows.index.names
        else rows[column.name]
    )
    if isinstance(column.type, Date):
        return pa.array(values.to_numpy("datetime64[D]"))
    if isinstance(column.type, Float):
        return pa.array(values.to_numpy() + 0.0, pa.float64(), from_pandas=True)  # no -0, as SQLite
    kind = next((to for of, to in KINDS.items() if isinstance(column.type, of)), pa.string())
    return pa.array(values, kind, from_pandas=True)


KINDS = {Boolean: pa.bool_(), Integer: pa.int64()}
"""By type of a column, the one its cells are written as; others are texts."""
