"""Predictions to trades: the market they are traded on, and the books that come out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from pipeline.io.store import Store
from pipeline.schemas import SESSION, SYMBOL
from pipeline.settings import Settings
from pipeline.stages import _data, _index
from pipeline.stages._recipe import rules
from pipeline.trading.backtest import Backtest, backtest
from pipeline.trading.liquidity import liquidity
from pipeline.trading.performance import equal_weight_benchmark, summary


@dataclass(frozen=True)
class Market:
    """Wide frames of the traded sessions; `previous_close` and on are known before the open."""

    open: pd.DataFrame
    close: pd.DataFrame
    previous_close: pd.DataFrame
    dollar_volume: pd.DataFrame
    regimes: pd.Series
    previous_session: pd.Timestamp

    def at(self, sessions: pd.DatetimeIndex) -> Market:
        """The market of some of the sessions."""
        wide = ("open", "close", "previous_close", "dollar_volume", "regimes")
        return replace(self, **{name: getattr(self, name).loc[sessions] for name in wide})


def market(settings: Settings, store: Store, sessions: pd.DatetimeIndex) -> Market:
    """What trading these sessions needs; a session later than all bars has no open or close."""
    calendar = store.sessions().union(sessions)
    start = _data.sessions_before(calendar, sessions[0], LOADED_BEFORE)
    bars = store.bar_panel(start=start, end=sessions[-1])
    bars = bars.loc(bars.sessions.union(sessions))
    known = _index.regimes(settings, store)
    return Market(
        open=bars.open.loc[sessions],
        close=bars.close.loc[sessions],
        previous_close=bars.close.shift().loc[sessions],
        dollar_volume=liquidity(bars.close, bars.volume).loc[sessions],
        regimes=known["regime"].reindex(sessions).fillna("UNKNOWN"),
        previous_session=_data.sessions_before(calendar, sessions[0], 1),
    )


LOADED_BEFORE = 30
"""Sessions of bars loaded before the first one traded: more than liquidity looks back on."""


def wide(predictions: pd.Series, traded: Market) -> pd.DataFrame:
    """Predictions, sessions x symbols, on the market's axes."""
    return predictions.unstack(SYMBOL).reindex_like(traded.close)


def books(settings: Settings, predictions: pd.Series, traded: Market) -> Backtest:
    """The backtest of these predictions."""
    return backtest(
        wide(predictions, traded),
        traded.open,
        traded.close,
        traded.previous_close,
        traded.dollar_volume,
        traded.regimes,
        rules(settings),
        settings.backtest.bankroll,
        previous_session=traded.previous_session,
    )


def metrics(result: Backtest, traded: Market) -> dict[str, float]:
    """`backtest/*` and `benchmark/*` of the run contract."""
    return summary(result, equal_weight_benchmark(traded.open, traded.close))


def net_returns(settings: Settings, predictions: pd.Series, traded: Market) -> pd.Series:
    """Net strategy return of the sessions that are predicted, for trials."""
    sessions = pd.DatetimeIndex(predictions.index.get_level_values(SESSION).unique())
    return books(settings, predictions, traded.at(sessions)).net_returns
