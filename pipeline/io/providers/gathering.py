"""Files that were read, as one table of bars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.io.calendar import Calendar
from pipeline.io.providers.reading import NUMBERS, Prices
from pipeline.schemas import SESSION, SYMBOL


@dataclass(frozen=True)
class PriceFile:
    """One file that could be read."""

    path: Path
    prices: Prices
    of_indices: bool


def joined(read: Iterable[PriceFile]) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of all files sorted by symbol and session; whether each is of an index.

    A symbol is an index where its file was given as one, or by its caret.
    """
    read = list(read)
    names = pd.Index(sorted({name for file in read for name in file.prices.symbols}), dtype="str")
    indices = {n for f in read for n in f.prices.symbols if f.of_indices or n.startswith("^")}
    codes = np.concatenate(
        [names.get_indexer(pd.Index(f.prices.symbols))[f.prices.codes] for f in read]
    )
    days = np.concatenate([file.prices.days for file in read])
    sizes = [len(file.prices.codes) for file in read]
    order = np.lexsort((days, codes))
    columns = {
        SESSION: days[order],
        SYMBOL: pd.Categorical.from_codes(codes[order], names),
        "file": pd.Categorical.from_codes(
            np.repeat(np.arange(len(read)), sizes)[order],
            pd.Index([str(file.path) for file in read]),
        ),
    }
    for name in NUMBERS:
        columns[name] = np.concatenate([file.prices.numbers[name] for file in read])[order]
    return pd.DataFrame(columns), names.isin(indices)[codes[order]]


def part(bars: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Some of the rows, with the symbols that occur in them."""
    kept = bars if rows.all() else bars[rows].reset_index(drop=True)
    return kept.assign(symbol=kept[SYMBOL].cat.remove_unused_categories())


def final(bars: pd.DataFrame, read: Iterable[PriceFile], calendar: Calendar) -> np.ndarray:
    """Whether each bar's file was written after the bar's session closed."""
    written = [pd.Timestamp(file.path.stat().st_mtime, unit="s") for file in read]
    closed = np.array([calendar.closed_by(at) for at in written], dtype="datetime64[us]")
    return np.asarray(bars[SESSION].to_numpy() <= closed[bars["file"].cat.codes.to_numpy()])


def reports(read: Iterable[PriceFile]) -> list[str]:
    """How the files were read, alike ones in one line."""
    alike: dict[str, list[str]] = {}
    for file in read:
        alike.setdefault(file.prices.report, []).append(file.path.name)
    return [
        f"{files[0] if len(files) == 1 else f'{len(files)} files'}: {report}"
        for report, files in alike.items()
    ]
