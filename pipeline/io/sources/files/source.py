"""Bars from your own CSV or Parquet files.

A path is a file or a folder; each file holds one symbol or many (`layouts`, `columns`), and is read
only where it can mean one thing (`dates`, `numbers`, `names`). One that cannot is refused with
its reason while the others of the folder load; where nothing is left, it is an error. Bars that
break a rule (`cleaning`), and symbols whose prices can be read in two ways (`suspicion`, `splits`),
are quarantined too. Prices are adjusted for splits that a file names and its prices show, and for
those of ``data.splits_path``; for dividends by ``data.adjust_dividends`` alone.

A bar is final where the file was written after its session closed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.commands import Command
from pipeline.errors import InvalidData, InvalidSettings
from pipeline.io.calendar import Calendar, timezone
from pipeline.io.sources.bar_rules import PRICES
from pipeline.io.sources.files.accepting import Accepted
from pipeline.io.sources.files.cleaning import RULES, faults, gaps, long, lost, quarantine
from pipeline.io.sources.files.documents import Document, files, ignored, listed
from pipeline.io.sources.files.merging import (
    PriceFile,
    final,
    joined,
    of_names,
    part,
    reports,
)
from pipeline.io.sources.files.naming import share_class_by_dot
from pipeline.io.sources.files.numbers import Undecided
from pipeline.io.sources.files.parsing import Evidence, prices
from pipeline.io.sources.files.pieces import pieces
from pipeline.io.sources.files.plausibility import remarks, suspects
from pipeline.io.sources.files.refusals import SHOWN, nothing, why
from pipeline.io.sources.files.seams import seams
from pipeline.io.sources.files.spikes import spikes
from pipeline.io.sources.files.splits import Event, actions, apply, events, payments, reported
from pipeline.io.sources.files.symbol_table import given_splits, symbol_table
from pipeline.io.sources.protocol import Delivery, cut, no_actions
from pipeline.io.sources.settings import FilesData
from pipeline.schemas import SESSION, SYMBOL

NAMED = 50
NOT_OF_READING = {"name", "market_index", "max_withdrawn", "max_megabytes", "max_field_characters"}
"""Settings that do not change what is read."""


@dataclass(frozen=True)
class _Loaded:
    """All that the files hold, cleaned."""

    stocks: Delivery
    indices: Delivery
    symbols: pd.DataFrame


class Files:
    """Your own files as a `pipeline.io.sources.protocol.Provider`.

    Raises
    ------
    InvalidSettings
        A path is missing or leads nowhere.
    """

    name = "files"

    def __init__(self, how: FilesData) -> None:
        if how.path is None:
            raise InvalidSettings(
                "data", "data=files without data.path", "a CSV or Parquet file, or a folder",
                Command("ingest", "data=files", "data.path=prices/"),
            )  # fmt: skip
        keys = ("path", "index_path", "symbols_path", "splits_path")
        self._paths = {key: where for key in keys if (where := getattr(how, key)) is not None}
        for key, where in self._paths.items():
            if not where.exists():
                raise InvalidSettings("data", f"data.{key}={where} does not exist", "a path")
        if how.index_path == how.path:
            found = f"data.index_path={how.index_path} is data.path"
            raise InvalidSettings("data", found, "indices in files of their own")
        self._how = how
        self.exchange_calendar = how.exchange_calendar

    @property
    def version(self) -> str:
        """Digest of names, sizes and times of the files, and of how they are read."""
        state = [self._how.model_dump_json(exclude=NOT_OF_READING), str(RULES)]
        for key, where in self._paths.items():
            for file in files(where):
                state.append(f"{key} {file} {file.stat().st_size} {file.stat().st_mtime_ns}")
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
        read, unreadable = self._read()
        bars, is_index, unnamed = of_names(*joined(read))
        today = pd.Timestamp.now(timezone(self.exchange_calendar)).tz_localize(None).normalize()
        first, last = bars[SESSION].min(), min(bars[SESSION].max(), today)
        calendar = Calendar(self.exchange_calendar, min(first, last), last)
        now = pd.Timestamp.now("UTC").tz_localize(None)
        bars["final"], remarks = final(bars, read, calendar, now)
        by_dot = share_class_by_dot(self._how)
        limit, splits = self._how.max_megabytes, self._paths.get("splits_path")
        known_splits = given_splits(splits, limit, share_class_by_dot=by_dot)
        known_splits += self._accepted.events
        stocks = self._cleaned(part(bars, ~is_index), calendar, known_splits, pieces(read))
        indices = self._cleaned(part(bars, is_index), calendar, [], {}, is_index=True)
        symbols, described = symbol_table(
            {"stock": _names(stocks), "index": _names(indices)},
            [file.prices.described for file in read],
            self._paths.get("symbols_path"),
            limit,
            share_class_by_dot=by_dot,
        )
        notes = (
            *reports(read),
            *self._ignored(read),
            *unnamed,
            *remarks,
            *described,
            *stocks.notes,
        )
        refused = {**unreadable, **stocks.refused, **indices.refused}
        if stocks.bars.empty and indices.bars.empty:
            raise nothing(self._paths["path"], refused, stocks.quarantine)
        stocks = replace(stocks, notes=notes, refused={**unreadable, **stocks.refused})
        all_read = not unreadable
        return _Loaded(
            replace(stocks, all_read=all_read), replace(indices, all_read=all_read), symbols
        )

    def _read(self) -> tuple[list[PriceFile], dict[str, str]]:
        """Every file that can be read, and why the others cannot.

        What a file leaves open, such as its decimal mark, is settled by the files that prove it.

        Raises
        ------
        InvalidData
            None can be read; a single one says why itself.
        """
        read: list[PriceFile] = []
        refused: dict[str, str] = {}
        waiting: list[tuple[Document, bool]] = []
        for key in ("path", "index_path"):
            documents, unread = self._listed(key)
            refused |= unread
            waiting += [(document, key == "index_path") for document in documents]
        read, refused_first, undecided = self._parsed(waiting, None)
        folder = Evidence.of([file.prices.evidence for file in read])
        later, refused_later, _ = self._parsed(undecided, folder)
        refused |= {**refused_first, **refused_later}
        if not read and not later:
            others = dict.fromkeys(self._ignored([]), "")
            raise nothing(self._paths["path"], refused or others)
        order = {document.name: place for place, (document, _) in enumerate(waiting)}
        return sorted([*read, *later], key=lambda file: order[file.document.name]), refused

    def _parsed(
        self, documents: Iterable[tuple[Document, bool]], folder: Evidence | None
    ) -> tuple[list[PriceFile], dict[str, str], list[tuple[Document, bool]]]:
        """Files that can be read, why others cannot, and those that other files may settle."""
        read, refused, undecided = [], {}, []
        for document, is_index in documents:
            try:
                document.require_size(self._how.max_megabytes)
                held = prices(document, self._how, is_index=is_index, folder=folder)
                read.append(PriceFile(document, held, is_index))
            except InvalidData as error:
                alone = document.path in self._paths.values() and not document.member
                if isinstance(error, Undecided) and folder is None and not alone:
                    undecided.append((document, is_index))
                elif alone:  # given by its own name
                    raise
                else:
                    refused[document.name] = why(error)
        return read, refused, undecided

    def _listed(self, key: str) -> tuple[list[Document], dict[str, str]]:
        if key not in self._paths:
            return [], {}
        where = self._paths[key]
        others = [other for name, other in self._paths.items() if name != key]
        return listed(where, [other for other in others if other not in where.parents])

    def _ignored(self, read: Iterable[PriceFile]) -> list[str]:
        where = self._paths["path"]
        documents, unread = self._listed("path")
        known = {*self._paths.values()}
        names = [
            name for name in ignored(where, documents, unread)
            if not known & {where / name, *(where / name).parents} - {where, *where.parents}
        ]  # fmt: skip
        shown = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
        return [f"{len(names)} other files hold no prices: {shown}"] if names else []

    @cached_property
    def _accepted(self) -> Accepted:
        return Accepted.of(self._how.accept or (), share_class_by_dot=share_class_by_dot(self._how))

    def _cleaned(
        self,
        given: pd.DataFrame,
        calendar: Calendar,
        known: Iterable[Event],
        odd: Mapping[str, str],
        *,
        is_index: bool = False,
    ) -> Delivery:
        """Bars without those that break a rule, adjusted, without symbols that are suspect."""
        adjusts = self._how.adjust_dividends and not is_index
        reasons = faults(given, calendar, is_index=is_index, adjusts=adjusts)
        good = given[reasons == ""]
        splits = [] if is_index else events(given, known)
        paid = [] if is_index else payments(good, splits)
        ex = no_actions() if is_index else actions(good, splits)
        all_splits = frozenset() if is_index or adjusts else reported(good, splits)
        good, applied, unclear = apply(good, splits)
        if not is_index:
            good = self._without_spikes(good, reasons)
        refused = suspects(given, reasons, calendar, is_index=is_index)
        sure = [event for event in splits if event.sure]
        steps, taken = ({}, []) if is_index else seams(good, sure, applied)
        refused |= {**steps, **odd}
        refused = {n: why for n, why in refused.items() if n not in self._accepted.symbols}
        if adjusts:
            factor = good["adjusted_close"] / good["close"]
            good = good.assign(**{name: good[name] * factor for name in PRICES})
        if refused:
            good = good[~good[SYMBOL].isin(refused).to_numpy()]
            is_refused = given[SYMBOL].isin(refused).to_numpy()
            given, reasons = given[~is_refused], reasons[~is_refused]
        notes = [f"splits applied: {', '.join(map(str, applied))}"] if applied else []
        if unclear:
            small = ", ".join(map(str, unclear[:SHOWN])) + (", ..." if len(unclear) > SHOWN else "")
            notes.append(
                f"{len(unclear)} splits too small to be seen, taken as in the prices already: "
                f"{small}; data.splits_path says otherwise"
            )
        notes += [*paid, *taken, *remarks(good, is_index=is_index), *lost(given, good, reasons)]
        provisional = int((~good["final"]).sum())
        if provisional:
            notes.append(f"{provisional} bars are provisional: written before their session closed")
        return Delivery(
            long(good),
            quarantine(given, reasons),
            gaps(given, good, calendar, is_index=is_index),
            tuple(notes),
            refused,
            actions=ex[~ex[SYMBOL].isin(refused)],
            all_splits=all_splits.difference(refused),
        )

    def _without_spikes(self, good: pd.DataFrame, reasons: np.ndarray) -> pd.DataFrame:
        """Good bars without those that the next session takes back; they enter `reasons`."""
        broken = spikes(good)
        broken[self._accepted.covers(good)] = ""
        odd = broken != ""
        reasons[good.index.to_numpy()[odd]] = broken[odd]
        return good[~odd] if odd.any() else good


def _names(delivery: Delivery) -> list[str]:
    return [str(name) for name in delivery.bars.index.unique(SYMBOL)]
