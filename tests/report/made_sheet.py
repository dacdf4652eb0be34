"""Tear sheets of a market made at random, as long and as busy as a test asks for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.gates.gates import Answer, GateResult
from pipeline.learning.drivers import Driver
from pipeline.report.tear_sheet.contents import contents
from pipeline.report.tear_sheet.context import MarketContext
from pipeline.report.tear_sheet.header import SheetHeader
from pipeline.report.tear_sheet.sheet import Sheet
from pipeline.stats.inference import sharpe_interval
from pipeline.stats.overfitting import deflated_sharpe_by_looks
from pipeline.trading.backtest import Backtest
from pipeline.trading.performance import summary

SYMBOLS = pd.Index([f"S{number:02d}" for number in range(30)], name="symbol")
COST = 0.001
"""Of a round trip, on the amount bought."""
SEARCHES = pd.DataFrame(
    {
        "predicted_first": ["2021-03-01", "2021-09-01", "2022-03-01"],
        "cv_rank_ic": [0.02, 0.03, 0.01],
        "lightgbm.learning_rate": [0.001, 0.1, 0.01],
        "lightgbm.num_leaves": [31, 31, 63],
        "lightgbm.objective": ["l1", "l2", "l2"],
        "lightgbm.seed": [7, 7, 7],
    }
)
"""Of a walk-forward, as `recipe.evaluate.searches_table` makes them."""


def market(sessions: int, seed: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Open and close; each symbol moves by about 1 % a session."""
    days = pd.bdate_range("2021-03-01", periods=sessions, name="session", unit="us")
    moves = np.random.default_rng(seed).normal(0.0, 0.01, (sessions, len(SYMBOLS)))
    opened = pd.DataFrame(50.0, days, SYMBOLS)
    return opened, opened * (1.0 + moves)


def books(opened: pd.DataFrame, close: pd.DataFrame, traded: int) -> Backtest:
    """1,000 shares of the first symbol in each of the first ``traded`` sessions, at 1 % cost."""
    days = opened.index
    bought, sold = opened.iloc[:traded, 0].to_numpy(), close.iloc[:traded, 0].to_numpy()
    gross, cost = 100.0 * (sold - bought), 100.0 * bought * COST
    equity = 1e5 + np.concatenate([[0.0], np.cumsum(gross - cost)])
    before = pd.Series(np.append(equity[:-1], np.repeat(equity[-1], len(days) - traded)), days)
    ledger = pd.DataFrame(
        {
            "session": days[:traded], "symbol": SYMBOLS[0], "leg": "position", "rank": 1,
            "side": "long", "prediction": 0.002, "shares_filled": 100.0, "open": bought,
            "exit_price": sold,
            "gross_pnl": gross, "commission": cost, "slippage": 0.0,
            "impact": 0.0, "borrow": 0.0, "net_pnl": gross - cost,
            "equity_before": before.iloc[:traded].to_numpy(),
        }
    )  # fmt: skip

    def over_equity(amounts: np.ndarray) -> pd.Series:
        return pd.Series(np.append(amounts, np.zeros(len(days) - traded)), days) / before

    net = over_equity(gross - cost)
    start = days.insert(0, days[0] - pd.Timedelta(days=1))
    return Backtest(
        ledger=ledger,
        equity=pd.Series(np.append(before, equity[-1]), start),
        net_returns=net,
        gross_returns=over_equity(gross),
        exposure=over_equity(100.0 * bought),
    )


def performance(done: Backtest, benchmark: pd.Series) -> dict[str, float]:
    """Metrics of these books as a run has them."""
    low, high = sharpe_interval(done.net_returns, seed=1, replications=100)
    return {
        **summary(done, benchmark),
        "backtest/sharpe_ci_low": low,
        "backtest/sharpe_ci_high": high,
        "backtest/deflated_sharpe": deflated_sharpe_by_looks(done.net_returns, 1),
    }


def sheet(sessions: int, traded: int, *, constant: bool = False, **header: object) -> Sheet:
    """A sheet of so many sessions, of which the first ``traded`` have a trade.

    Forecasts are a tenth of the return and noise; or the same for all symbols.
    """
    opened, close = market(sessions)
    done = books(opened, close, traded)
    noise = market(sessions, seed=4)
    forecasts = 0.1 * (close / opened - 1.0) + 0.1 * (noise[1] / noise[0] - 1.0)
    index = (close / opened - 1.0).mean(axis=1).rename("^IXIC")
    context = MarketContext(
        open=opened,
        close=close,
        regimes=pd.Series(np.where(opened.index.month % 2, "RANGING", "HIGH_VOL"), opened.index),
        previous_session=done.equity.index[0],
        sectors=pd.Series("Energy", SYMBOLS),
        index_returns=index,
        index_note="",
        min_edge=COST,
    )
    gate = GateResult(
        name="min_sessions", answer=Answer.UNKNOWN, value=float(sessions), threshold=1e4,
        sessions=sessions, explanation="too few <sessions> & trades", decisive=True,
    )  # fmt: skip
    words = {"title": "A made retrain", "facts": {"Model": "none"}, "verdict": "rejected",
             "reasons": ["Because."], "gates": [gate],
             "drivers": [Driver("rsi", 2e-4, 0.6, 0.03, 2.1), Driver("macd", 1e-4, 0.4, -0.01, -1)],
             }  # fmt: skip
    metrics = performance(done, index) | {"backtest/looks": 1.0, "test/r2": 0.001}
    predicted = pd.Series((0.0 * forecasts if constant else forecasts).stack(), name="prediction")
    return contents(done, predicted, context, metrics, SheetHeader(**words | header))
