"""Forecasts of rows become trades on a market's axes; part of a market trades as one alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.recipe.books import books, net_returns, wide
from pipeline.recipe.sweep import hedged_with, sweep_metrics, swept_books
from pipeline.schemas import ROW, BarPanel
from pipeline.stats.returns import sharpe
from pipeline.trading.backtest import backtests
from pipeline.trading.market import Market
from pipeline.trading.performance import equal_weight_benchmark, summary
from pipeline.trading.rules import Rules
from tests.recipe import made
from tests.trading.markets import random_bars

TRADED = 30
BANKROLL = 100_000.0


@pytest.fixture(scope="module")
def bars() -> BarPanel:
    return random_bars(4, sessions=300)


def market_of(bars: BarPanel, sessions: pd.DatetimeIndex, *, is_hedged: bool = False) -> Market:
    regimes = pd.Series("RANGING", sessions)
    sectors = pd.Series("X", bars.symbols)
    before = bars.sessions[bars.sessions < sessions[0]][-1]
    return Market.of_bars(bars, sessions, regimes, sectors, before, is_hedged=is_hedged)


@pytest.fixture(scope="module")
def market(bars: BarPanel) -> Market:
    return market_of(bars, bars.sessions[-TRADED:])


@pytest.fixture(scope="module")
def predictions(bars: BarPanel) -> pd.Series:
    sessions = bars.sessions[-TRADED:]
    values = np.random.default_rng(2).normal(0.0, 0.01, (TRADED, len(bars.symbols)))
    return pd.DataFrame(values, sessions, bars.symbols).stack().rename_axis(ROW)


def test_forecasts_lie_on_the_market_s_axes_whatever_rows_there_are(
    market: Market, predictions: pd.Series
) -> None:
    some = predictions.iloc[5:-7].sample(frac=1.0, random_state=1)
    laid = wide(some, market)
    assert laid.index.equals(market.close.index)
    assert laid.columns.equals(market.close.columns)
    assert laid.stack().dropna().sort_index().equals(some.sort_index())
    assert laid.isna().sum(axis=None) == 12


def test_returns_of_some_sessions_are_those_of_a_backtest_of_them_alone(
    bars: BarPanel, market: Market, predictions: pd.Series
) -> None:
    some = bars.sessions[-20:-10]
    part = predictions[predictions.index.get_level_values("session").isin(some)]
    rules = made.rules(max_positions=3)
    alone = books(rules, BANKROLL, part, market_of(bars, some))
    found = net_returns(rules, BANKROLL, market, part)
    pd.testing.assert_series_equal(found, alone.net_returns, check_exact=True, check_freq=False)
    assert found.ne(0.0).any()


def test_several_rules_share_one_market(market: Market, predictions: pd.Series) -> None:
    several = [
        (made.rules(sides="long_short"), 20_000.0),
        (made.rules(stop_atr=0.5, target_atr=1.0), BANKROLL),
        (made.rules(max_positions=5, weights="volatility", impact=0.5), BANKROLL),
    ]
    swept = backtests(wide(predictions, market), market, several)
    for (rules, bankroll), result in zip(several, swept, strict=True):
        alone = books(rules, bankroll, predictions, market)
        pd.testing.assert_series_equal(result.equity, alone.equity, check_exact=True)
    metrics = summary(alone, equal_weight_benchmark(market.open, market.close))
    assert metrics["backtest/trades"] > 0


# ---- sweeps ----


@pytest.mark.parametrize(
    ("rules", "hedge"),
    [
        (made.rules(), None),
        (made.rules(hedge_symbol="^IXIC"), None),
        (made.rules(hedge="beta"), "UNIVERSE"),
        (made.rules(hedge="dollar", hedge_symbol="^IXIC"), "^IXIC"),
    ],
)
def test_a_market_is_made_for_a_hedge_and_what_it_trades(rules: Rules, hedge: str | None) -> None:
    assert hedged_with(rules) == hedge


def test_a_market_is_made_once_for_all_that_hedge_alike_and_never_for_the_one_at_hand(
    bars: BarPanel, market: Market, predictions: pd.Series
) -> None:
    plain, hedged = made.rules(), made.rules(hedge="beta")
    settings = [(hedged, BANKROLL), (plain, BANKROLL), (hedged, 20_000.0), (plain, 20_000.0)]
    asked: list[Rules] = []

    def market_for(rules: Rules) -> Market:
        asked.append(rules)
        return market_of(bars, market.sessions, is_hedged=True)

    found = dict(swept_books(settings, predictions, market, None, market_for))
    assert asked == [hedged]
    assert sorted(found) == [0, 1, 2, 3]
    for number, (rules, bankroll) in enumerate(settings):
        own = market_of(bars, market.sessions, is_hedged=rules.is_hedged)
        alone = books(rules, bankroll, predictions, own)
        pd.testing.assert_frame_equal(found[number].ledger, alone.ledger, check_exact=True)

    asked.clear()
    at_hand = market_of(bars, market.sessions, is_hedged=True)
    assert len(dict(swept_books(settings, predictions, at_hand, "UNIVERSE", market_for))) == 4
    assert asked == []


def test_the_best_of_a_sweep_is_worth_less_the_more_there_were() -> None:
    rng = np.random.default_rng(3)
    days = pd.bdate_range("2024-01-01", periods=250)
    returns = [pd.Series(rng.normal(1e-3 * k, 0.01, 250), days) for k in range(4)]
    metrics = sweep_metrics(returns)
    assert metrics["sweep/settings"] == 4.0
    assert metrics["sweep/best_sharpe"] == max(sharpe(net) for net in returns)
    more = sweep_metrics(returns * 5)
    assert more["sweep/best_sharpe"] == metrics["sweep/best_sharpe"]
    assert more["sweep/deflated_sharpe"] < metrics["sweep/deflated_sharpe"]


def test_a_sweep_that_never_traded_has_no_best() -> None:
    idle = pd.Series(0.0, pd.bdate_range("2024-01-01", periods=20))
    assert sweep_metrics([idle, idle]) == {"sweep/settings": 2.0}
