"""What a source of daily bars delivers, whatever it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pandas as pd

from pipeline.schemas import ROW, SESSION, SYMBOL

EVERY_SYMBOL = "*"
"""Stands in a gap's symbol column where the source lacks the whole session."""

NOT_DELIVERED = "not delivered"
"""Reasons of gaps that the source may fill when it is queried again begin with this."""

DELISTED = "delisted"
"""Reason of the gap at the newest session requested, where the source no longer has the symbol."""


def no_actions() -> pd.DataFrame:
    """An empty table of corporate actions."""
    columns = {SESSION: "datetime64[us]", SYMBOL: "str", "split": "float64", "dividend": "float64"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


@dataclass(frozen=True)
class Earnings:
    """Earnings dates as a source lists them at a moment.

    Attributes
    ----------
    rows
        Session (the day in the exchange's zone), symbol, announced_at (ISO text, UTC),
        eps_estimate, eps_reported (currency per share) and surprise_percent, NaN where unknown.
    reasons
        Why there are none, by symbol.
    downloaded_at
        Moment of the download, in UTC: the dates are known since.
    """

    rows: pd.DataFrame
    reasons: Mapping[str, str]
    downloaded_at: pd.Timestamp


@dataclass(frozen=True)
class Delivery:
    """What a source delivered for some symbols and sessions, cleaned.

    Attributes
    ----------
    bars
        Long, indexed by ``schemas.ROW``, sorted: ``schemas.BAR_FIELDS`` in float64 and ``final``
        (bool: read after the session closed).
    quarantine
        Bars left out, as the source gave them: session, symbol, reason, ``schemas.BAR_FIELDS``.
    gaps
        Bars the source lacks: session, symbol (``EVERY_SYMBOL`` for a whole session), reason.
    notes
        How the source was read, in words.
    refused
        Files and symbols of which nothing was taken, with the reason.
    all_read
        Whether no file was refused: then a symbol that is absent is not hidden in one.
    actions
        Corporate actions that the source reports beside its bars, by the session on which they go
        ex: session, symbol, split (new shares for one old one, NaN: none) and dividend (currency
        per share, NaN: none).
    all_splits
        Symbols whose prices were divided by the splits among these actions alone: multiplied by
        them again they are those that were quoted. Of others nobody knows.
    """

    bars: pd.DataFrame
    quarantine: pd.DataFrame
    gaps: pd.DataFrame
    notes: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    all_read: bool = True
    actions: pd.DataFrame = field(default_factory=no_actions)
    all_splits: frozenset[str] = frozenset()

    @property
    def failed(self) -> pd.Series:
        """Why, by symbol, the source did not answer at all."""
        unanswered = self.gaps["reason"].str.startswith(NOT_DELIVERED)
        return self.gaps[unanswered].set_index(SYMBOL)["reason"]


class Provider(Protocol):
    """A source of daily bars. Dates are tz-naive and inclusive; ``None`` means no bound."""

    @property
    def name(self) -> str:
        """As in ``data.name``; data of different sources never share a store."""
        ...

    @property
    def exchange_calendar(self) -> str:
        """Name of the calendar in ``exchange_calendars``."""
        ...

    @property
    def version(self) -> str | None:
        """Of a source that never changes by itself; None for one that has to be queried again."""
        ...

    def symbols(self) -> pd.DataFrame:
        """Index symbol; columns exchange, sector, name (missing: NaN), kind (stock or index)."""
        ...

    def bars(
        self,
        symbols: Iterable[str] | None = None,
        start: pd.Timestamp | None = None,
        end: pd.Timestamp | None = None,
    ) -> Delivery:
        """Bars of stocks, by default of all."""
        ...

    def index_bars(
        self, start: pd.Timestamp | None = None, end: pd.Timestamp | None = None
    ) -> Delivery:
        """Bars of every index the source has; ^VIX, where it has it, as levels."""
        ...

    def last_session(self) -> pd.Timestamp:
        """The newest completed session the source can deliver: its "today"."""
        ...


class LiveProvider(Provider, Protocol):
    """A source without a version: it has to be queried again for what is new."""

    @property
    def start(self) -> pd.Timestamp:
        """First day it is queried for, where no other is named."""
        ...

    def newest_session(self) -> pd.Timestamp:
        """The newest session that opened; its bar is provisional until `last_session` is here."""
        ...

    @property
    def moment(self) -> pd.Timestamp:
        """Now, in UTC."""
        ...

    def earnings(self, symbols: Iterable[str]) -> Earnings:
        """Earnings dates of stocks, past and announced ones."""
        ...


def cut(
    delivery: Delivery,
    symbols: set[str] | None,
    start: pd.Timestamp | None,
    end: pd.Timestamp | None,
) -> Delivery:
    """The part of a delivery for some symbols and an inclusive range; None means no bound.

    A part in time does not have all splits.
    """
    if symbols is None and start is None and end is None:
        return delivery

    def part(frame: pd.DataFrame) -> pd.DataFrame:
        sessions, names = frame[SESSION], frame[SYMBOL]
        keep = np.ones(len(frame), dtype=bool)
        if start is not None:
            keep &= sessions >= start
        if end is not None:
            keep &= sessions <= end
        if symbols is not None:
            keep &= names.isin(symbols | {EVERY_SYMBOL})
        return frame[keep].reset_index(drop=True)

    bars = part(delivery.bars.reset_index()).set_index(ROW)
    return replace(
        delivery,
        bars=bars,
        quarantine=part(delivery.quarantine),
        gaps=part(delivery.gaps),
        actions=part(delivery.actions),
        all_splits=delivery.all_splits if start is None and end is None else frozenset(),
    )
