"""The engine against the library bt, for the rules that it can express.

bt trades at one price a row, so each session has two: the open and the close. It has no cents:
money is booked in billionths here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bt
import numpy as np
import pandas as pd
import pytest

from pipeline.trading.backtest import Backtest, backtest
from tests.trading.markets import Case, random_case, replaced

OPENS_AT, CLOSES_AT = pd.Timedelta(hours=9), pd.Timedelta(hours=16)
BILLIONTHS = 10**9


def rows(opens: pd.DataFrame, closes: pd.DataFrame) -> pd.DataFrame:
    """Opens and closes of the sessions, one after the other."""
    at_open, at_close = (
        opens.set_axis(opens.index + OPENS_AT),
        closes.set_axis(closes.index + CLOSES_AT),
    )
    return pd.concat([at_open, at_close]).sort_index()


def library_equity(
    prices: pd.DataFrame,
    algos: list[Any],
    bankroll: float,
    *,
    whole: bool,
    commissions: Callable[[float, float], float] | None = None,
) -> np.ndarray:
    """Equity after each close, by bt."""
    test = bt.Backtest(
        bt.Strategy("s", algos), prices, initial_capital=bankroll, integer_positions=whole,
        commissions=commissions, progress_bar=False,
    )  # fmt: skip
    test.run()
    values = test.strategy.data["value"]
    return values[values.index.isin(prices.index[1::2])].to_numpy()


class AtTheOpen(bt.Algo):
    """Go on to the next algos at opens only; at closes sell everything."""

    def __call__(self, target: Any) -> bool:
        if target.now - target.now.normalize() == OPENS_AT:
            return True
        for name, child in target.children.items():
            if child.position:
                target.transact(-child.position, name)
        return False


class Transact(bt.Algo):
    """Trade these shares at each open."""

    def __init__(self, shares: pd.DataFrame) -> None:
        super().__init__()
        self.shares = shares

    def __call__(self, target: Any) -> bool:
        today = self.shares.loc[target.now.normalize()]
        for name, count in today[today != 0.0].items():
            target.transact(count, name)
        return True


def quiet(seed: int) -> Case:
    """All bars are there, and each open is the previous close: bt sizes at the price it trades."""
    case = random_case(seed, sessions=30, symbols=12)
    rng = np.random.default_rng(seed)
    like = case.predictions
    opened = pd.DataFrame(rng.uniform(5.0, 500.0, like.shape), like.index, like.columns)
    closed = opened * np.exp(rng.normal(0.0, 0.03, like.shape))
    forecasts = pd.DataFrame(rng.normal(0.0, 0.01, like.shape), like.index, like.columns)
    frames = {"open": opened, "high": opened, "low": opened, "close": closed, "volume": opened}
    known = {**case.market.known, "previous_close": opened}
    return Case(forecasts, replaced(case.market, **frames, known=known))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("whole", [False, True])
def test_the_library_takes_and_sizes_the_same_positions(rules, seed, whole):
    case = quiet(seed)
    prices = rows(case.market.open, case.market.close)
    ranked = rows(case.predictions, case.predictions)
    algos = [
        AtTheOpen(),
        bt.algos.SelectAll(),
        bt.algos.SetStat(ranked),
        bt.algos.SelectN(4),
        bt.algos.WeighEqually(),
        bt.algos.Rebalance(),
    ]
    best = rules(max_positions=4, min_edge_bps=-1e9, whole_shares=whole)
    ours = backtest(*case.both, best, 10_000.0, units=BILLIONTHS)
    theirs = library_equity(prices, algos, 10_000.0, whole=whole)
    np.testing.assert_allclose(ours.equity.iloc[1:], theirs, rtol=1e-9)


def signed_shares(result: Backtest, like: pd.DataFrame) -> pd.DataFrame:
    ledger = result.ledger
    sign = ledger["side"].map({"long": 1.0, "short": -1.0})
    table = ledger.assign(shares=sign * ledger["shares_filled"]).pivot_table(
        index="session", columns="symbol", values="shares", aggfunc="sum"
    )
    return table.reindex_like(like).fillna(0.0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sides", ["long", "long_short"])
def test_the_library_earns_and_pays_the_same_for_the_same_fills(rules, seed, sides):
    case = random_case(seed, sessions=30, symbols=12)
    costs = rules(
        sides=sides, max_positions=6, commission_bps=2.0, slippage_bps=3.0,
        commission_per_share=0.0, whole_shares=True,
    )  # fmt: skip
    ours = backtest(*case.both, costs, 10_000.0, units=BILLIONTHS)
    theirs = library_equity(
        rows(case.market.open, case.market.close).fillna(1.0),
        [AtTheOpen(), Transact(signed_shares(ours, case.predictions))],
        10_000.0,
        whole=True,
        commissions=lambda shares, price: abs(shares) * price * 0.0005,
    )
    assert (ours.ledger["shares_filled"] > 0.0).sum() > 50
    np.testing.assert_allclose(ours.equity.iloc[1:], theirs, rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_library_pays_the_same_minimum_commission(rules, seed):
    case = random_case(seed, sessions=30, symbols=12)
    costs = rules(max_positions=6, commission_per_share=0.01, commission_minimum=1.0)
    ours = backtest(*case.both, costs, 10_000.0, units=BILLIONTHS)
    theirs = library_equity(
        rows(case.market.open, case.market.close).fillna(1.0),
        [AtTheOpen(), Transact(signed_shares(ours, case.predictions))],
        10_000.0,
        whole=False,
        commissions=lambda shares, _: max(1.0, 0.01 * abs(shares)),
    )
    np.testing.assert_allclose(ours.equity.iloc[1:], theirs, rtol=1e-9)
