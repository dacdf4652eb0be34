"""How good a backtest was: measures of its ledger, and the metrics of the run contract."""

from __future__ import annotations

import math

import pandas as pd

from pipeline.schemas import SYMBOL
from pipeline.stats.returns import annualized_return, max_drawdown, sharpe, total_return
from pipeline.trading.backtest import Backtest
from pipeline.trading.ledger import COSTS, POSITION
from pipeline.trading.rules import BPS


def filled_trades(ledger: pd.DataFrame) -> pd.DataFrame:
    """Rows of the ledger that traded at least a part, the hedge included."""
    return ledger[ledger["shares_filled"] > 0.0]


def positions(ledger: pd.DataFrame) -> pd.DataFrame:
    """The trades that a forecast was behind: all but the hedge.

    Parameters
    ----------
    ledger
        Of ``ledger.ledger``, one row a trade.

    Returns
    -------
    DataFrame
        The columns of the ledger, one row a filled trade.
    """
    trades = filled_trades(ledger)
    return trades[trades["leg"] == POSITION]


def win_rate(ledger: pd.DataFrame) -> float:
    """Part of the positions that earned something after costs; NaN without any."""
    trades = positions(ledger)
    return float((trades["net_pnl"] > 0.0).mean()) if len(trades) else math.nan


def turnover(result: Backtest) -> float:
    """Notional bought and sold over the equity before, mean per session (2 = all, both ways)."""
    trades = filled_trades(result.ledger)
    notional = trades["shares_filled"] * (trades["open"] + trades["exit_price"])
    return float((notional / trades["equity_before"]).sum() / len(result.net_returns))


def cost_share(ledger: pd.DataFrame) -> float:
    """Part of the gross P&L that all costs took; above 1 they took all of it.

    NaN where there was no gross profit to take from.
    """
    gross = float(ledger["gross_pnl"].sum())
    costs = float(ledger[list(COSTS)].to_numpy().sum())
    return costs / gross if gross > 0.0 else math.nan


def break_even_bps(ledger: pd.DataFrame) -> float:
    """Cost of a round trip, in basis points, at which the trades done would have earned nothing.

    10,000 x sum of gross P&L / (half of the sum of shares x (price in + price out)): charged half
    on the notional of either fill, it takes all of the gross P&L. Of the same trades: what the
    saved or added costs would have bought is left aside. The hedge counts like any trade. Negative
    where trades lost before costs; NaN without trades.

    Parameters
    ----------
    ledger
        Of ``ledger.ledger``: P&L in currency, prices in currency per share.
    """
    return _round_trip_bps(ledger, ledger["gross_pnl"])


def charged_bps(ledger: pd.DataFrame) -> float:
    """Mean cost of a round trip in basis points, all kinds of cost together; NaN without trades.

    Parameters
    ----------
    ledger
        Of ``ledger.ledger``: P&L in currency, prices in currency per share.
    """
    return _round_trip_bps(ledger, ledger["gross_pnl"] - ledger["net_pnl"])


def _round_trip_bps(ledger: pd.DataFrame, amounts: pd.Series) -> float:
    """Amounts in currency over the mean of the notional bought and the notional sold."""
    filled = filled_trades(ledger)
    notional = float((filled["shares_filled"] * (filled["open"] + filled["exit_price"])).sum()) / 2
    return float(amounts[filled.index].sum()) / notional / BPS if notional > 0.0 else math.nan


def equal_weight_benchmark(
    open_: pd.DataFrame, close: pd.DataFrame, forecasts: pd.Series | None = None
) -> pd.Series:
    """Open-to-close return of holding every symbol alike, before costs, by session.

    Symbols without an open or close are left out; a session without any is NaN.

    Parameters
    ----------
    open_, close
        Prices, sessions x symbols.
    forecasts
        By (session, symbol): of each session only the symbols are held that it has, what a recipe
        could have traded. None: every symbol.
    """
    returns = close / open_ - 1.0
    if forecasts is not None:
        known = forecasts.unstack(SYMBOL).reindex(index=returns.index, columns=returns.columns)
        returns = returns.where(known.notna())
    return returns.mean(axis=1).rename("benchmark_return")


def summary(result: Backtest, benchmark_returns: pd.Series) -> dict[str, float]:
    """Metrics of a backtest under the names of the run contract.

    Parameters
    ----------
    result
        Of ``backtest``.
    benchmark_returns
        By session, for example ``equal_weight_benchmark``; NaN sessions are left out.

    Returns
    -------
    dict[str, float]
        Net of costs unless named gross; Sharpe and return a year, turnover and exposure a session.
        NaN where a value is undefined.
    """
    net, benchmark = result.net_returns, benchmark_returns.dropna()
    return {
        "backtest/sharpe": sharpe(net),
        "backtest/max_drawdown": max_drawdown(net),
        "backtest/annualized_return": annualized_return(net),
        "backtest/total_return": total_return(net),
        "backtest/win_rate": win_rate(result.ledger),
        "backtest/trades": float(len(positions(result.ledger))),
        "backtest/turnover": turnover(result),
        "backtest/cost_share": cost_share(result.ledger),
        "backtest/break_even_bps": break_even_bps(result.ledger),
        "backtest/exposure": float(result.exposure.mean()),
        "backtest/gross_sharpe": sharpe(result.gross_returns),
        "backtest/sessions": float(len(net)),
        "benchmark/sharpe": sharpe(benchmark),
        "benchmark/total_return": total_return(benchmark),
    }
