"""Looks at the data of a store, kept beside it; and single cells, by which data is known again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from sqlalchemy import and_, func, insert, or_, select

from pipeline.io.store import tables
from pipeline.io.store.connection import StoreConnection
from pipeline.io.store.database import transaction
from pipeline.io.store.queries import as_date, next_number, with_timestamps
from pipeline.schemas import ROW, SESSION, SYMBOL, TARGET

CELL_FIELDS = ("open", "high", "low", "close", "volume")
CELLS_AT_ONCE = 200
"""Each is two parameters of a statement and one level of its expression."""


class Looks(StoreConnection):
    """The part of a store that remembers who looked at it."""

    def write_look(self, look: Mapping[str, Any]) -> None:
        """Keep a look by its run; one that is kept already stays as it is.

        Parameters
        ----------
        look
            Of the columns of ``tables.looks``, without ``at``.
        """
        row = {**look, "first": as_date(look["first"]), "last": as_date(look["last"])}
        column = tables.looks.c
        same = select(column.run_id).where(
            column.run_id == row["run_id"], column.forecast == row["forecast"],
            column.strategy == row["strategy"],
        )  # fmt: skip
        with transaction(self._engine) as connection:
            if connection.execute(same).first() is None:
                at = datetime.now(UTC).replace(tzinfo=None)
                number = next_number(tables.looks)
                connection.execute(insert(tables.looks).values(**row, number=number, at=at))

    def looks(self) -> list[dict[str, Any]]:
        """All looks, oldest first; sessions as timestamps."""
        rows = self._frame(select(tables.looks).order_by("number"))
        return [
            {str(key): value for key, value in row.items()}
            for row in with_timestamps(rows, "first", "last").to_dict("records")
        ]

    def cells(self, rows: pd.Index) -> pd.DataFrame:
        """Bars and label of these (session, symbol); without the rows that the store lacks."""
        bars, labels = tables.bars.c, tables.labels.c
        fields = [*(bars[name] for name in CELL_FIELDS), labels[TARGET]]
        statement = select(bars.session, bars.symbol, *fields).join(
            tables.labels, and_(labels.session == bars.session, labels.symbol == bars.symbol)
        )
        listed = [(as_date(session), str(symbol)) for session, symbol in rows]
        parts = [
            self._frame(statement.where(or_(*map(_is_cell, listed[at : at + CELLS_AT_ONCE]))))
            for at in range(0, len(listed), CELLS_AT_ONCE)
        ]
        columns = [*ROW, *CELL_FIELDS, TARGET]
        joined = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
        stamped = with_timestamps(joined, SESSION).astype({SYMBOL: "str"})
        return stamped.set_index(ROW).sort_index().astype("float64")

    def first_sessions(self, kind: str = "stock") -> dict[str, str]:
        """First session with a bar (``YYYY-MM-DD``) by symbol."""
        bars, symbols = tables.bars.c, tables.symbols.c
        statement = (
            select(bars.symbol, func.min(bars.session))
            .join(tables.symbols, symbols.symbol == bars.symbol)
            .where(symbols.kind == kind)
            .group_by(bars.symbol)
        )
        with self._engine.connect() as connection:
            return {symbol: f"{day:%Y-%m-%d}" for symbol, day in connection.execute(statement)}


def _is_cell(cell: tuple[Any, str]) -> Any:
    bars = tables.bars.c
    return and_(bars.session == cell[0], bars.symbol == cell[1])
