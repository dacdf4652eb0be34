"""Skill beyond the market: forecasts that know when, and returns that the universe did not earn."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from pipeline.learning.metrics import rank_ic
from pipeline.schemas import SESSION, SYMBOL
from pipeline.stats.inference import newey_west_t, paired_test, sharpe_interval
from pipeline.stats.overfitting import deflated_sharpe_by_looks
from pipeline.stats.returns import sharpe
from pipeline.trading.backtest import Backtest
from pipeline.trading.benchmarks import STALE_WITHIN
from pipeline.trading.performance import positions

WARM_UP_FORECASTS = 20
"""Earlier forecasts of a symbol whose mean says what is always forecast of it."""


def members_return(predictions: pd.Series, returns: pd.Series) -> pd.Series:
    """Open-to-close return of holding alike all that the recipe could have traded, by session.

    Parameters
    ----------
    predictions
        By (session, symbol): the recipe's universe is what it made a forecast of.
    returns
        Of the labelled rows.
    """
    traded = returns[returns.index.isin(predictions.index)]
    return traded.groupby(level=SESSION).mean().rename("members_return")


def timing_ic(returns: pd.Series, predictions: pd.Series) -> pd.Series:
    """Rank IC by session of forecasts less the mean of the same symbol's earlier forecasts.

    A universe that was chosen with hindsight makes symbols differ for good, and a model learns
    that; what it always says of a symbol is taken away here. Only forecasts of sessions before are
    looked at, so that noise keeps an IC of 0.

    Returns
    -------
    Series
        NaN while no symbol has enough forecasts before.
    """
    wide = predictions.unstack(SYMBOL).sort_index()
    usual = wide.expanding(WARM_UP_FORECASTS).mean().shift()
    timed = pd.Series((wide - usual).stack().reindex(returns.index)).dropna()
    scores = rank_ic(returns[timed.index], timed)
    return scores.reindex(pd.Index(wide.index, name=SESSION)).rename("timing_ic")


def beyond_members(net: pd.Series, members: pd.Series, looks: float, seed: int) -> dict[str, float]:
    """What a strategy earned over its universe, and over beta times it.

    Parameters
    ----------
    net
        Net strategy return by session.
    members
        Of `members_return`.
    looks
        At these sessions, this one included.
    seed
        Of the bootstraps.

    Returns
    -------
    dict
        ``backtest/``: ``excess_return`` a session over the universe and ``excess_pvalue`` of "no
        more than it"; ``beta``, ``residual_sharpe``, ``residual_sharpe_ci_low`` and
        ``residual_deflated_sharpe`` of net less beta times the universe. NaN where undefined.
    """
    both = pd.DataFrame({"net": net, "members": members}).dropna()
    excess = both["net"] - both["members"]
    spread = float(both["members"].var()) if len(both) > 1 else math.nan
    beta = float(both["net"].cov(both["members"]) / spread) if spread > 0.0 else math.nan
    residual = (both["net"] - beta * both["members"]).dropna()
    low = sharpe_interval(residual, seed=seed)[0] if len(residual) else math.nan
    return {
        "backtest/excess_return": float(excess.mean()) if len(both) else math.nan,
        "backtest/excess_pvalue": paired_test(both["members"], both["net"], seed=seed),
        "backtest/beta": beta,
        "backtest/residual_sharpe": sharpe(residual),
        "backtest/residual_sharpe_ci_low": low,
        "backtest/residual_deflated_sharpe": deflated_sharpe_by_looks(residual, looks),
    }


def activity(result: Backtest) -> dict[str, float]:
    """How much trading the result rests on, and whether its fills were prints of their own.

    Returns
    -------
    dict
        ``backtest/trading_sessions``, those with a position; ``backtest/real_opens``, the part of
        the positions whose open is no copy of the previous close (NaN without any).
    """
    trades = positions(result.ledger)
    moves = (trades["open"] / trades["reference_price"] - 1.0).abs().dropna()
    real = float((moves >= STALE_WITHIN).mean()) if len(moves) else math.nan
    return {
        "backtest/trading_sessions": float(trades[SESSION].nunique()),
        "backtest/real_opens": real,
    }


def skill_metrics(
    result: Backtest,
    returns: pd.Series,
    predictions: pd.Series,
    looks: float,
    seed: int,
) -> dict[str, float]:
    """All of this room; ``test/timing_ic`` and its t over sessions besides.

    Parameters
    ----------
    returns
        Of the labelled rows, by (session, symbol).
    predictions
        Of all rows.
    """
    timing = timing_ic(returns, predictions).dropna()
    members = members_return(predictions, returns)
    return {
        "test/timing_ic": float(timing.mean()) if len(timing) else np.nan,
        "test/timing_ic_t": newey_west_t(timing),
        **beyond_members(result.net_returns, members, looks, seed),
        **activity(result),
    }
