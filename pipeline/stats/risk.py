"""Measures of what a series of returns can lose, and how it wins.

Returns are simple returns per session; a year is that of ``sessions_a_year``. A measure is known
after the last session, and NaN where it is undefined.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from pipeline.stats.returns import annualized_return, drawdowns, max_drawdown, sessions_a_year


def sortino(returns: pd.Series) -> float:
    """Mean over the root mean square of the losses, a year; NaN without a loss.

    Source: Sortino and Price (1994), "Performance Measurement in a Downside Risk Framework",
    Journal of Investing 3. The target is 0, and sessions without a loss count as zeros.

    Parameters
    ----------
    returns
        Fractions by session.

    Examples
    --------
    >>> round(sortino(pd.Series([0.02, -0.01])), 4)  # 0.005 / sqrt(0.0001 / 2) x sqrt(252)
    11.225
    """
    values = returns.to_numpy(dtype="float64")
    if len(values) == 0 or not (values < 0.0).any():
        return math.nan
    downside = math.sqrt(float(np.mean(np.minimum(values, 0.0) ** 2)))
    return float(values.mean()) / downside * math.sqrt(sessions_a_year(returns.index))


def calmar(returns: pd.Series) -> float:
    """Return a year over the largest drawdown; NaN where equity never fell.

    Source: Young (1991), "Calmar Ratio: A Smoother Tool", Futures 20.

    Parameters
    ----------
    returns
        Fractions by session.
    """
    fell = max_drawdown(returns)
    return annualized_return(returns) / fell if fell > 0.0 else math.nan


def value_at_risk(returns: pd.Series, level: float = 0.05) -> float:
    """Loss that a session exceeds with this probability, as a positive fraction: historical.

    Parameters
    ----------
    returns
        Fractions by session.

    Examples
    --------
    >>> round(value_at_risk(pd.Series([-0.04, -0.02, 0.0, 0.01, 0.03]), 0.25), 4)
    0.02
    """
    return -float(returns.quantile(level)) if len(returns) else math.nan


def expected_shortfall(returns: pd.Series, level: float = 0.05) -> float:
    """Mean loss of the sessions at or beyond the value at risk, as a positive fraction.

    Parameters
    ----------
    returns
        Fractions by session.
    """
    if returns.empty:
        return math.nan
    return -float(returns[returns <= returns.quantile(level)].mean())


def longest_streak(returns: pd.Series, *, losing: bool) -> int:
    """Most sessions in a row that lost (or that gained); a session of 0 ends either.

    Parameters
    ----------
    returns
        Fractions by session, in order.

    Examples
    --------
    >>> moves = pd.Series([0.1, -0.1, -0.1, 0.0, -0.1])
    >>> longest_streak(moves, losing=True), longest_streak(moves, losing=False)
    (2, 1)
    """
    in_run = (returns < 0.0) if losing else (returns > 0.0)
    runs = (~in_run).cumsum()[in_run]
    return int(runs.value_counts().max()) if len(runs) else 0


def payoff(profits: pd.Series) -> float:
    """Mean profit of what won over the mean loss of what lost; NaN without both.

    Parameters
    ----------
    profits
        Currency, one a trade.

    Examples
    --------
    >>> payoff(pd.Series([30.0, 10.0, -10.0]))
    2.0
    """
    won, lost = profits[profits > 0.0], profits[profits < 0.0]
    return float(won.mean() / -lost.mean()) if len(won) and len(lost) else math.nan


def profit_factor(profits: pd.Series) -> float:
    """Sum of what won over the sum of what lost; NaN without a loss.

    Parameters
    ----------
    profits
        Currency, one a trade.

    Examples
    --------
    >>> profit_factor(pd.Series([30.0, 10.0, -10.0]))
    4.0
    """
    lost = -float(profits[profits < 0.0].sum())
    return float(profits[profits > 0.0].sum()) / lost if lost > 0.0 else math.nan


def worst_drawdowns(returns: pd.Series, count: int = 5) -> pd.DataFrame:
    """The deepest falls of equity, deepest first.

    Parameters
    ----------
    returns
        Fractions by session, in order.

    Returns
    -------
    DataFrame
        depth (positive fraction); peak, trough and end as sessions: the last one before the fall
        (NaT where it began with the first session), the lowest one, and the first one back at the
        peak (NaT where there is none yet); sessions from the first below the peak to the end.
    """
    fallen = drawdowns(returns)
    below = fallen > 0.0
    number = (below & ~below.shift(fill_value=False)).cumsum()
    sessions = pd.DatetimeIndex(returns.index)
    rows = []
    for _, part in fallen[below].groupby(number[below]):
        first, last = map(int, sessions.get_indexer(pd.Index([part.index[0], part.index[-1]])))
        rows.append(
            {
                "depth": float(part.max()),
                "peak": sessions[first - 1] if first > 0 else pd.NaT,
                "trough": part.idxmax(),
                "end": sessions[last + 1] if last + 1 < len(sessions) else pd.NaT,
                "sessions": len(part),
            }
        )
    table = pd.DataFrame(rows, columns=["depth", "peak", "trough", "end", "sessions"])
    return table.sort_values("depth", ascending=False, kind="stable", ignore_index=True)[:count]
