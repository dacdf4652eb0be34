"""Where a result came from: trades by group, forecasts by decile.

Everything is known after the last session's close. Returns are fractions.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # scipy.stats takes half a second to import

from pipeline.schemas import SESSION, SYMBOL
from pipeline.trading.performance import positions
from pipeline.trading.periods import NORMAL_95

MIN_INTERVAL_SESSIONS = 10
"""Sessions a group needs before its hit rate gets an interval."""

UNKNOWN_SECTOR = "unknown"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def trades(ledger: pd.DataFrame, regimes: pd.Series, sectors: pd.Series) -> pd.DataFrame:
    """The trades of a ledger with what they earned and where they belong.

    Parameters
    ----------
    ledger
        Of a ``Backtest``; orders without a fill are left out.
    regimes
        Regime known at the open, by session.
    sectors
        Sector by symbol, as of the day its table was made; missing ones become "unknown".

    Returns
    -------
    pd.DataFrame
        In the ledger's order: session, symbol, side, prediction, net_pnl in currency, gross_return
        and net_return over the notional at the open, regime, sector, weekday.
    """
    filled = positions(ledger)
    notional = (filled["shares_filled"] * filled["open"]).abs()
    of_trades = filled[[SESSION, SYMBOL, "side", "prediction", "net_pnl"]]
    return of_trades.assign(
        gross_return=filled["gross_pnl"] / notional,
        net_return=filled["net_pnl"] / notional,
        regime=filled[SESSION].map(regimes).astype("str"),
        sector=filled[SYMBOL].map(sectors.dropna()).fillna(UNKNOWN_SECTOR).astype("str"),
        weekday=filled[SESSION].dt.day_of_week.map(dict(enumerate(WEEKDAYS))).astype("str"),
    )


def hit_rates(made: pd.DataFrame, by: str) -> pd.DataFrame:
    """How often trades of each group earned something after costs, and how much on average.

    Trades of one session win and lose together, so the interval counts sessions, not trades: the
    standard error of the rate is clustered by session. Source: Liang and Zeger (1986),
    "Longitudinal Data Analysis Using Generalized Linear Models", Biometrika 73.

    Parameters
    ----------
    made
        Of ``trades``.
    by
        Column of ``made`` to group by.

    Returns
    -------
    pd.DataFrame
        Index group, the one with most trades first (weekdays in their order); trades, sessions,
        hit_rate with its 95 % interval (low, high; NaN under 10 sessions), mean_net_return.
    """
    wins = made["net_pnl"] > 0.0
    groups = wins.groupby(made[by])
    table = pd.DataFrame(
        {
            "trades": groups.size(),
            "sessions": made.groupby(by)[SESSION].nunique(),
            "hit_rate": groups.mean(),
            "mean_net_return": made.groupby(by)["net_return"].mean(),
        }
    )
    error = NORMAL_95 * _clustered_error(wins, made, by, table)
    table.insert(3, "low", (table["hit_rate"] - error).clip(lower=0.0))
    table.insert(4, "high", (table["hit_rate"] + error).clip(upper=1.0))
    if by == "weekday":
        return table.loc[[day for day in WEEKDAYS if day in table.index]]
    return table.sort_values("trades", ascending=False, kind="stable")


def _clustered_error(
    wins: pd.Series, made: pd.DataFrame, by: str, table: pd.DataFrame
) -> pd.Series:
    """sqrt(sum over sessions of (wins - rate x trades)^2 x S / (S - 1)) / trades."""
    surplus = (
        (wins - made[by].map(table["hit_rate"]).astype("float64"))
        .groupby([made[by], made[SESSION]])
        .sum()
    )
    squares = (surplus**2).groupby(level=0).sum()
    sessions = table["sessions"].where(table["sessions"] >= MIN_INTERVAL_SESSIONS)
    return (squares * sessions / (sessions - 1)) ** 0.5 / table["trades"]


def extreme_trades(made: pd.DataFrame, count: int) -> pd.DataFrame:
    """The ``count`` best and the ``count`` worst trades by net return, best first, each once.

    The column ``place`` counts from the best one (1) to the worst; equal returns keep the order
    of the ledger.

    Parameters
    ----------
    made
        Trades of a ledger, with ``net_return`` as a fraction.

    Returns
    -------
    DataFrame
        Their rows, at most ``2 * count``, with the column ``place``.
    """
    ordered = made.sort_values("net_return", ascending=False, kind="stable")
    ordered = ordered.assign(place=np.arange(1, len(ordered) + 1))
    return ordered[(ordered["place"] <= count) | (ordered["place"] > len(ordered) - count)]


def decile_returns(
    predictions: pd.DataFrame, returns: pd.DataFrame, groups: int = 10
) -> pd.DataFrame:
    """Market-relative return of each group of equally many forecasts, by session.

    Parameters
    ----------
    predictions, returns
        Forecast and open-to-close return, sessions x symbols. Symbols without both are left out.
    groups
        Number of groups; 1 holds the lowest forecasts. Equal forecasts share their mean rank.

    Returns
    -------
    pd.DataFrame
        Sessions x groups: mean return of the group minus the mean of all that session. Sessions
        that do not fill every group (fewer symbols, or too many equal forecasts) are left out.
    """
    forecasts, known = predictions.where(returns.notna()), returns.where(predictions.notna())
    relative = known.sub(known.mean(axis=1), axis=0)
    places = forecasts.rank(axis=1).mul(groups).div(forecasts.count(axis=1), axis=0)
    group = np.ceil(places.to_numpy())
    by_group = {
        number: relative.where(group == number).mean(axis=1) for number in range(1, groups + 1)
    }
    return pd.DataFrame(by_group).rename_axis(columns="group").dropna()


def session_means(values: pd.DataFrame) -> pd.DataFrame:
    """Mean of each column over sessions with its 95 % interval by Student's t.

    Sessions count as independent: positions never stay overnight. Index as the columns of
    ``values``; mean, low, high. Without two sessions the interval is NaN.
    """
    count = len(values)
    reach = stdtrit(count - 1, 0.975) if count > 1 else math.nan
    mean, error = values.mean(), reach * values.std(ddof=1) / math.sqrt(max(count, 1))
    return pd.DataFrame({"mean": mean, "low": mean - error, "high": mean + error})


def distribution(returns: pd.Series) -> pd.Series:
    """Count, mean, deviation, skewness and quantiles of returns; NaN where there are too few.

    Parameters
    ----------
    returns
        By session or by trade, as fractions.

    Returns
    -------
    Series
        By the name of the figure.
    """
    quantiles = returns.quantile([0.0, 0.05, 0.5, 0.95, 1.0])
    quantiles.index = pd.Index(["minimum", "low", "median", "high", "maximum"])
    moments = {"count": len(returns), "mean": returns.mean(), "deviation": returns.std(ddof=1)}
    return pd.concat([pd.Series({**moments, "skewness": returns.skew()}), quantiles])
