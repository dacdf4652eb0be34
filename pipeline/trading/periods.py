"""A backtest cut by time: months, years, rolling windows. Known after the last session's close."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.schemas import SESSION
from pipeline.stats.inference import sharpe_error
from pipeline.stats.returns import (
    max_drawdown,
    session_sharpe,
    sessions_a_year,
    sharpe,
    total_return,
)
from pipeline.trading.backtest import Backtest
from pipeline.trading.performance import positions, turnover, win_rate

NORMAL_95 = 1.96
"""Standard errors on either side of a 95 % interval, by the normal distribution."""

Values = npt.NDArray[np.float64]


def monthly_returns(returns: pd.Series) -> pd.DataFrame:
    """Compounded return by year (index) and month (columns 1 to 12), the year's in ``year``.

    A month without sessions is NaN; one that is only partly covered counts what there is.

    Parameters
    ----------
    returns
        By session, as fractions.

    >>> days = pd.DatetimeIndex(["2023-12-28", "2023-12-29", "2024-01-02"])
    >>> table = monthly_returns(pd.Series([0.10, 0.10, -0.05], days))
    >>> table[[1, 12, "year"]].round(4).to_numpy().tolist()
    [[nan, 0.21, 0.21], [-0.05, nan, -0.05]]
    """
    growth, sessions = 1.0 + returns, pd.DatetimeIndex(returns.index)
    by_month = growth.groupby([sessions.year, sessions.month]).prod().unstack() - 1.0
    table = by_month.reindex(columns=pd.Index([*range(1, 13), "year"], dtype="object"))
    table["year"] = growth.groupby(sessions.year).prod() - 1.0
    return table.rename_axis(index="year", columns="month")


def yearly_results(result: Backtest, benchmark_returns: pd.Series) -> pd.DataFrame:
    """One row a calendar year, however few of its sessions are in the backtest.

    Parameters
    ----------
    result
        Of ``backtest``.
    benchmark_returns
        By session; NaN sessions are left out.

    Returns
    -------
    pd.DataFrame
        Index year; sessions, net_return and benchmark_return (compounded), sharpe with its
        interval (low, high), max_drawdown (positive), trades, win_rate, exposure and turnover
        (mean a session), cost (mean a session, as a fraction of equity).
    """
    sessions = pd.DatetimeIndex(result.net_returns.index)
    rows = {
        year: _results(_part(result, sessions[sessions.year == year]), benchmark_returns)
        for year in sessions.year.unique()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("year")


def _part(result: Backtest, sessions: pd.DatetimeIndex) -> Backtest:
    return replace(
        result,
        ledger=result.ledger[result.ledger[SESSION].isin(sessions)],
        net_returns=result.net_returns[sessions],
        gross_returns=result.gross_returns[sessions],
        exposure=result.exposure[sessions],
    )


def _results(part: Backtest, benchmark_returns: pd.Series) -> dict[str, float]:
    net = part.net_returns
    low, high = sharpe_interval_by_lo(net)
    return {
        "sessions": len(net),
        "net_return": total_return(net),
        "benchmark_return": total_return(benchmark_returns.reindex(net.index).dropna()),
        "sharpe": sharpe(net),
        "low": low,
        "high": high,
        "max_drawdown": max_drawdown(net),
        "trades": len(positions(part.ledger)),
        "win_rate": win_rate(part.ledger),
        "exposure": float(part.exposure.mean()),
        "turnover": turnover(part),
        "cost": float((part.gross_returns - net).mean()),
    }


def sharpe_interval_by_lo(returns: pd.Series) -> tuple[float, float]:
    """95 % interval of the annualised Sharpe ratio by its standard error; NaN where undefined.

    Quick enough for every year of a table; the headline's interval is bootstrapped.
    """
    table = rolling_sharpe(returns, len(returns)) if len(returns) >= 2 else pd.DataFrame()
    if table.empty:
        return math.nan, math.nan
    return float(table["low"].iloc[0]), float(table["high"].iloc[0])


def rolling_sharpe(returns: pd.Series, window: int) -> pd.DataFrame:
    """Annualised Sharpe ratio of the last ``window`` sessions, with its 95 % interval.

    Parameters
    ----------
    returns
        By session.
    window
        Sessions, at least 2.

    Returns
    -------
    pd.DataFrame
        One row a session from the first full window on (none where there is no full one): sharpe,
        low, high. NaN where returns did not vary, as without trades. Neighbouring rows share
        nearly all of their sessions.

    Notes
    -----
    Source of the interval: Lo (2002), see ``sharpe_error``.
    """
    values = returns.to_numpy(dtype="float64")
    if len(values) < window:
        return pd.DataFrame(columns=["sharpe", "low", "high"], dtype="float64")
    by_window = np.lib.stride_tricks.sliding_window_view(values, window)
    ratios = session_sharpe(by_window.T)
    error = NORMAL_95 * sharpe_error(ratios, window)
    table = {"sharpe": ratios, "low": ratios - error, "high": ratios + error}
    sessions = returns.index[window - 1 :]
    return pd.DataFrame(table, sessions) * math.sqrt(sessions_a_year(returns.index))
