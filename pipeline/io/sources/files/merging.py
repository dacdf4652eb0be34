"""Files that were read, as one table of bars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import Fault, InvalidData
from pipeline.io.calendar import Calendar, timezone
from pipeline.io.sources.files.documents import Document
from pipeline.io.sources.files.parsing import NUMBERS, Prices
from pipeline.io.sources.files.symbols import MAX_NAME, is_name
from pipeline.schemas import SESSION, SYMBOL


@dataclass(frozen=True)
class PriceFile:
    """One file that could be read."""

    document: Document
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
            pd.Index([file.document.name for file in read]),
        ),
        "clock": np.concatenate([file.prices.clock for file in read])[order],
        "unreadable": np.concatenate([file.prices.unreadable for file in read])[order],
    }
    for name in NUMBERS:
        columns[name] = np.concatenate([file.prices.numbers[name] for file in read])[order]
    return pd.DataFrame(columns), names.isin(indices)[codes[order]]


def of_names(
    bars: pd.DataFrame, is_index: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """The rows whose symbol is one, whether each is of an index; in words, what was left out.

    Raises
    ------
    InvalidData
        No row has a symbol.
    """
    odd = [name for name in bars[SYMBOL].cat.categories if not is_name(name)]
    if not odd:
        return bars, is_index, []
    out = bars[SYMBOL].isin(odd).to_numpy()
    named = ", ".join(repr(name[:MAX_NAME]) for name in odd[:5])
    if out.all():
        raise InvalidData(
            "ingest", f"no row has a symbol: {named}", "symbols as AAPL, BRK-B, 7203.T, BTC/USDT",
            faults=[Fault(name, "is no symbol") for name in odd],
        )  # fmt: skip
    remark = f"{out.sum():,} rows of {len(odd)} names that are no symbols left out: {named}"
    return part(bars, ~out), is_index[~out], [remark]


def part(bars: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Some of the rows, with the symbols that occur in them."""
    chosen = bars if rows.all() else bars[rows].reset_index(drop=True)
    return chosen.assign(symbol=chosen[SYMBOL].cat.remove_unused_categories())


def final(
    bars: pd.DataFrame, read: Iterable[PriceFile], calendar: Calendar, now: pd.Timestamp
) -> tuple[np.ndarray, list[str]]:
    """Whether each bar was downloaded after its session closed; and what there is to say of that.

    A bar is final if the time stamp of its file (of the zip's member) lies after the close of its
    session. A time stamp before the newest bar's day proves nothing, since copying and unpacking
    change it: then a bar is final if its session is over now. A time of day that only this row has
    is when the bar was read: one before the close makes it provisional whatever the stamp.

    Parameters
    ----------
    now
        In UTC (naive).
    """
    read = list(read)
    codes = bars["file"].cat.codes.to_numpy()
    sessions = bars[SESSION].to_numpy()
    newest = pd.Series(sessions).groupby(codes).max()
    written = pd.Series([file.document.written for file in read])
    before = (
        written.index.isin(newest.index)
        & (written < pd.Series(newest).reindex(written.index)).to_numpy()
    )
    read_at = [now if odd else at for at, odd in zip(written, before, strict=True)]
    closed = np.array([calendar.closed_by(at) for at in read_at], dtype="datetime64[us]")
    is_final = sessions <= closed[codes]
    clock = bars["clock"].to_numpy()
    as_of = ~np.isnat(clock)
    if as_of.any():
        zone = timezone(calendar.name)
        moments = pd.DatetimeIndex(sessions[as_of] + clock[as_of]).tz_localize(
            zone, ambiguous=True, nonexistent="shift_forward"
        )
        closes = calendar.closes_of(sessions[as_of])
        early = moments.tz_convert("UTC").tz_localize(None).to_numpy() < closes
        is_final[as_of] &= ~early
    names = [file.document.name for file, odd in zip(read, before, strict=True) if odd]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    note = f"time stamps of {shown} lie before their newest bars and say nothing of these"
    return is_final, [note] if names else []


def reports(read: Iterable[PriceFile]) -> list[str]:
    """How the files were read, alike ones in one line."""
    alike: dict[str, list[str]] = {}
    for file in read:
        alike.setdefault(file.prices.report, []).append(file.document.name)
    return [
        f"{files[0] if len(files) == 1 else f'{len(files)} files'}: {report}"
        for report, files in alike.items()
    ]
