"""Why the forecasts earned what they did: calibration, skill by time and state, single symbols."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.learning.metrics import rank_ic_aged
from pipeline.learning.targets import market_relative
from pipeline.schemas import SESSION, SYMBOL
from pipeline.stats.inference import newey_west_t

GROUPS = 10
AGES = (0, 1, 5, 21)
"""Sessions that a forecast is old when it is used: how long the skill lasts."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What explains a result; forecasts and returns are those less the session's mean, fractions.

    Attributes
    ----------
    calibration
        forecast and return, means by tenth of the forecasts, lowest first; no rows where the
        forecasts do not vary.
    slope, slope_error
        Of the return on the forecast by least squares, with a standard error that is clustered by
        session; 1 is right, NaN where the forecasts do not vary.
    error, spread
        Root mean square of the return less the forecast, and of the return.
    autocorrelation
        Mean rank correlation of the forecasts of a session with those of the one before.
    rank_ic_sum
        Rank IC by session, cumulated.
    by_decile
        Market-relative return by session, cumulated: lowest, highest.
    by_month
        Mean rank IC: years x months 1 to 12, and ``year``.
    by_regime
        sessions, rank_ic, t by regime.
    by_age
        Mean rank IC by age of the forecast in sessions.
    by_symbol
        trades, net_pnl by symbol, most profitable first.
    """

    calibration: pd.DataFrame
    slope: float
    slope_error: float
    error: float
    spread: float
    autocorrelation: float
    rank_ic_sum: pd.Series
    by_decile: pd.DataFrame
    by_month: pd.DataFrame
    by_regime: pd.DataFrame
    by_age: pd.Series
    by_symbol: pd.DataFrame


def diagnosis(
    returns: pd.Series,
    forecasts: pd.Series,
    session_ic: pd.Series,
    by_decile: pd.DataFrame,
    regimes: pd.Series,
    trades: pd.DataFrame,
) -> Diagnosis:
    """Everything that explains a result.

    Parameters
    ----------
    returns, forecasts
        Open-to-close return and its forecast, fractions by (session, symbol).
    session_ic
        Rank IC by session, NaN where the forecasts did not vary.
    by_decile
        Of ``attribution.decile_returns``.
    regimes
        Known at the open, by session.
    trades
        Of ``attribution.trades``.
    """
    forecast, outcome = market_relative(forecasts), market_relative(returns)
    slope, error = clustered_slope(outcome, forecast)
    known = session_ic.dropna()
    made = trades.groupby("symbol")["net_pnl"].agg(["size", "sum"])
    made = made.set_axis(["trades", "net_pnl"], axis=1)
    return Diagnosis(
        calibration=_calibration(outcome, forecast),
        slope=slope,
        slope_error=error,
        error=float(np.sqrt(((outcome - forecast) ** 2).mean())),
        spread=float(np.sqrt((outcome**2).mean())),
        autocorrelation=_autocorrelation(forecasts),
        rank_ic_sum=known.cumsum(),
        by_decile=by_decile[[1, GROUPS]].set_axis(["lowest", "highest"], axis=1).cumsum(),
        by_month=_by_month(known),
        by_regime=_by_regime(known, regimes),
        by_age=pd.Series({age: rank_ic_aged(returns, forecasts, age) for age in AGES}),
        by_symbol=made.sort_values("net_pnl", ascending=False, kind="stable"),
    )


def clustered_slope(outcome: pd.Series, forecast: pd.Series) -> tuple[float, float]:
    """Least-squares slope through the origin, and its standard error clustered by session.

    Source: Liang and Zeger (1986), "Longitudinal Data Analysis Using Generalized Linear Models".

    >>> days = pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["session", "symbol"])
    >>> forecast = pd.Series([1.0, -1.0, 1.0, -1.0], days)
    >>> clustered_slope(pd.Series([2.0, -2.0, 0.0, 0.0], days), forecast)[0]
    1.0
    """
    size = float((forecast**2).sum())
    if size <= 0.0:
        return math.nan, math.nan
    slope = float((forecast * outcome).sum()) / size
    scores = (forecast * (outcome - slope * forecast)).groupby(level=SESSION).sum()
    return slope, math.sqrt(float((scores**2).sum())) / size


def _calibration(outcome: pd.Series, forecast: pd.Series) -> pd.DataFrame:
    if forecast.nunique() < GROUPS:
        return pd.DataFrame(columns=["forecast", "return"], dtype="float64")
    place = np.ceil(forecast.rank(pct=True).to_numpy() * GROUPS).astype("int64")
    return pd.DataFrame({"forecast": forecast, "return": outcome}).groupby(place).mean()


def _autocorrelation(forecasts: pd.Series) -> float:
    wide = forecasts.unstack(SYMBOL)
    ranked = wide.rank(axis=1)
    return float(ranked.corrwith(ranked.shift(1), axis=1).mean())


def _by_month(known: pd.Series) -> pd.DataFrame:
    days = pd.DatetimeIndex(known.index)
    table = known.groupby([days.year, days.month]).mean().unstack().reindex(columns=range(1, 13))
    return pd.DataFrame(table).assign(year=known.groupby(days.year).mean())


def _by_regime(known: pd.Series, regimes: pd.Series) -> pd.DataFrame:
    grouped = known.groupby(regimes.reindex(known.index).to_numpy())
    rows = {
        name: {"sessions": len(part), "rank_ic": part.mean(), "t": newey_west_t(part)}
        for name, part in grouped
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["sessions", "rank_ic", "t"])
