"""What every part of the store does with its database: read rows, long or wide."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from sqlalchemy import Engine, Float, Select, Table

from pipeline.io.store.bulk import read_rows
from pipeline.io.store.queries import RowFilter


class StoreConnection:
    """The database of a store.

    Parameters
    ----------
    engine
        As `protocol.Database.connect` makes it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _frame(self, statement: Select) -> pd.DataFrame:
        """Its rows; a column of numbers is one, NaN where it lacks them, also where it has none."""
        with self._engine.connect() as connection:
            rows = pd.read_sql(statement, connection)
        numbers = [each.name for each in statement.selected_columns if isinstance(each.type, Float)]
        return rows.astype(dict.fromkeys(numbers, "float64"))

    def _long(self, table: Table, fields: Iterable[str], rows: RowFilter) -> pd.DataFrame:
        with self._engine.connect() as connection:
            return read_rows(connection, rows.select(table, fields)).long()

    def _wide(
        self, table: Table, fields: Iterable[str], rows: RowFilter
    ) -> dict[str, pd.DataFrame]:
        with self._engine.connect() as connection:
            stored = read_rows(connection, rows.select(table, fields))
            return stored.wide(*rows.axes(connection, stored))
