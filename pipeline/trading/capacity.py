"""How much a strategy can carry: what larger bankrolls leave of its result.

An order moves the price against itself by the square root of its part of the dollar volume
(``costs.impact_rate``), and asks for a bounded part of it at most (``sizing.max_shares``). The
volume is that of the auction it is filled in, not the day's. Where the edge has to exceed the cost,
positions that cost too much at their size are not taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from pipeline.stats.returns import annualized_return, sharpe, total_return
from pipeline.trading.backtest import backtests
from pipeline.trading.market import Market
from pipeline.trading.performance import break_even_bps, charged_bps, positions
from pipeline.trading.rules import Rules

LEFT = 0.5
"""Part of the smallest bankroll's return that a bankroll within the capacity keeps."""


def size_aware(
    rules: Rules, impact: float, participation: float, auction_part: float = 1.0
) -> Rules:
    """The rules, with this impact and participation cap where they have none of their own.

    Parameters
    ----------
    auction_part
        Of the day's volume that trades in the auction: what is stated for the day's volume is
        turned into the same for the auction's.
    """
    return rules.changed(
        impact=(rules.impact or impact) / math.sqrt(auction_part),
        max_participation=(rules.max_participation or participation) * auction_part,
    )


def capacity_curve(
    predictions: pd.DataFrame, market: Market, rules: Rules, bankrolls: Sequence[float]
) -> pd.DataFrame:
    """The result by bankroll, smallest first.

    Parameters
    ----------
    predictions, market
        As in ``backtest``; the market knows dollar volume and volatility.
    rules
        With an impact, see ``size_aware``; without one nothing depends on size but whole shares.
    bankrolls
        Currency before the first session.

    Returns
    -------
    pd.DataFrame
        bankroll; net_pnl in currency; total_return, annualized_return and sharpe, net of costs;
        gross_sharpe; exposure, mean part of equity held; trades; charged_bps and break_even_bps of
        a round trip.
    """
    ordered = sorted(set(bankrolls))
    results = backtests(predictions, market, [(rules, bankroll) for bankroll in ordered])
    return pd.DataFrame(
        {
            "bankroll": bankroll,
            "net_pnl": result.equity.iloc[-1] - result.equity.iloc[0],
            "total_return": total_return(result.net_returns),
            "annualized_return": annualized_return(result.net_returns),
            "sharpe": sharpe(result.net_returns),
            "gross_sharpe": sharpe(result.gross_returns),
            "exposure": result.exposure.mean(),
            "trades": len(positions(result.ledger)),
            "charged_bps": charged_bps(result.ledger),
            "break_even_bps": break_even_bps(result.ledger),
        }
        for bankroll, result in zip(ordered, results, strict=True)
    )


def capacity(curve: pd.DataFrame) -> float:
    """The largest bankroll up to which half of the smallest one's net return is left.

    Parameters
    ----------
    curve
        Of ``capacity_curve``; only its bankrolls are answers, nothing is interpolated.

    Returns
    -------
    float
        Currency; 0 where the smallest bankroll already earns nothing, NaN where it trades nothing.

    Examples
    --------
    >>> curve = pd.DataFrame({"bankroll": [1e5, 1e6, 1e7], "trades": 9})
    >>> capacity(curve.assign(total_return=[0.10, 0.06, 0.01]))
    1000000.0
    """
    smallest = curve.iloc[0]
    if smallest["trades"] == 0:
        return math.nan
    if smallest["total_return"] <= 0.0:
        return 0.0
    carries = (curve["total_return"] >= LEFT * smallest["total_return"]).cummin()
    return float(curve["bankroll"][carries].iloc[-1])
