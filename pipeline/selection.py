"""Which sessions and symbols a stage is run for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.commands import Command
from pipeline.errors import NotReady
from pipeline.schemas import SESSION


@dataclass(frozen=True)
class Selection:
    """A range of sessions, an exchange, some symbols; all None: whatever is missing.

    Attributes
    ----------
    first, last
        Days, both inclusive.
    exchange
        Of the stocks.
    symbols
        As the store writes them.
    """

    first: pd.Timestamp | None = None
    last: pd.Timestamp | None = None
    exchange: str | None = None
    symbols: tuple[str, ...] | None = None

    @property
    def is_partial(self) -> bool:
        """Whether a part was requested, instead of all that is missing."""
        parts = (self.first, self.last, self.exchange, self.symbols)
        return any(part is not None for part in parts)

    @property
    def by_symbol(self) -> bool:
        """Whether some symbols were requested, by name or by exchange."""
        return self.symbols is not None or self.exchange is not None

    def within(self, sessions: pd.DatetimeIndex, who: str) -> pd.DatetimeIndex:
        """The sessions in the range.

        Raises
        ------
        NotReady
            None is.
        """
        chosen = sessions
        if self.first is not None:
            chosen = chosen[chosen >= self.first]
        if self.last is not None:
            chosen = chosen[chosen <= self.last]
        if chosen.empty:
            start = f"{self.first:%Y-%m-%d}" if self.first is not None else "the start"
            end = f"{self.last:%Y-%m-%d}" if self.last is not None else "the end"
            raise NotReady(
                who,
                f"no session with bars from {start} to {end}",
                f"dates from {sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}",
                Command("status"),
            )
        return chosen

    def among(self, listed: pd.DataFrame, who: str) -> list[str] | None:
        """The requested symbols among those listed; None: all of them.

        Parameters
        ----------
        listed
            The store's stocks by symbol, with a column exchange.

        Raises
        ------
        NotReady
            No symbol is on that exchange.
        """
        if self.exchange is None:
            return None if self.symbols is None else list(self.symbols)
        traded_there = listed.index[listed["exchange"] == self.exchange]
        if traded_there.empty:
            known = ", ".join(sorted(listed["exchange"].dropna().unique())) or "none recorded"
            raise NotReady(
                who, f"no symbol on exchange {self.exchange!r}", f"one of: {known}",
                Command("status"),
            )  # fmt: skip
        return [name for name in traded_there if self.symbols is None or name in self.symbols]


CELLS = 1 << 22
"""Sessions x symbols that a stage calculates at once: some 3 GB, whatever the width of a panel."""


def blocks(sessions: pd.DatetimeIndex, symbols: int, look_back: int) -> Iterator[pd.DatetimeIndex]:
    """Whole months, in order, of which each part with the sessions before it has `CELLS` cells.

    A part has at least half as many sessions as it looks back, so that what is calculated twice
    stays within bounds.

    Parameters
    ----------
    symbols
        Width of the panel.
    look_back
        Sessions before a part that are loaded with it.
    """
    room = CELLS // max(symbols, 1) - look_back
    at_most = max(room, look_back // 2, 1)
    start = 0
    while start < len(sessions):
        end = min(start + at_most, len(sessions))
        month = sessions[end - 1].to_period("M")
        while end < len(sessions) and sessions[end].to_period("M") == month:
            end += 1
        yield sessions[start:end]
        start = end


def sessions_before(sessions: pd.DatetimeIndex, first: pd.Timestamp, count: int) -> pd.Timestamp:
    """The session `count` sessions before `first`, or the first one there is."""
    place = int(np.searchsorted(sessions.to_numpy(), np.datetime64(first)))
    return pd.Timestamp(sessions[max(place - count, 0)])


def with_following(sessions: pd.DatetimeIndex, following: pd.Timestamp) -> pd.DatetimeIndex:
    """The sessions and a later one."""
    later = pd.DatetimeIndex([following]).as_unit("us")
    return pd.DatetimeIndex(sessions.append(later), name=SESSION)
