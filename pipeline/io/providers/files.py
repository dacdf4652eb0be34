"""Bars from your own CSV or Parquet files.

A path is a file or a folder; each file holds one symbol or many (`layouts`, `columns`), and is read
only where it can mean one thing (`dates`, `numbers`, `names`). One that cannot is set aside with
its reason while the others of the folder load; where nothing is left, it is an error. Bars that
break a rule (`cleaning`), and symbols whose prices can be read in two ways (`suspicion`, `splits`),
are set aside too. Prices are adjusted for splits that a file names and its prices show, and for
those of ``data.splits_path``; for dividends by ``data.adjust_dividends`` alone.

A bar is final where the file was written after its session closed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from pipeline.errors import InvalidData, InvalidSettings
from pipeline.io.calendar import Calendar, timezone
from pipeline.io.providers import Delivery, cut
from pipeline.io.providers.cleaning import RULES, faults, gaps, long, quarantine
from pipeline.io.providers.described import described, said_splits
from pipeline.io.providers.gathering import PriceFile, final, joined, part, reports
from pipeline.io.providers.layouts import is_prices
from pipeline.io.providers.reading import Reading, prices, share_class_by_dot
from pipeline.io.providers.splits import PRICES, Event, apply, events, seams
from pipeline.io.providers.suspicion import remarks, suspects
from pipeline.schemas import SESSION, SYMBOL

SHOWN = 5


@dataclass(frozen=True)
class _Loaded:
    """All that the files hold, cleaned."""

    stocks: Delivery
    indices: Delivery
    symbols: pd.DataFrame


class Files:
    """Your own files as a `pipeline.io.providers.Provider`.

    Parameters
    ----------
    path, index_path
        A file, or a folder of them, with stocks; with indices. Symbols with a caret are indices
        wherever they stand.
    symbols_path
        A CSV with columns symbol, and exchange, sector, name, as far as they are known.
    splits_path
        A CSV with columns symbol, session, ratio: splits to apply; ratio 1 says a move was real.
    accept
        Symbols whose prices are right although they look like another company's.

    Raises
    ------
    InvalidSettings
        A path is missing or leads nowhere.
    """

    name = "files"

    def __init__(
        self,
        path: Path | None = None,
        index_path: Path | None = None,
        *,
        symbols_path: Path | None = None,
        splits_path: Path | None = None,
        accept: Iterable[str] = (),
        reading: Reading | None = None,
    ) -> None:
        if path is None:
            raise InvalidSettings(
                "data", "data=files without data.path", "a CSV or Parquet file, or a folder",
                "python -m pipeline.stages.ingest data=files data.path=prices/",
            )  # fmt: skip
        given = {"path": path, "index_path": index_path, "symbols_path": symbols_path}
        given |= {"splits_path": splits_path}
        for key, where in given.items():
            if where is not None and not where.exists():
                raise InvalidSettings("data", f"data.{key}={where} does not exist", "a path")
        if index_path == path:
            found = f"data.index_path={index_path} is data.path"
            raise InvalidSettings("data", found, "indices in files of their own")
        self._paths = {key: where for key, where in given.items() if where is not None}
        self._accept = tuple(accept)
        self._reading = reading or Reading()
        self.exchange_calendar = self._reading.exchange_calendar

    @property
    def version(self) -> str:
        """Digest of names, sizes and times of the files, and of how they are read."""
        state = [repr(self._reading), repr(self._accept), str(RULES)]
        for key, where in self._paths.items():
            for file in _files(where, ()):
                found = file.stat()
                state.append(f"{key} {file} {found.st_size} {found.st_mtime_ns}")
        return f"files {hashlib.sha256('|'.join(state).encode()).hexdigest()[:16]}"

    def symbols(self) -> pd.DataFrame:
        """Attributes from the symbol table, else from the files' own columns."""
        return self._loaded.symbols

    def bars(
        self,
        symbols: Iterable[str] | None = None,
        start: pd.Timestamp | None = None,
        end: pd.Timestamp | None = None,
    ) -> Delivery:
        """Bars of stocks, adjusted for splits."""
        return cut(self._loaded.stocks, None if symbols is None else set(symbols), start, end)

    def index_bars(
        self, start: pd.Timestamp | None = None, end: pd.Timestamp | None = None
    ) -> Delivery:
        """Bars of indices; volume is NaN where a file has none."""
        return cut(self._loaded.indices, None, start, end)

    def last_session(self) -> pd.Timestamp:
        """The newest session of a stock's bar."""
        return pd.Timestamp(self._loaded.stocks.bars.index[-1][0])

    @cached_property
    def _loaded(self) -> _Loaded:
        read, set_aside = self._read()
        bars, is_index = joined(read)
        today = pd.Timestamp.now(timezone(self.exchange_calendar)).tz_localize(None).normalize()
        first, last = bars[SESSION].min(), min(bars[SESSION].max(), today)
        calendar = Calendar(self.exchange_calendar, min(first, last), last)
        bars["final"] = final(bars, read, calendar)
        by_dot = share_class_by_dot(self._reading)
        said = said_splits(self._paths.get("splits_path"), share_class_by_dot=by_dot)
        stocks = self._cleaned(part(bars, ~is_index), calendar, said, is_index=False)
        indices = self._cleaned(part(bars, is_index), calendar, [], is_index=True)
        symbols, said_of_symbols = described(
            {"stock": _names(stocks), "index": _names(indices)},
            [file.prices.described for file in read],
            self._paths.get("symbols_path"),
            share_class_by_dot=by_dot,
        )
        notes = (*reports(read), *said_of_symbols, *stocks.notes)
        refused = {**set_aside, **stocks.set_aside, **indices.set_aside}
        if stocks.bars.empty and indices.bars.empty:
            raise _nothing(self._paths["path"], refused, stocks.quarantine)
        stocks = replace(stocks, notes=notes, set_aside={**set_aside, **stocks.set_aside})
        all_read = not set_aside
        return _Loaded(
            replace(stocks, all_read=all_read), replace(indices, all_read=all_read), symbols
        )

    def _read(self) -> tuple[list[PriceFile], dict[str, str]]:
        """Every file that can be read, and why the others cannot.

        Raises
        ------
        InvalidData
            None can be read; a single one says why itself.
        """
        kept, refused = [], {}
        for key in ("path", "index_path"):
            for file in self._listed(key):
                try:
                    held = prices(file, self._reading, is_index=key == "index_path")
                    kept.append(PriceFile(file, held, key == "index_path"))
                except InvalidData as error:
                    if file in self._paths.values():  # given by its own name
                        raise
                    refused[file.name] = f"{error.found}; needed: {error.needed}"
        if not kept:
            raise _nothing(self._paths["path"], refused)
        return kept, refused

    def _listed(self, key: str) -> list[Path]:
        if key not in self._paths:
            return []
        others = [where for other, where in self._paths.items() if other != key]
        return _files(self._paths[key], others)

    def _cleaned(
        self, given: pd.DataFrame, calendar: Calendar, said: Iterable[Event], *, is_index: bool
    ) -> Delivery:
        """Bars without those that break a rule, adjusted, without symbols that are suspect."""
        adjusts = self._reading.adjust_dividends and not is_index
        reasons = faults(given, calendar, is_index=is_index, adjusts=adjusts)
        good = given[reasons == ""]
        found = [] if is_index else events(given, said)
        good, applied = apply(good, found)
        refused = suspects(given, reasons, calendar, is_index=is_index)
        refused |= {} if is_index else seams(good, found)
        refused = {name: why for name, why in refused.items() if name not in self._accept}
        if adjusts:
            factor = good["adjusted_close"] / good["close"]
            good = good.assign(**{name: good[name] * factor for name in PRICES})
        if refused:
            good = good[~good[SYMBOL].isin(refused).to_numpy()]
            is_refused = given[SYMBOL].isin(refused).to_numpy()
            given, reasons = given[~is_refused], reasons[~is_refused]
        notes = [f"splits applied: {', '.join(map(str, applied))}"] if applied else []
        notes += remarks(good, is_index=is_index)
        provisional = int((~good["final"]).sum())
        if provisional:
            notes.append(f"{provisional} bars are provisional: written before their session closed")
        return Delivery(
            long(good),
            quarantine(given, reasons),
            gaps(given, good, calendar, is_index=is_index),
            tuple(notes),
            refused,
        )


def _files(where: Path, others: Iterable[Path]) -> list[Path]:
    if where.is_file():
        return [where]
    return sorted(f for f in where.iterdir() if f.is_file() and is_prices(f) and f not in others)


def _names(delivery: Delivery) -> list[str]:
    return [str(name) for name in delivery.bars.index.unique(SYMBOL)]


def _nothing(
    where: Path, refused: Mapping[str, str], left_out: pd.DataFrame | None = None
) -> InvalidData:
    shown = [f"{name}: {why}" for name, why in list(refused.items())[:SHOWN]]
    more = len(refused) - len(shown)
    if left_out is not None and len(left_out):
        shown += [f"{n} bars: {why}" for why, n in left_out["reason"].value_counts().items()]
    listed = "".join(f"\n    - {line}" for line in shown) + (
        f"\n    and {more} more" if more > 0 else ""
    )
    found = f"{where}: no bar can be loaded{listed or ': no CSV or Parquet file in it'}"
    return InvalidData("ingest", found, "daily bars that can be read in one way")
