"""What people say about symbols in files of their own: attributes, and splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import Fault, InvalidData
from pipeline.io.sources.files.splits import Event
from pipeline.io.sources.files.symbols import symbol
from pipeline.io.sources.lists import ATTRIBUTES, Limit, read_list
from pipeline.schemas import SYMBOL


def symbol_table(
    kinds: Mapping[str, Iterable[str]],
    in_files: Iterable[pd.DataFrame],
    table: Path | None,
    max_megabytes: int,
    *,
    share_class_by_dot: bool,
) -> tuple[pd.DataFrame, list[str]]:
    """Index symbol, sorted; columns exchange, sector, name (missing: NaN), kind; and remarks.

    Parameters
    ----------
    kinds
        Symbols with bars by their kind, stock or index.
    in_files
        Attributes from columns of the price files, by symbol; the table's win over them.
    table
        CSV with columns symbol and any of exchange, sector, name.
    max_megabytes
        How large the table may be.

    Raises
    ------
    InvalidData
        The table has no column symbol, is too large, or names a symbol twice.
    """
    listed = pd.concat([pd.Series(kind, list(names)) for kind, names in kinds.items()])
    attributes = pd.concat([*in_files, pd.DataFrame(columns=list(ATTRIBUTES))])
    attributes = attributes[~attributes.index.duplicated()].reindex(
        index=listed.index, columns=list(ATTRIBUTES)
    )
    remarks = []
    if table is not None:
        listed_in_table = _listed(table, max_megabytes, share_class_by_dot)
        stocks = listed.index[listed == "stock"]
        unknown = stocks.difference(listed_in_table.index)
        remarks.append(
            f"{table.name}: {len(stocks) - len(unknown)} of {len(stocks)} symbols described"
            + (f"; not {', '.join(unknown[:10])}" if len(unknown) else "")
        )
        attributes = listed_in_table.reindex(listed.index).combine_first(attributes)
    columns = attributes.reindex(columns=list(ATTRIBUTES)).assign(kind=listed).astype("str")
    return columns.rename_axis(SYMBOL).sort_index(), remarks


def _listed(file: Path, max_megabytes: int, share_class_by_dot: bool) -> pd.DataFrame:
    rows = read_list(file, (SYMBOL,), Limit(max_megabytes))
    names = [symbol(name, share_class_by_dot=share_class_by_dot) for name in rows.pop(SYMBOL)]
    rows.index = pd.Index(names, dtype="str")
    twice = rows.index[rows.index.duplicated()].unique()
    if len(twice):
        given = f"{file.name}: symbols that occur twice: {', '.join(twice[:10])}"
        faults = [Fault(name, "occurs twice") for name in twice]
        raise InvalidData("ingest", given, "one line a symbol", faults=faults)
    return rows.reindex(columns=list(ATTRIBUTES)).replace("", np.nan)


def given_splits(file: Path | None, max_megabytes: int, *, share_class_by_dot: bool) -> list[Event]:
    """Splits that a CSV with columns symbol, session, ratio says; they are applied unasked.

    Raises
    ------
    InvalidData
        A line is not of this form.
    """
    if file is None:
        return []
    rows = read_list(file, (SYMBOL, "session", "ratio"), Limit(max_megabytes))
    days = pd.to_datetime(rows["session"], format="%Y-%m-%d", errors="coerce").dt.as_unit("us")
    ratios = pd.to_numeric(rows["ratio"], errors="coerce")
    wrong = days.isna() | ~(ratios > 0)
    if wrong.any():
        lines = [",".join(row) for row in rows[wrong][[SYMBOL, "session", "ratio"]].to_numpy()]
        more = f", nor are {len(lines) - 1} others" if len(lines) > 1 else ""
        raise InvalidData(
            "ingest", f"{file.name}: {lines[0]!r} is no split{more}", "lines as AAPL,2020-08-31,4",
            faults=[Fault(line, "is no split") for line in lines],
        )  # fmt: skip
    return [
        Event(symbol(name, share_class_by_dot=share_class_by_dot), day, float(ratio), sure=True)
        for name, day, ratio in zip(rows[SYMBOL], days.to_numpy(), ratios, strict=True)
    ]
