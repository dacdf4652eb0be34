"""What became of an evening's forecasts, once the session's final bars are there."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from pipeline.learning.metrics import hit_rate, r2, rank_ic
from pipeline.recipe.books import books
from pipeline.schemas import ROW
from pipeline.trading.market import Market
from pipeline.trading.performance import positions
from pipeline.trading.rules import Rules

DECILES = 10


def skill(forecasts: pd.Series, returns: pd.Series) -> dict[str, float]:
    """How good the forecasts of one session were.

    Parameters
    ----------
    forecasts, returns
        Open-to-close, fractions by symbol; what either lacks is left out.

    Returns
    -------
    dict
        symbols, rank_ic, hit_rate, r2; calibration (least-squares slope of the returns on the
        forecasts, both less the session's mean: 1 where the size of forecasts is right);
        decile_1 .. decile_10 (mean return over the session's mean by forecast, lowest first) and
        decile_spread (highest less lowest). NaN where a value is undefined.
    """
    both = pd.DataFrame({"forecast": forecasts, "return": returns}).dropna()
    if both.empty:
        return {"symbols": 0, **dict.fromkeys(SKILL, math.nan)}
    rows = pd.MultiIndex.from_product([[pd.Timestamp(0)], both.index], names=ROW)
    p, y = (both[name].set_axis(rows) for name in ("forecast", "return"))
    centred, relative = p - p.mean(), y - y.mean()
    size = float((centred**2).sum())
    deciles = _deciles(p.to_numpy(), relative.to_numpy())
    return {
        "symbols": len(both),
        "rank_ic": float(rank_ic(y, p).iloc[0]),
        "hit_rate": hit_rate(y, p),
        "calibration": float((centred * relative).sum()) / size if size > 0.0 else math.nan,
        "r2": r2(y, p),
        "decile_spread": deciles[-1] - deciles[0],
        **{f"decile_{place}": value for place, value in enumerate(deciles, 1)},
    }


SKILL = ("rank_ic", "hit_rate", "calibration", "r2", "decile_spread",
         *(f"decile_{place}" for place in range(1, DECILES + 1)))  # fmt: skip


def profit(forecasts: pd.Series, market: Market, rules: Rules, bankroll: float) -> dict[str, float]:
    """What the rules made of these forecasts (by symbol) in the one session of a market.

    The bankroll is that of the evening: sessions do not compound, so each can be scored alone.

    Returns
    -------
    dict
        trades; net_return and gross_return (of the bankroll), net_pnl in currency; and
        benchmark_return, of all symbols alike.

    Parameters
    ----------
    forecasts
        Open-to-close returns, as fractions, made before the open.
    market
        With final bars of that session: all of it is known after its close.
    bankroll
        In currency.
    """
    rows = pd.MultiIndex.from_product([market.sessions, forecasts.index], names=ROW)
    result = books(rules, bankroll, forecasts.set_axis(rows), market)
    return {
        "trades": len(positions(result.ledger)),
        "net_return": float(result.net_returns.iloc[0]),
        "gross_return": float(result.gross_returns.iloc[0]),
        "net_pnl": float(result.ledger["net_pnl"].sum()),
        "benchmark_return": float((market.close / market.open - 1.0).iloc[0].mean()),
    }


def _deciles(forecasts: np.ndarray, relative: np.ndarray) -> list[float]:
    if len(forecasts) < DECILES or np.ptp(forecasts) == 0.0:
        return [math.nan] * DECILES
    place = np.argsort(np.argsort(forecasts, kind="stable"), kind="stable")
    group = place * DECILES // len(forecasts)
    return [float(relative[group == number].mean()) for number in range(DECILES)]
