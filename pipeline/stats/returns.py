"""Measures of a series of returns.

Returns are simple returns per session, of shape (sessions,); all sessions count, the first one and
those without trades included. A year has 252 sessions, or 365 of a market that trades every day, as
their dates show (`sessions_a_year`). A measure is known after the last session.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.schemas import SESSIONS_A_YEAR

Values = npt.NDArray[np.float64]

DAYS_A_YEAR = 365
SATURDAY, SUNDAY = 5, 6
USUAL_DAYS = 5
"""Of a week; some exchanges rest on Friday and Saturday."""


def session_sharpe(values: Values) -> Values:
    """Sharpe ratio per session: mean over standard deviation (ddof 1), not annualised.

    Parameters
    ----------
    values
        Returns of shape (sessions,), or (sessions, series).

    Returns
    -------
    ndarray
        Of shape () or (series,); NaN without variance.
    """
    deviation = np.where(np.ptp(values, axis=0) > 0.0, values.std(axis=0, ddof=1), np.nan)
    return np.asarray(values.mean(axis=0) / deviation)


def sessions_a_year(sessions: pd.Index) -> int:
    """Sessions of a year of the market that these are of.

    Exchanges that rest at weekends have 242 to 254; all of them count 252, so that a Sharpe ratio
    of one compares with that of another. A market with sessions on Saturdays and Sundays has 365.

    >>> sessions_a_year(pd.date_range("2024-01-01", periods=7))
    365
    >>> sessions_a_year(pd.bdate_range("2024-01-01", periods=7)), sessions_a_year(pd.RangeIndex(7))
    (252, 252)
    """
    if not isinstance(sessions, pd.DatetimeIndex):
        return SESSIONS_A_YEAR
    days = set(sessions.day_of_week)
    return DAYS_A_YEAR if {SATURDAY, SUNDAY} <= days and len(days) > USUAL_DAYS else SESSIONS_A_YEAR


def sharpe(returns: pd.Series) -> float:
    """Annualised Sharpe ratio against a zero rate: mean over standard deviation (ddof 1).

    NaN where it is undefined: fewer than two returns, or no variance, as without trades.
    Source: Sharpe (1994), "The Sharpe Ratio", Journal of Portfolio Management 21.

    Parameters
    ----------
    returns
        Fractions by session.

    Examples
    --------
    >>> round(sharpe(pd.Series([0.01, 0.00, 0.02])), 4)
    15.8745
    """
    values = returns.to_numpy(dtype="float64")
    if len(values) < 2 or np.ptp(values) == 0.0:
        return math.nan
    return float(values.mean() / values.std(ddof=1) * math.sqrt(sessions_a_year(returns.index)))


def total_return(returns: pd.Series) -> float:
    """Compounded return over all sessions.

    Parameters
    ----------
    returns
        Fractions by session.

    Examples
    --------
    >>> round(total_return(pd.Series([0.10, -0.10])), 4)
    -0.01
    """
    return float(np.prod(1.0 + returns.to_numpy(dtype="float64"))) - 1.0


def annualized_return(returns: pd.Series) -> float:
    """Compounded return a year, by the number of sessions; NaN without sessions.

    A loss of all there was, or more, at any time is -1: a debt has no yearly rate, and two such
    losses are no gain.

    Parameters
    ----------
    returns
        Fractions by session.
    """
    if returns.empty:
        return math.nan
    equity = np.cumprod(1.0 + returns.to_numpy(dtype="float64"))
    left = equity[-1] if (equity > 0.0).all() else 0.0
    return float(left ** (sessions_a_year(returns.index) / len(returns)) - 1.0)


def drawdowns(returns: pd.Series) -> pd.Series:
    """Loss from the highest equity so far, as a positive fraction, after each session.

    The bankroll is the first peak, so a loss on the first session counts.

    Parameters
    ----------
    returns
        Fractions by session, in order.

    Examples
    --------
    >>> drawdowns(pd.Series([-0.1, 0.2, -0.25])).round(4).tolist()
    [0.1, 0.0, 0.25]
    """
    equity = (1.0 + returns).cumprod()
    return (1.0 - equity / equity.cummax().clip(lower=1.0)).rename("drawdown")


def max_drawdown(returns: pd.Series) -> float:
    """Largest drawdown, a positive fraction; 0 where equity never fell.

    Parameters
    ----------
    returns
        Fractions by session.
    """
    return float(drawdowns(returns).max()) if len(returns) else math.nan
