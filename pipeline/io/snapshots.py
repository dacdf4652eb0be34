"""Feature snapshots as Parquet, one file a month, each replaced as a whole or not at all.

``<root>/<source>/<feature set>-<hash>/<YYYY-MM>.parquet``. The hash covers the definitions of the
features, so rows of two definitions never mix. Each file's own metadata says from which store and
which of its revisions every session was built. Writers hold the store's writer lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import InvalidData
from pipeline.io.files import replaced
from pipeline.schemas import ROW, SESSION, SYMBOL

METADATA_KEY = b"snapshots"


@dataclass(frozen=True)
class Origin:
    """What a month's rows were built from.

    Attributes
    ----------
    store_id
        Of the store the bars came from; rows of another store are worth nothing.
    sessions
        Revision of the store by session (ISO date); a session may be covered and have no row.
    """

    store_id: str
    sessions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SnapshotStore:
    """The snapshots of one feature set from one data source."""

    root: Path
    source: str
    set_name: str
    set_hash: str

    @cached_property
    def folder(self) -> Path:
        """Where the months lie."""
        return Path(self.root) / self.source / f"{self.set_name}-{self.set_hash}"

    def write(
        self,
        rows: pd.DataFrame,
        *,
        sessions: Iterable[pd.Timestamp],
        revision: int,
        store_id: str,
        whole: bool = True,
    ) -> int:
        """Merge rows into their months.

        Parameters
        ----------
        rows
            Long, indexed by ``schemas.ROW``.
        sessions
            The sessions that were built, also those without a row.
        revision
            Of the store, read before the rows were calculated.
        whole
            True: `rows` are all of these sessions, what else is stored for them goes. False: rows
            of other symbols stay, and a session's coverage stays as it was.

        Returns
        -------
        int
            Months written.
        """
        self._remove_leftovers()
        built = pd.DatetimeIndex(list(sessions)).unique().sort_values()
        months = built.strftime("%Y-%m")
        of_row = _level(rows, SESSION).strftime("%Y-%m")
        for month in months.unique():
            stamps = {str(s.date()): revision for s in built[months == month]}
            self._replace(month, rows[of_row == month], stamps, store_id, whole)
        return months.nunique()

    def forget(self, sessions: pd.DatetimeIndex) -> None:
        """Drop the rows of these sessions, as if they had never been built."""
        months = sessions.strftime("%Y-%m")
        for path in self._months():
            if path.stem in months:
                origin = _origin(path)
                days = set(sessions.strftime("%Y-%m-%d"))
                left = {day: n for day, n in origin.sessions.items() if day not in days}
                rows = _frame(_table(path))
                rows = rows[~_level(rows, SESSION).isin(sessions)]
                _write_atomically(path, rows, Origin(origin.store_id, left))

    def read(
        self,
        sessions: pd.DatetimeIndex | None = None,
        symbols: Iterable[str] | None = None,
        columns: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Long rows, sorted; by default all. Sessions that are not covered are absent."""
        wanted = None if sessions is None else set(sessions.strftime("%Y-%m"))
        filters: list[tuple] = []
        if sessions is not None:
            filters.append((SESSION, "in", list(sessions)))
        if symbols is not None:
            filters.append((SYMBOL, "in", list(symbols)))
        names = None if columns is None else [*ROW, *columns]
        months = [path for path in self._months() if wanted is None or path.stem in wanted]
        parts = [_table(path, names, filters or None) for path in months]
        if not parts:
            return _no_rows(columns)
        return _frame(pa.concat_tables(parts))

    def covered(self, store_id: str | None = None) -> pd.DataFrame:
        """Sessions that were built: index session, column revision of the store.

        Parameters
        ----------
        store_id
            Leaves out what was built from another store.
        """
        origins = [_origin(path) for path in self._months()]
        revisions = {
            session: revision
            for origin in origins
            if store_id is None or origin.store_id == store_id
            for session, revision in origin.sessions.items()
        }
        index = pd.DatetimeIndex(list(revisions), name=SESSION).as_unit("us")
        numbers = np.fromiter(revisions.values(), np.int64, len(revisions))
        return pd.DataFrame({"revision": numbers}, index=index).sort_index()

    def _months(self) -> list[Path]:
        return sorted(self.folder.glob("????-??.parquet"))

    def _replace(
        self,
        month: str,
        rows: pd.DataFrame,
        stamps: Mapping[str, int],
        store_id: str,
        whole: bool,
    ) -> None:
        path = self.folder / f"{month}.parquet"
        before = Origin(store_id)
        if path.exists() and _origin(path).store_id == store_id:
            before = _origin(path)
            stored = _frame(_table(path))
            replaced = _level(stored, SESSION).isin(pd.DatetimeIndex(list(stamps)))
            gone = replaced if whole else stored.index.isin(rows.index)
            rows = pd.concat([stored[~gone], rows]).sort_index()
        covered = (
            stamps if whole else {s: before.sessions[s] for s in stamps if s in before.sessions}
        )
        origin = Origin(store_id, {**before.sessions, **covered})
        _write_atomically(path, rows, origin)

    def _remove_leftovers(self) -> None:
        """A killed writer leaves a temporary file; under the lock no one else is writing one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob(".*.tmp"):
            leftover.unlink()


def _write_atomically(path: Path, rows: pd.DataFrame, origin: Origin) -> None:
    texts = rows.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in rows.dtypes]]
    # A column without any text is text as well.
    rows = rows.assign(**{name: rows[name].astype("str") for name in texts})
    table = pa.Table.from_pandas(rows.reset_index(), preserve_index=False)
    table = table.replace_schema_metadata({METADATA_KEY: json.dumps(vars(origin))})
    replaced(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def _origin(path: Path) -> Origin:
    try:
        metadata = pq.read_schema(path).metadata or {}
        return Origin(**json.loads(metadata[METADATA_KEY]))
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, error) from None


def _table(path: Path, columns: list[str] | None = None, filters: Any = None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns, filters=filters, partitioning=None)
    except pa.ArrowException as error:
        raise _unreadable(path, error) from None


def release_unused_memory() -> None:
    """Give back what Arrow keeps for reuse: after a read, as much again as the rows."""
    pa.default_memory_pool().release_unused()


def _frame(table: pa.Table) -> pd.DataFrame:
    rows: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return rows.set_index(ROW).sort_index()


def _no_rows(columns: Iterable[str] | None) -> pd.DataFrame:
    index = pd.MultiIndex.from_arrays([pd.DatetimeIndex([]).as_unit("us"), []], names=ROW)
    return pd.DataFrame(index=index, columns=list(columns or []), dtype=np.float32)


def _level(rows: pd.DataFrame, level: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(rows.index.get_level_values(level))


def _unreadable(path: Path, error: Exception) -> InvalidData:
    found = f"{path} cannot be read: {error}"
    needed = "that file deleted, and its month built again"
    return InvalidData("snapshots", found, needed, "mlflow run . -e features")
