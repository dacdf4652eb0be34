"""The market around a backtest, which its tear sheet explains it by."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, kw_only=True)
class MarketContext:
    """What a backtest is explained by; all known after the last session's close.

    Attributes
    ----------
    open, close
        Prices of the sessions traded in currency per share, sessions x symbols.
    regimes
        Known at the open, by session.
    previous_session
        The one before the first traded, where curves start.
    sectors
        By symbol, as of the day their table was made.
    index_returns
        Open-to-close return of the market's index by session, a fraction, named by the index;
        empty where there is none to show.
    index_note
        Why there is no index; empty where there is one or none is configured.
    min_edge
        The return a forecast must exceed to be traded, a fraction.
    """

    open: pd.DataFrame
    close: pd.DataFrame
    regimes: pd.Series
    previous_session: pd.Timestamp
    sectors: pd.Series
    index_returns: pd.Series
    index_note: str
    min_edge: float
