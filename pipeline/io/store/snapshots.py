"""Feature snapshots as Parquet, one file a month, each replaced as a whole or not at all.

``<root>/<source>/<feature set>-<hash>/<YYYY-MM>.parquet``. The hash covers the definitions of the
features, so rows of two definitions never mix. Each file's own metadata says from which store and
which of its revisions every session was built. Every byte that is read is checked; a month that is
damaged, or that a version wrote which sealed no files, counts as not built. Writers hold the
store's writer lock.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.commands import Command
from pipeline.errors import Damaged
from pipeline.io.objects import Place
from pipeline.io.parquet import read_columns, read_facts, write_parquet
from pipeline.schemas import ROW, SESSION, SYMBOL


@dataclass(frozen=True)
class Provenance:
    """What a month's rows were built from.

    Attributes
    ----------
    store_id
        Of the store the bars came from; rows of another store are worth nothing.
    sessions
        Revision of the store by session (ISO date); a session may be covered and have no row.
    """

    store_id: str
    sessions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SnapshotStore:
    """The snapshots of one feature set from one data source."""

    root: Place
    source: str
    set_name: str
    set_hash: str

    @cached_property
    def folder(self) -> Place:
        """Where the months lie."""
        return self.root / self.source / f"{self.set_name}-{self.set_hash}"

    def write(
        self,
        rows: pd.DataFrame,
        *,
        sessions: Iterable[pd.Timestamp],
        revision: str,
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

        Raises
        ------
        Damaged
            A month of which only a part is given cannot be read.
        """
        self._remove_leftovers()
        built = pd.DatetimeIndex(list(sessions)).unique().sort_values()
        months = built.strftime("%Y-%m")
        of_row = _level(rows, SESSION).to_numpy().astype("datetime64[M]")
        for month in months.unique():
            stamps = {str(s.date()): revision for s in built[months == month]}
            self._replace(month, rows[of_row == np.datetime64(month)], stamps, store_id, whole)
        return months.nunique()

    def forget(self, sessions: pd.DatetimeIndex) -> None:
        """Drop the rows of these sessions, as if they had never been built."""
        months = sessions.strftime("%Y-%m")
        for path in self._months():
            if path.stem in months:
                try:
                    provenance, rows = _provenance(path), _frame(_table(path))
                except Damaged:  # none of it can be kept
                    path.unlink()
                    continue
                days = set(sessions.strftime("%Y-%m-%d"))
                left = {day: n for day, n in provenance.sessions.items() if day not in days}
                rows = rows[~_level(rows, SESSION).isin(sessions)]
                _write_month(path, rows, Provenance(provenance.store_id, left))

    def read(
        self,
        sessions: pd.DatetimeIndex | None = None,
        symbols: Iterable[str] | None = None,
        columns: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Long rows, sorted; by default all. Sessions that are not covered are absent.

        Raises
        ------
        Damaged
            A file is not as it was written; it is named, with the command that heals it.
        """
        requested = None if sessions is None else set(sessions.strftime("%Y-%m"))
        filters: list[tuple] = []
        if sessions is not None:
            filters.append((SESSION, "in", list(sessions)))
        if symbols is not None:
            filters.append((SYMBOL, "in", list(symbols)))
        names = None if columns is None else [*ROW, *columns]
        months = [path for path in self._months() if requested is None or path.stem in requested]
        parts = [_table(path, names, filters or None) for path in months]
        if not parts:
            return _no_rows(columns)
        return _frame(pa.concat_tables(parts))

    def covered(
        self, store_id: str | None = None, sessions: pd.DatetimeIndex | None = None
    ) -> pd.DataFrame:
        """Sessions that were built: index session, column revision of the store.

        Sessions of a month whose metadata are damaged are left out; see `damaged`.

        Parameters
        ----------
        store_id
            Leaves out what was built from another store.
        sessions
            Only the months of these are looked at.
        """
        requested = None if sessions is None else set(sessions.strftime("%Y-%m"))
        months = [path for path in self._months() if requested is None or path.stem in requested]
        provenances = [origin for path in months if (origin := _readable_provenance(path))]
        revisions = {
            session: revision
            for provenance in provenances
            if store_id is None or provenance.store_id == store_id
            for session, revision in provenance.sessions.items()
        }
        index = pd.DatetimeIndex(list(revisions), name=SESSION).as_unit("us")
        texts = pd.array(list(revisions.values()), dtype="str")
        return pd.DataFrame({"revision": texts}, index=index).sort_index()

    def damaged(self, *, deep: bool = False) -> list[Damaged]:
        """An error for each month that cannot be served.

        Parameters
        ----------
        deep
            Reads all rows; else the metadata alone.
        """
        errors = []
        for path in self._months():
            try:
                _table(path) if deep else _provenance(path)
            except Damaged as error:
                errors.append(error)
        return errors

    def _months(self) -> Sequence[Place]:
        return sorted(self.folder.glob("????-??.parquet"), key=str)

    def _replace(
        self,
        month: str,
        rows: pd.DataFrame,
        stamps: Mapping[str, str],
        store_id: str,
        whole: bool,
    ) -> None:
        path = self.folder / f"{month}.parquet"
        before = Provenance(store_id)
        if path.exists() and (stored := _stored(path, store_id, stamps if whole else ())):
            before, month_rows = stored
            rebuilt = _level(month_rows, SESSION).isin(pd.DatetimeIndex(list(stamps)))
            obsolete = rebuilt if whole else month_rows.index.isin(rows.index)
            rows = pd.concat([month_rows[~obsolete], rows]).sort_index()
        covered = (
            stamps if whole else {s: before.sessions[s] for s in stamps if s in before.sessions}
        )
        provenance = Provenance(store_id, {**before.sessions, **covered})
        _write_month(path, rows, provenance)

    def _remove_leftovers(self) -> None:
        """A killed writer leaves a temporary file; under the lock no one else is writing one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob(".*.tmp"):
            leftover.unlink()


def _write_month(path: Place, rows: pd.DataFrame, provenance: Provenance) -> None:
    write_parquet(path, _as_table(rows), **vars(provenance))


def _as_table(rows: pd.DataFrame) -> pa.Table:
    """The index and the columns; pyarrow's own way looks at each of many columns for long."""
    is_text = [not pd.api.types.is_numeric_dtype(kind) for kind in rows.dtypes]
    # A column without any text is text as well.
    texts = rows.loc[:, is_text].astype("str").reset_index()
    table = pa.Table.from_pandas(texts, preserve_index=False)
    columns = dict(zip(table.column_names, table.columns, strict=True))
    for name, values in rows.items():
        if name not in columns:
            columns[name] = pa.array(values.to_numpy(), from_pandas=True)
    return pa.table({name: columns[name] for name in [*rows.index.names, *rows.columns]})


def _stored(
    path: Place, store_id: str, replaced: Iterable[str]
) -> tuple[Provenance, pd.DataFrame] | None:
    """What a month holds of this store; None where nothing of it is kept or can be kept.

    Raises
    ------
    Damaged
        It cannot be read, and holds sessions that are not replaced.
    """
    provenance = _readable_provenance(path)
    if provenance is None or provenance.store_id != store_id:
        return None
    if set(provenance.sessions).issubset(replaced):
        return None
    return provenance, _frame(_table(path))


def _provenance(path: Place) -> Provenance:
    return Provenance(**read_facts(path, **_healing(path)))


def _readable_provenance(path: Place) -> Provenance | None:
    try:
        return _provenance(path)
    except Damaged:
        return None


def _table(path: Place, columns: list[str] | None = None, filters: Any = None) -> pa.Table:
    return read_columns(path, columns, filters, **_healing(path))


def _healing(path: Place) -> dict[str, Any]:
    """What a damaged month needs."""
    year, month = path.stem.split("-")
    last = monthrange(int(year), int(month))[1]
    heal = Command(
        "features",
        "features.overwrite=true",
        start_date=f"{path.stem}-01",
        end_date=f"{path.stem}-{last}",
    )
    return {"needed": "the features of that month, built again", "heal": heal}


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
