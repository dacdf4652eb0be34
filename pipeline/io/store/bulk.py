"""Bulk reads and writes of tables keyed by session and symbol, as arrays.

How rows get into a database and out of it, the databases know: `protocol.Database`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Boolean, Connection, Float, Select, Table

from pipeline.io.store.protocol import database_of
from pipeline.schemas import ROW, SESSION, SYMBOL, Panel


@dataclass(frozen=True)
class Rows:
    """Rows of a table as arrays; row i is of ``sessions[session_codes[i]]`` and its symbol.

    Both axes are sorted and hold only what occurs.
    """

    sessions: pd.DatetimeIndex
    symbols: pd.Index
    session_codes: np.ndarray
    symbol_codes: np.ndarray
    values: dict[str, np.ndarray]

    def wide(
        self, sessions: pd.DatetimeIndex | None = None, symbols: pd.Index | None = None
    ) -> dict[str, pd.DataFrame]:
        """One frame per field, by default on the rows' own axes; what does not exist is NaN."""
        index = self.sessions if sessions is None else sessions
        columns = self.symbols if symbols is None else symbols
        at = index.get_indexer(self.sessions)[self.session_codes]
        of = columns.get_indexer(self.symbols)[self.symbol_codes]
        inside = (at >= 0) & (of >= 0)
        frames = {}
        for name, values in self.values.items():
            cells = np.full((len(index), len(columns)), np.nan)
            cells[at[inside], of[inside]] = values[inside]
            frames[name] = pd.DataFrame(cells, index=index, columns=columns, copy=False)
        return frames

    def long(self) -> pd.DataFrame:
        """One frame indexed by ``schemas.ROW``, sorted."""
        order = np.lexsort((self.symbol_codes, self.session_codes))
        index = _index(
            self.sessions, self.symbols, self.session_codes[order], self.symbol_codes[order]
        )
        columns = {
            name: pd.array(values[order], dtype="str") if values.dtype == object else values[order]
            for name, values in self.values.items()
        }
        return pd.DataFrame(columns, index=index)


@dataclass(frozen=True)
class WriteResult:
    """What a write did. First and last session span the rows that are new or changed."""

    new: int
    changed: int
    unchanged: int
    symbols: int
    first: pd.Timestamp | None
    last: pd.Timestamp | None

    @property
    def rows(self) -> int:
        """Rows that are new or changed."""
        return self.new + self.changed

    @classmethod
    def empty(cls) -> WriteResult:
        """A write of no rows."""
        return cls(0, 0, 0, 0, None, None)

    @classmethod
    def combine(cls, parts: Iterable[WriteResult]) -> WriteResult:
        """Writes of different rows as one; a symbol counts once for each."""
        listed = list(parts)
        return cls(
            new=sum(part.new for part in listed),
            changed=sum(part.changed for part in listed),
            unchanged=sum(part.unchanged for part in listed),
            symbols=sum(part.symbols for part in listed),
            first=min((p.first for p in listed if p.first is not None), default=None),
            last=max((p.last for p in listed if p.last is not None), default=None),
        )


@dataclass(frozen=True)
class Comparison:
    """Rows beside those of a table; masks of the new ones, and of those with other values."""

    rows: pd.DataFrame
    is_new: np.ndarray
    is_changed: np.ndarray

    @property
    def result(self) -> WriteResult:
        """What writing the new and changed ones does."""
        taken = self.is_new | self.is_changed
        keys = self.rows.index[taken]
        is_dated = SESSION in keys.names and len(keys) > 0
        sessions = _occurring(keys, SESSION) if is_dated else None
        return WriteResult(
            new=int(self.is_new.sum()),
            changed=int(self.is_changed.sum()),
            unchanged=int((~taken).sum()),
            symbols=_occurring(keys, SYMBOL).nunique(),
            first=None if sessions is None else sessions.min(),
            last=None if sessions is None else sessions.max(),
        )


def stacked(panel: Panel, only: pd.DataFrame | None = None) -> pd.DataFrame:
    """Wide frames on the same axes as one long frame of the rows that have any value.

    Parameters
    ----------
    only
        Wide bool frame of the cells to take; cells outside its axes are not taken.

    Raises
    ------
    ValueError
        The frames differ in sessions or symbols.
    """
    frames = list(panel.values())
    axes = frames[0]
    if not all(f.index.equals(axes.index) and f.columns.equals(axes.columns) for f in frames):
        raise ValueError(f"the frames {', '.join(panel)} differ in sessions or symbols")
    taken = np.logical_or.reduce([frame.notna().to_numpy() for frame in frames])
    if only is not None:
        taken &= only.reindex(index=axes.index, columns=axes.columns, fill_value=False).to_numpy()
    session, symbol = np.nonzero(taken)
    cells = {name: frame.to_numpy()[session, symbol] for name, frame in panel.items()}
    return pd.DataFrame(cells, index=_index(axes.index, axes.columns, session, symbol))


def read_rows(connection: Connection, statement: Select) -> Rows:
    """The rows of a statement whose columns are session, symbol and at least one value."""
    columns = list(statement.selected_columns)[2:]
    sessions, symbols = _vocabulary(), _vocabulary()
    parts: list[list[np.ndarray]] = []
    for chunk in database_of(connection).fetch(connection, statement):
        session, symbol, *values = zip(*chunk, strict=True)
        codes = [
            np.fromiter(map(words.__getitem__, keys), np.intp, len(chunk))
            for words, keys in ((sessions, session), (symbols, symbol))
        ]
        parts.append(codes + [as_read(v, c.type) for v, c in zip(values, columns, strict=True)])
    if not parts:
        parts = [[np.zeros(0, np.intp)] * 2 + [as_read((), c.type) for c in columns]]
    session_codes, symbol_codes, *arrays = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    dates = pd.DatetimeIndex(pd.to_datetime(list(sessions)), name=SESSION).as_unit("us")
    names = pd.Index(list(symbols), name=SYMBOL, dtype="str")
    index, session_ranks = _sorted(dates)
    labels, symbol_ranks = _sorted(names)
    return Rows(
        pd.DatetimeIndex(index),
        labels,
        session_ranks[session_codes],
        symbol_ranks[symbol_codes],
        {column.name: values for column, values in zip(columns, arrays, strict=True)},
    )


def compare(table: Table, rows: pd.DataFrame, stored: pd.DataFrame) -> Comparison:
    """Which rows the table lacks or holds with other values.

    Parameters
    ----------
    rows
        Indexed by the table's primary key, unique; columns as in the table.
    stored
        What the table holds in the range of `rows`, indexed and typed alike.
    """
    names = [column.name for column in table.columns if not column.primary_key]
    position = (
        stored.index.get_indexer(rows.index) if len(stored) else np.full(len(rows), -1, np.intp)
    )
    is_stored = position >= 0
    is_same = is_stored.copy()
    for name in names:
        ours, theirs = (
            rows[name].to_numpy()[is_stored],
            stored[name].to_numpy()[position[is_stored]],
        )
        is_same[is_stored] &= _equal(ours, theirs)
    return Comparison(rows, ~is_stored, is_stored & ~is_same)


def upsert(connection: Connection, table: Table, comparison: Comparison) -> None:
    """Write the rows that are new or changed; touch no other."""
    rows = comparison.rows[comparison.is_new | comparison.is_changed]
    database_of(connection).upsert(connection, table, rows)


def _index(
    sessions: pd.Index, symbols: pd.Index, session: np.ndarray, symbol: np.ndarray
) -> pd.MultiIndex:
    levels: list[Any] = [sessions, symbols]
    codes: list[Any] = [session, symbol]
    return pd.MultiIndex(levels, codes, names=ROW, verify_integrity=False)


def _occurring(index: pd.Index, level: str) -> pd.Index:
    return index.get_level_values(level)


def _equal(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    both_missing = np.asarray(pd.isna(ours)) & np.asarray(pd.isna(theirs))
    return np.asarray(ours == theirs, dtype=bool) | both_missing


def as_read(values: Sequence | np.ndarray, kind: object) -> np.ndarray:
    """Values of a column of this type: float64, bool, or objects."""
    if isinstance(kind, Float):
        return np.array(values, dtype=np.float64)
    return np.array(values, dtype=bool if isinstance(kind, Boolean) else object)


def _vocabulary() -> defaultdict:
    """Numbers its words in the order in which they are first looked up."""
    return defaultdict(count().__next__)


def _sorted(words: pd.Index) -> tuple[pd.Index, np.ndarray]:
    order = words.argsort()
    ranks = np.empty(len(words), np.intp)
    ranks[order] = np.arange(len(words))
    return words[order], ranks
