from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.stats.returns import sharpe
from pipeline.trading import performance
from pipeline.trading.backtest import Backtest, backtest
from pipeline.trading.market import Market
from tests.trading.markets import market_of, random_case

DAYS = pd.DatetimeIndex(["2024-01-02", "2024-01-03"], name="session").as_unit("us")
NAMES = pd.Index(["A", "B"], name="symbol")


def wide(*rows: list[float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), DAYS, NAMES, dtype="float64")


def market(close: pd.DataFrame) -> Market:
    """Opens and previous closes of 10."""
    tens = wide([10.0, 10.0], [10.0, 10.0])
    frames = {"open": tens, "close": close, "previous_close": tens}
    return market_of(frames, pd.Series("RANGING", DAYS))


@pytest.fixture
def result(rules) -> Backtest:
    """Day 1: A wins 10 %, B loses 4 %; day 2: A alone, flat. 40 % each, 100 bps a side."""
    return backtest(
        wide([0.05, 0.03], [0.05, math.nan]),
        market(close=wide([11.0, 9.6], [10.0, 10.0])),
        rules(max_position_fraction=0.4, commission_bps=100.0),
        bankroll=1000.0,
    )


def test_summary_of_two_sessions_by_hand(result):
    # Day 1: 400 each = 40 shares; +40 and -16 gross, costs 1 % of 840 + 784 = 16.24.
    # Day 2: 40 % of 1007.76 are 40.3104 shares at 10, booked as 403.10 and costs of 4.03 a side.
    first, second = (24.0 - 16.24) / 1000.0, -8.06 / 1007.76
    benchmark = pd.Series([0.03, 0.0], DAYS)
    metrics = performance.summary(result, benchmark)
    assert metrics == pytest.approx(
        {
            "backtest/sharpe": sharpe(pd.Series([first, second])),
            "backtest/max_drawdown": -second,
            "backtest/annualized_return": ((1 + first) * (1 + second)) ** 126 - 1,
            "backtest/total_return": (1 + first) * (1 + second) - 1,
            "backtest/win_rate": 1 / 3,
            "backtest/break_even_bps": 1e4 * 24 / 1215.104,
            "backtest/trades": 3.0,
            "backtest/turnover": (1.624 + 0.8) / 2,
            "backtest/cost_share": (16.24 + 8.06) / 24.0,
            "backtest/exposure": (0.8 + 403.10 / 1007.76) / 2,
            "backtest/gross_sharpe": sharpe(pd.Series([0.024, 0.0])),
            "backtest/sessions": 2.0,
            "benchmark/sharpe": sharpe(benchmark),
            "benchmark/total_return": 0.03,
        }
    )


def test_without_trades_ratios_are_undefined_but_amounts_are_zero(rules, result):
    tens = wide([10.0] * 2, [10.0] * 2)
    idle = backtest(tens * math.nan, market(close=tens), rules(), bankroll=1000.0)
    metrics = performance.summary(idle, pd.Series([0.01, 0.02], DAYS))
    undefined = {name for name, value in metrics.items() if math.isnan(value)}
    assert undefined == {
        "backtest/sharpe",
        "backtest/gross_sharpe",
        "backtest/win_rate",
        "backtest/cost_share",
        "backtest/break_even_bps",
    }
    assert metrics["backtest/trades"] == metrics["backtest/turnover"] == 0.0
    assert metrics["backtest/total_return"] == metrics["backtest/max_drawdown"] == 0.0


def test_a_hedge_is_no_position_but_its_costs_and_turnover_count(result):
    hedged = result.ledger.assign(leg=["position", "hedge", "position"])
    assert len(performance.filled_trades(hedged)) == 3
    assert len(performance.positions(hedged)) == 2
    assert performance.win_rate(hedged) == 0.5
    assert performance.cost_share(hedged) == performance.cost_share(result.ledger)


def test_a_trade_wins_only_after_costs(result):
    ledger = result.ledger.assign(gross_pnl=1.0, net_pnl=[0.5, -0.5, 0.0])
    assert performance.win_rate(ledger) == pytest.approx(1 / 3)


def test_cost_share_is_undefined_where_nothing_was_gained_before_costs(result):
    losers = result.ledger.assign(gross_pnl=-1.0)
    assert math.isnan(performance.cost_share(losers))


def test_benchmark_is_the_mean_of_the_symbols_that_traded():
    open_ = wide([10.0, 20.0], [math.nan, 20.0])
    close = wide([11.0, 20.0], [11.0, 19.0])
    returns = performance.equal_weight_benchmark(open_, close)
    assert returns.tolist() == pytest.approx([0.05, -0.05])


def test_benchmark_of_forecasts_holds_what_they_could_have_traded():
    """A symbol that is no member in the first session is not held then."""
    open_, close = wide([10.0, 20.0], [10.0, 20.0]), wide([11.0, 21.0], [12.0, 19.0])
    forecasts = pd.Series(0.01, open_.stack().index).iloc[1:]
    returns = performance.equal_weight_benchmark(open_, close, forecasts)
    last = (close / open_ - 1.0).iloc[0, 1]
    assert returns.tolist() == pytest.approx([last, (close / open_ - 1.0).iloc[1].mean()])
    nobody = performance.equal_weight_benchmark(open_, close, forecasts.iloc[1:])
    assert math.isnan(nobody.iloc[0])


def test_break_even_is_the_gross_gain_over_the_mean_of_what_was_bought_and_sold(result):
    # Gross 40 - 16 + 0. Traded: 40 x (10 + 11) + 40 x (10 + 9.6) + 40.3104 x 20 = 2430.208.
    assert performance.break_even_bps(result.ledger) == pytest.approx(1e4 * 24 / 1215.104)
    # Costs of 100 bp a side, booked in cents.
    assert performance.charged_bps(result.ledger) == pytest.approx(200.0, abs=0.1)


def test_trades_that_lost_before_costs_break_even_below_zero(rules):
    predictions = wide([0.05, math.nan], [math.nan, math.nan])
    falling = market(close=wide([9.0, 10.0], [10.0, 10.0]))
    lost = backtest(predictions, falling, rules(), bankroll=1000.0).ledger
    assert performance.break_even_bps(lost) == pytest.approx(-1e4 * 1.0 / 9.5)


def test_without_trades_nothing_breaks_even(rules):
    nothing = wide([math.nan, math.nan], [math.nan, math.nan])
    result = backtest(nothing, market(close=nothing), rules(), bankroll=1000.0)
    assert math.isnan(performance.break_even_bps(result.ledger))
    assert math.isnan(performance.charged_bps(result.ledger))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), sides=st.sampled_from(["long", "long_short"]))
def test_at_the_break_even_cost_the_same_trades_earn_nothing(rules, seed, sides):
    case = random_case(seed)
    # A cap by dollar volume and a bankroll far above it: sizes do not hang on what was earned.
    same = {"sides": sides, "max_positions": 4, "max_participation": 0.01}
    free = backtest(*case.both, rules(**same), bankroll=1e8)
    least = performance.break_even_bps(free.ledger)
    assume(0.0 < least < 2_000.0)
    charged = backtest(*case.both, rules(**same, slippage_bps=least / 2.0), bankroll=1e8)
    assert charged.ledger["shares_filled"].tolist() == free.ledger["shares_filled"].tolist()
    left = charged.equity.iloc[-1] - 1e8
    assert left == pytest.approx(0.0, abs=0.01 * (1 + len(free.ledger)))  # a cent a trade
