"""Predictions to trades: the market they are traded on, and the books that come out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from pipeline.io.store import Store
from pipeline.schemas import SESSION, SYMBOL, UNIVERSE_INDEX, BarPanel
from pipeline.settings import Settings
from pipeline.stages import _data, _index
from pipeline.stages._recipe import rules
from pipeline.trading import estimates
from pipeline.trading.backtest import Backtest, backtest, backtests, traded_returns
from pipeline.trading.benchmarks import REAL_WINDOW
from pipeline.trading.market import Market as Market
from pipeline.trading.performance import equal_weight_benchmark

LOADED_BEFORE = estimates.LOOK_BACK + 16
"""Sessions of bars loaded before the first one traded: room for some that the calendar of a
symbol lacks."""


def market(settings: Settings, store: Store, sessions: pd.DatetimeIndex) -> Market:
    """What trading these sessions needs; a session later than all bars has no open or close."""
    calendar = store.sessions().union(sessions)
    start = _data.sessions_before(calendar, sessions[0], LOADED_BEFORE)
    bars = store.bar_panel(start=start, end=sessions[-1])
    known = _index.regimes(settings, store)
    return Market.of_bars(
        bars.loc(bars.sessions.union(sessions)),
        sessions,
        known["regime"].reindex(sessions).fillna("UNKNOWN"),
        store.symbols("stock")["sector"],
        _data.sessions_before(calendar, sessions[0], 1),
        index=_hedge_index(settings, store, sessions),
        is_hedged=rules(settings).is_hedged,
    )


def _hedge_index(settings: Settings, store: Store, sessions: pd.DatetimeIndex) -> BarPanel | None:
    """Bars of the index that the hedge trades; None where the store lacks it."""
    symbol = settings.strategy.hedge_symbol
    if symbol is None or not rules(settings).is_hedged:
        return None
    if symbol not in store.symbols("index").index:
        return None
    of_index = store.sessions("index")
    start = _data.sessions_before(of_index, sessions[0], REAL_WINDOW + LOADED_BEFORE + 1)
    return store.bar_panel(start, sessions[-1], [symbol], "index")


def wide(predictions: pd.Series, traded: Market) -> pd.DataFrame:
    """Predictions, sessions x symbols, on the market's axes."""
    return predictions.unstack(SYMBOL).reindex_like(traded.close)


def books(settings: Settings, predictions: pd.Series, traded: Market) -> Backtest:
    """The backtest of these predictions."""
    return backtest(wide(predictions, traded), traded, rules(settings), settings.backtest.bankroll)


def several_books(
    several: Sequence[Settings], predictions: pd.Series, traded: Market
) -> Iterator[Backtest]:
    """Backtests of the same predictions under several settings; what they share is done once.

    A market made for settings without a hedge serves none with one.
    """
    asked = [(rules(settings), settings.backtest.bankroll) for settings in several]
    return backtests(wide(predictions, traded), traded, asked)


def benchmark(traded: Market) -> pd.Series:
    """What the strategy is compared with, by session."""
    return equal_weight_benchmark(traded.open, traded.close)


def hedged_by(settings: Settings) -> str | None:
    """What the strategy hedges with: an index, the universe, or None where it does not."""
    if not rules(settings).is_hedged:
        return None
    return settings.strategy.hedge_symbol or UNIVERSE_INDEX


def net_returns(settings: Settings, predictions: pd.Series, traded: Market) -> pd.Series:
    """Net strategy return of the sessions that are predicted, for trials."""
    sessions = pd.DatetimeIndex(predictions.index.get_level_values(SESSION).unique())
    own = traded.at(sessions)
    return traded_returns(wide(predictions, own), own, rules(settings), settings.backtest.bankroll)
