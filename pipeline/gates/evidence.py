"""What a result out of sample proves: its luck, and whether it is too old to prove anything."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipeline.stats.inference import sharpe_interval
from pipeline.stats.overfitting import deflated_sharpe_by_looks, probabilistic_sharpe

MEASURED_BY_TRADING = "backtest/"
"""Metrics that are evidence, and so age."""


def luck(net_returns: pd.Series, looks: float, seed: int) -> dict[str, float]:
    """Significance of net returns out of sample, deflated by the number of looks.

    Parameters
    ----------
    net_returns
        Fractions by session, known after the last session's close.
    looks
        At these sessions, this one included; a part of a look is one at a part of them.
    seed
        Of the bootstrap.

    Returns
    -------
    dict
        ``backtest/sharpe_ci_low``, ``sharpe_ci_high`` (annualised, 95 %),
        ``probabilistic_sharpe``, ``deflated_sharpe`` and ``looks``; NaN where undefined.
    """
    low, high = sharpe_interval(net_returns, seed=seed)
    return {
        "backtest/sharpe_ci_low": low,
        "backtest/sharpe_ci_high": high,
        "backtest/probabilistic_sharpe": probabilistic_sharpe(net_returns),
        "backtest/deflated_sharpe": deflated_sharpe_by_looks(net_returns, looks),
        "backtest/looks": float(looks),
    }


def age_sessions(label_ready: pd.DatetimeIndex, ended: pd.Timestamp) -> int:
    """Sessions whose final bars exist by now and that came after the last one of the evidence.

    Examples
    --------
    >>> age_sessions(pd.date_range("2024-01-01", periods=5), pd.Timestamp("2024-01-03"))
    2
    """
    return int((label_ready > ended).sum())


def aged(metrics: Mapping[str, float], age: int, max_age: int) -> dict[str, float]:
    """The metrics, without those of trading where the evidence is older than allowed.

    Parameters
    ----------
    age, max_age
        In sessions; evidence of exactly ``max_age`` still counts.

    Returns
    -------
    dict
        What is left out is unknown to the gates, the number of sessions included.
    """
    if age <= max_age:
        return dict(metrics)
    return {
        name: value for name, value in metrics.items() if not name.startswith(MEASURED_BY_TRADING)
    }
