"""What a person overrules: `data.accept` with symbols, and with single sessions of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import InvalidSettings
from pipeline.io.sources.files.splits import Event
from pipeline.io.sources.files.symbols import symbol
from pipeline.schemas import SESSION, SYMBOL


@dataclass(frozen=True)
class Accepted:
    """Prices that are right although they look wrong.

    Attributes
    ----------
    symbols
        Whole symbols.
    bars
        Symbol and session of single bars; a move into such a session is no split.
    """

    symbols: frozenset[str]
    bars: frozenset[tuple[str, np.datetime64]]

    @classmethod
    def of(cls, entries: Iterable[str], *, share_class_by_dot: bool) -> Accepted:
        """Entries such as ``DHG`` and ``KLAC:2020-03-16``.

        Raises
        ------
        InvalidSettings
            What stands behind the colon is no date.
        """
        symbols, bars = set(), set()
        for entry in entries:
            name, mark, day = entry.rpartition(":")
            if not mark:
                symbols.add(symbol(entry, share_class_by_dot=share_class_by_dot))
                continue
            session = pd.to_datetime(day, format="%Y-%m-%d", errors="coerce")
            if pd.isna(session):
                needed = "a symbol, or symbol:session as KLAC:2020-03-16"
                raise InvalidSettings("data", f"data.accept={entry}", needed)
            written = symbol(name, share_class_by_dot=share_class_by_dot)
            bars.add((written, session.to_datetime64().astype("datetime64[us]")))
        return cls(frozenset(symbols), frozenset(bars))

    @property
    def events(self) -> list[Event]:
        """That the moves into the accepted sessions were real."""
        return [Event(name, session, 1.0, sure=True) for name, session in sorted(self.bars)]

    def covers(self, bars: pd.DataFrame) -> np.ndarray:
        """Whether each bar is accepted, by its symbol or by itself."""
        covered = np.array(bars[SYMBOL].isin(self.symbols))
        for name, session in self.bars:
            covered |= ((bars[SYMBOL] == name) & (bars[SESSION] == session)).to_numpy()
        return covered
