"""Names shared by every layer: columns, indices, dtypes, and what "known at t" means.

Decision time of session ``t`` is *pre-open*: everything up to the close of ``t-1`` is known,
nothing of ``t`` is. A *snapshot* row of (symbol, t) holds only such values. A *label* row of
(symbol, t) is known once the final bar of ``t`` exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

import pandas as pd

SESSION = "session"
SYMBOL = "symbol"
ROW = [SESSION, SYMBOL]
"""Index of every long frame, sorted by session, then symbol."""

BAR_FIELDS = ("open", "high", "low", "close", "volume")
INDICATORS = ("rsi_14", "macd", "macd_signal", "macd_histogram", "atr_14", "obv")
LABELS = ("intraday_return", "max_favorable_excursion", "max_adverse_excursion")
TARGET = "intraday_return"
SECTOR = "sector"
STATIC = ("exchange", SECTOR)
"""Attributes of a symbol as of the day its table was made, used for all sessions alike."""

INDICATED = "indicated_"
"""Start of the columns that rise with a symbol's own indicated open: no forecast may rise with
one of them."""

UNIVERSE_INDEX = "UNIVERSE"
"""Name of the equal-weight mean of the universe where no index is given."""

MODEL_NAME = "intraday_return"
PROJECT_NAME = "daytrade"
"""In MLproject, and of the experiment by default."""

SESSIONS_A_YEAR = 252

Panel = Mapping[str, pd.DataFrame]
"""One wide frame (index = session, columns = symbol) per field."""


class Regime(StrEnum):
    """State of the market at the open of a session, from data up to the session before."""

    BULL_TRENDING = "BULL_TRENDING"
    BEAR_TRENDING = "BEAR_TRENDING"
    HIGH_VOL = "HIGH_VOL"
    LOW_VOL = "LOW_VOL"
    RANGING = "RANGING"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class BarPanel:
    """Daily bars, wide: each field is a float64 frame, sessions x symbols.

    Both axes are sorted and named; a bar that does not exist is NaN in every field.
    Prices are in currency per share, volume in shares.
    """

    open: pd.DataFrame
    high: pd.DataFrame
    low: pd.DataFrame
    close: pd.DataFrame
    volume: pd.DataFrame

    @property
    def sessions(self) -> pd.DatetimeIndex:
        """Sessions of the panel."""
        return pd.DatetimeIndex(self.close.index)

    @property
    def symbols(self) -> pd.Index:
        """Symbols of the panel."""
        return self.close.columns

    def loc(self, sessions: slice | pd.Index, symbols: pd.Index | None = None) -> BarPanel:
        """The same panel on fewer (or more: NaN) sessions and symbols."""

        def part(frame: pd.DataFrame) -> pd.DataFrame:
            cut = frame.loc[sessions] if isinstance(sessions, slice) else frame.reindex(sessions)
            return cut if symbols is None else cut.reindex(columns=symbols)

        return replace(self, **{f.name: part(getattr(self, f.name)) for f in fields(self)})


QUOTED_TO = 8
"""Decimals: what a stored price was divided by and is multiplied by again leaves no other trace."""


def as_quoted(prices: pd.DataFrame, factor: pd.DataFrame | None) -> pd.DataFrame:
    """Stored prices as they were quoted in their sessions, before later splits divided them.

    Parameters
    ----------
    prices
        Currency per share, sessions x symbols.
    factor
        What they are multiplied by: all these sessions x some symbols; None: nothing is known.
    """
    if factor is None:
        return prices
    here = factor.reindex(index=prices.index, columns=prices.columns).fillna(1.0)
    return prices.where(here == 1.0, (prices * here).round(QUOTED_TO))
