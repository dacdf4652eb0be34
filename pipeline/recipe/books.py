"""Forecasts to trades: the backtest of a recipe's predictions."""

from __future__ import annotations

import pandas as pd

from pipeline.schemas import SESSION, SYMBOL
from pipeline.trading.backtest import Backtest, backtest, traded_returns
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules


def wide(predictions: pd.Series, market: Market) -> pd.DataFrame:
    """Predictions of (session, symbol) rows on the market's axes, sessions x symbols.

    Parameters
    ----------
    predictions
        By (session, symbol), as fractions.

    Returns
    -------
    DataFrame
        On the axes of ``market.close``, NaN where nothing is predicted.
    """
    return predictions.unstack(SYMBOL).reindex_like(market.close)


def books(rules: Rules, bankroll: float, predictions: pd.Series, market: Market) -> Backtest:
    """The backtest of these predictions, open to close, net of costs.

    Parameters
    ----------
    bankroll
        Currency before the first session.
    predictions
        Open-to-close returns by (session, symbol), as fractions, known at decision time.
    market
        Of all sessions that are predicted, or more.
    """
    return backtest(wide(predictions, market), market, rules, bankroll)


def net_returns(rules: Rules, bankroll: float, market: Market, predictions: pd.Series) -> pd.Series:
    """Net strategy return (a fraction) of the sessions that are predicted."""
    sessions = pd.DatetimeIndex(predictions.index.get_level_values(SESSION).unique())
    traded = market.at(sessions)
    return traded_returns(wide(predictions, traded), traded, rules, bankroll)
