"""The forecast ledger and what became of its forecasts, beside the bars they were made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Connection, delete, insert, select

from pipeline.errors import Fault
from pipeline.io.store import tables
from pipeline.io.store.connection import StoreConnection
from pipeline.io.store.database import transaction
from pipeline.monitor.chain import (
    FIELDS,
    GENESIS,
    LIVE,
    Evening,
    Sealed,
    chain_faults,
    content_digest,
    row_seal,
    sealed,
)

OUTCOME_KEY = ("session", "model", "kind")


class Evenings(StoreConnection):
    """The part of a store that remembers what was forecast, and how it came."""

    def append_evenings(self, made: Iterable[tuple[Evening, pd.Series]]) -> list[Sealed]:
        """Seal forecasts (by symbol) at the end of the ledger; all of them, or none.

        An entry that says the same as the newest one of its session, model and kind is not written
        again, nor is a replay of live forecasts: what is there is given back.
        """
        with transaction(self._engine) as connection:
            return [_appended(connection, evening, forecasts) for evening, forecasts in made]

    def evenings(self) -> list[Sealed]:
        """The whole ledger, oldest first."""
        with self._engine.connect() as connection:
            return _read(connection, select(tables.evenings).order_by("number"))

    def forecasts(self, numbers: Sequence[int] | None = None) -> pd.DataFrame:
        """Columns number, symbol, prediction and seal, of these entries or all."""
        statement = select(tables.forecasts).order_by("number", "symbol")
        if numbers is not None:
            statement = statement.where(tables.forecasts.c.number.in_(list(numbers)))
        return self._frame(statement)

    def ledger_faults(self, anchors: dict[str, str] | None = None) -> list[Fault]:
        """What of the ledger is not as it was written, see `chain.chain_faults`."""
        return chain_faults(self.evenings(), self.forecasts(), anchors)

    def write_outcomes(self, rows: pd.DataFrame) -> None:
        """Keep outcomes: columns of ``tables.outcomes``; those of the same key are replaced."""
        if rows.empty:
            return
        names = [column.name for column in tables.outcomes.columns]
        cells = rows[names].astype(object).where(rows[names].notna(), None)
        records = [dict(zip(names, row, strict=True)) for row in cells.to_numpy().tolist()]
        with transaction(self._engine) as connection:
            for row in records:
                key = {name: row[name] for name in OUTCOME_KEY}
                connection.execute(delete(tables.outcomes).filter_by(**key))
            connection.execute(insert(tables.outcomes), records)

    def outcomes(self, model: str | None = None) -> pd.DataFrame:
        """Outcomes by session, of one model or all; sessions as timestamps."""
        statement = select(tables.outcomes).order_by("session", "model", "kind")
        if model is not None:
            statement = statement.filter_by(model=model)
        rows = self._frame(statement)
        return rows.assign(session=pd.to_datetime(rows["session"]).astype("datetime64[us]"))


def _appended(connection: Connection, evening: Evening, forecasts: pd.Series) -> Sealed:
    table = tables.evenings
    newest = select(table).order_by(table.c.number.desc())
    key = {"session": evening.session, "model": evening.model, "kind": evening.kind}
    known = _read(connection, newest.filter_by(**key).limit(1))
    content = content_digest(forecasts)
    if known and known[0].content == content and known[0].evening.says_the_same(evening):
        return known[0]
    live = _read(connection, newest.filter_by(**key | {"kind": LIVE}).limit(1))
    if live and live[0].content == content:
        return live[0]  # made in time; the same again, later, is no news
    last = _read(connection, newest.limit(1))
    number, previous = (last[0].number + 1, last[0].hash) if last else (1, GENESIS)
    entry = sealed(number, evening, forecasts, previous)
    connection.execute(insert(table), _as_row(entry))
    rows = [
        {
            "number": number,
            "symbol": str(symbol),
            "prediction": float(value),
            "seal": row_seal(number, str(symbol), float(value)),
        }
        for symbol, value in forecasts.sort_index().items()
    ]
    if rows:
        connection.execute(insert(tables.forecasts), rows)
    return entry


def _as_row(entry: Sealed) -> dict[str, Any]:
    chained = {name: getattr(entry, name) for name in ("number", "symbols", "content", "previous")}
    return {**vars(entry.evening), **chained, "hash": entry.hash}


def _read(connection: Connection, statement: Any) -> list[Sealed]:
    return [
        Sealed(
            number=row["number"],
            evening=Evening(**{name: row[name] for name in FIELDS}),
            symbols=row["symbols"],
            content=row["content"],
            previous=row["previous"],
            hash=row["hash"],
        )
        for row in connection.execute(statement).mappings()
    ]
