"""What a check of an audit compares and finds: values that are not what they should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.schemas import SESSION, SYMBOL

LEAK = ["column", SYMBOL, SESSION, "stored", "recomputed"]
"""Columns of a list of leaks, as text: the place, and both values that should be one."""

LISTED = 20
"""Leaks of one column that are listed; all are counted."""

NOWHERE = pd.MultiIndex.from_arrays([[pd.NaT], [""]], names=[SESSION, SYMBOL])
"""The place of a leak that is not one row's."""


@dataclass(frozen=True)
class Checked:
    """What one check compared and found.

    Attributes
    ----------
    count
        Values compared.
    leaks
        Number of those that are not what they should be.
    listed
        Columns `LEAK`; the first `LISTED` of each column.
    enough
        False: these data are too few to tell a leak from noise.
    decides
        False: too few data are an answer as good as any; a leak is one all the same.
    said
        The result in words.
    figures
        Numbers behind it, by name.
    """

    count: int
    leaks: int = 0
    listed: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=LEAK))
    enough: bool = True
    decides: bool = True
    said: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


def compared(stored: pd.DataFrame, recomputed: pd.DataFrame) -> Checked:
    """Two long frames (session, symbol), cell by cell to the last bit; missing equals missing.

    A row or a column that one side lacks is a leak too: what exists is also told by the values.
    """
    rows = stored.index.intersection(recomputed.index)
    columns = stored.columns.intersection(recomputed.columns)
    old, new = stored.loc[rows, columns], recomputed.loc[rows, columns]
    differs = ((old != new) & ~(old.isna() & new.isna())).to_numpy()
    cells = [
        places_of(str(name), rows[where], old[name].to_numpy()[where], new[name].to_numpy()[where])
        for name, where in zip(columns, differs.T, strict=True)
        if where.any()
    ]
    lone = stored.index.symmetric_difference(recomputed.index)
    cells.append(places_of("row", lone, lone.isin(stored.index), lone.isin(recomputed.index)))
    for name in stored.columns.symmetric_difference(recomputed.columns):
        cells.append(places_of(str(name), NOWHERE, [name in stored], [name in recomputed]))
    whole = together(cells)
    return Checked(old.size + len(lone), whole.leaks, whole.listed)


def places_of(
    column: str, rows: pd.Index, stored: npt.ArrayLike, recomputed: npt.ArrayLike
) -> Checked:
    """Leaks of one column at these rows (session, symbol)."""
    first = rows[:LISTED].to_frame(index=False)
    first["column"] = column
    first[SESSION] = pd.DatetimeIndex(first[SESSION]).strftime("%Y-%m-%d").fillna("")
    for name, values in (("stored", stored), ("recomputed", recomputed)):
        first[name] = [str(value) for value in np.asarray(values)[:LISTED]]
    return Checked(len(rows), len(rows), first[LEAK])


def together(parts: Iterable[Checked], said: str = "") -> Checked:
    """Several comparisons as one; without a single value they show nothing."""
    done = list(parts)
    listed = pd.concat([part.listed for part in done if part.leaks] or [Checked(0).listed])
    return Checked(
        count=sum(part.count for part in done),
        leaks=sum(part.leaks for part in done),
        listed=listed.groupby("column", sort=False).head(LISTED).reset_index(drop=True),
        enough=any(part.count for part in done),
        said=said,
    )
