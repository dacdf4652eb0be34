"""Skill beyond the market: forecasts that know when, and returns that the universe did not earn."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from pipeline.schemas import SESSION, SYMBOL
from pipeline.stats.inference import newey_west_t, paired_test, sharpe_interval
from pipeline.stats.overfitting import deflated_sharpe_by_looks
from pipeline.stats.returns import sharpe
from pipeline.trading.backtest import Backtest
from pipeline.trading.benchmarks import STALE_WITHIN
from pipeline.trading.performance import positions

LATER_SESSIONS = 126
"""Half a year: with what a symbol does in so many later sessions a forecast's skill is compared."""

MIN_LATER = 20
"""Later sessions of a symbol whose mean says what it is for good."""


def members_return(predictions: pd.Series, returns: pd.Series) -> pd.Series:
    """Open-to-close return of holding alike all that the recipe could have traded, by session.

    Parameters
    ----------
    predictions
        By (session, symbol): the recipe's universe is what it made a forecast of.
    returns
        Of the labelled rows.

    Returns
    -------
    Series
        By session, as fractions, before costs; known after the session's close.
    """
    traded = returns[returns.index.isin(predictions.index)]
    return traded.groupby(level=SESSION).mean().rename("members_return")


def timing_ic(returns: pd.Series, predictions: pd.Series) -> pd.Series:
    """Rank IC by session, less that of the same forecasts with the symbols' later returns.

    A universe that was chosen with hindsight makes symbols differ for good, and a model learns
    that. But given how such symbols were chosen, their returns from session t on are exchangeable:
    what is forecast of t then says as much of any later session, and the difference has mean 0.
    The mean of later sessions is taken away and not that of all, which would give noise an IC:
    forward orthogonal deviations (Arellano and Bover, 1995, Journal of Econometrics 68).

    Parameters
    ----------
    returns
        Of the labelled rows, by (session, symbol).
    predictions
        Of all rows.

    Returns
    -------
    Series
        By session; known only once the later sessions are. NaN where no symbol has enough of them,
        so at the last `MIN_LATER` sessions, and where forecasts do not vary.
    """
    moves = _standard_ranks(returns)
    later = moves[::-1].rolling(LATER_SESSIONS, min_periods=MIN_LATER).mean()[::-1].shift(-1)
    beyond = moves - later
    forecasts = predictions.unstack(SYMBOL).reindex(index=beyond.index, columns=beyond.columns)
    known = _standard_ranks(pd.Series(forecasts.where(beyond.notna()).stack()))
    scores = (known * beyond).mean(axis=1)
    return scores.reindex(pd.Index(beyond.index, name=SESSION)).rename("timing_ic")


def _standard_ranks(values: pd.Series) -> pd.DataFrame:
    """Ranks of each session with mean 0 and variance 1, sessions x symbols; NaN: all are equal."""
    ranks = values.unstack(SYMBOL).sort_index().rank(axis=1)
    spread = ranks.std(axis=1, ddof=0)
    return ranks.sub(ranks.mean(axis=1), axis=0).div(spread.where(spread > 0.0), axis=0)


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
    beta, residual = _residual(both["net"], both["members"])
    low = sharpe_interval(residual, seed=seed)[0] if len(residual) else math.nan
    return {
        "backtest/excess_return": float(excess.mean()) if len(both) else math.nan,
        "backtest/excess_pvalue": paired_test(both["members"], both["net"], seed=seed),
        "backtest/beta": beta,
        "backtest/residual_sharpe": sharpe(residual),
        "backtest/residual_sharpe_ci_low": low,
        "backtest/residual_deflated_sharpe": deflated_sharpe_by_looks(residual, looks),
    }


def deflated(net: pd.Series, members: pd.Series, looks: float) -> dict[str, float]:
    """What of `beyond_members` and of ``gates.evidence.luck`` depends on the number of looks.

    Parameters
    ----------
    net, members, looks
        Of `beyond_members`.

    Returns
    -------
    dict
        ``backtest/``: ``looks``, ``deflated_sharpe``, ``residual_deflated_sharpe``.
    """
    both = pd.DataFrame({"net": net, "members": members}).dropna()
    _, residual = _residual(both["net"], both["members"])
    return {
        "backtest/looks": looks,
        "backtest/deflated_sharpe": deflated_sharpe_by_looks(net, looks),
        "backtest/residual_deflated_sharpe": deflated_sharpe_by_looks(residual, looks),
    }


def _residual(net: pd.Series, members: pd.Series) -> tuple[float, pd.Series]:
    """Beta to the members, and what is left beyond it."""
    spread = float(members.var()) if len(members) > 1 else math.nan
    beta = float(net.cov(members) / spread) if spread > 0.0 else math.nan
    return beta, (net - beta * members).dropna()


def activity(result: Backtest, previous_close: pd.DataFrame | None = None) -> dict[str, float]:
    """How much trading the result rests on, and whether its fills were prints of their own.

    Parameters
    ----------
    previous_close
        Sessions x symbols; None: orders were sized on it.

    Returns
    -------
    dict
        ``backtest/trading_sessions``, those with a position; ``backtest/real_opens``, the part of
        the positions whose open is no copy of the previous close (NaN without any).
    """
    trades = positions(result.ledger)
    before = trades["reference_price"].to_numpy()
    if previous_close is not None:
        rows = previous_close.index.get_indexer(pd.Index(trades[SESSION]))
        before = previous_close.to_numpy()[
            rows, previous_close.columns.get_indexer(pd.Index(trades[SYMBOL]))
        ]
    moves = (trades["open"] / before - 1.0).abs().dropna()
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
    previous_close: pd.DataFrame | None = None,
) -> dict[str, float]:
    """All of this room; ``test/timing_ic`` and its t over sessions besides.

    Parameters
    ----------
    returns
        Of the labelled rows, by (session, symbol).
    predictions
        Of all rows.
    previous_close
        See `activity`.
    """
    timing = timing_ic(returns, predictions).dropna()
    members = members_return(predictions, returns)
    return {
        "test/timing_ic": float(timing.mean()) if len(timing) else np.nan,
        "test/timing_ic_t": newey_west_t(timing),
        **beyond_members(result.net_returns, members, looks, seed),
        **activity(result, previous_close),
    }
