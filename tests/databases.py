"""What a store holds, by table, without what is random or tells the time: to compare databases."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from sqlalchemy import Table, select

from pipeline.io.store import tables
from pipeline.io.store.store import Store

RANDOM = {"revision", "at", "run_id", "store_id", "made_at", "previous", "hash", "seal", "digest"}
"""Columns of random texts and times, and digests over rows that have them."""


def table_digests(store: Store) -> dict[str, tuple[int, str]]:
    """Number of rows and a digest over them by table, bit for bit."""
    return {
        table.name: _digest(store, table)
        for table in tables.metadata.sorted_tables
        if table is not tables.digests
    } | {"digests": _recorded(store)}


def snapshot_digests(root: Path) -> dict[str, str]:
    """A digest of the rows of each file, by its place; which revision made them is left out."""
    return {
        str(path.relative_to(root)): _rows_digest(pq.read_table(path).to_pandas())
        for path in sorted(root.rglob("*.parquet"))
    }


def _digest(store: Store, table: Table) -> tuple[int, str]:
    columns = [column for column in table.columns if column.name not in RANDOM]
    with store._engine.connect() as connection:
        rows = connection.execute(select(*columns).order_by(*table.primary_key)).all()
    return len(rows), _text_digest([tuple(row) for row in rows])


def _recorded(store: Store) -> tuple[int, str]:
    """The digests that the store itself keeps of its months."""
    kept = tables.digests
    with store._engine.connect() as connection:
        rows = connection.execute(
            select(kept).where(kept.c.month != "all").order_by(*kept.primary_key)
        ).all()
    return len(rows), _text_digest([tuple(row) for row in rows])


def _rows_digest(rows: pd.DataFrame) -> str:
    digest = blake2b(repr(list(rows.columns)).encode(), digest_size=16)
    for name in rows:
        values = rows[name].to_numpy()
        is_plain = values.dtype.kind in "fiM"
        digest.update(values.tobytes() if is_plain else repr(values.tolist()).encode())
    return digest.hexdigest()


def _text_digest(content: object) -> str:
    return blake2b(repr(content).encode(), digest_size=16).hexdigest()
