from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidData
from pipeline.stats.returns import max_drawdown, sharpe
from pipeline.trading.backtest import backtest, backtests
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.ledger import COSTS, LEDGER_DTYPES
from pipeline.trading.market import Market
from pipeline.trading.performance import win_rate
from pipeline.trading.strategy import orders
from tests.trading.markets import (
    PRICES,
    Case,
    market_of,
    one_session,
    random_bars,
    random_case,
    replaced,
)
from tests.trading.test_independent import any_strategy

GOLDEN = Path(os.environ.get("SHARED", Path(__file__).parents[3] / "shared")) / "golden"


def cents(amounts: pd.Series) -> pd.Series:
    """Whole cents; that the amounts are some is a part of each test."""
    whole = (100.0 * amounts).round()
    np.testing.assert_allclose(100.0 * amounts, whole, atol=1e-4)
    return whole.astype("int64")


@pytest.fixture
def any_rules(rules):
    return rules(
        max_positions=3,
        max_position_fraction=0.4,
        commission_bps=3.0,
        slippage_bps=7.0,
        min_dollar_volume=3e5,
        regime_positions={"HIGH_VOL": 2},
    )


def test_one_trade_by_hand(rules):
    # 1000 at a previous close of 20 are 50 shares; in at 21 and out at 22:
    # 50 gross, 10 bps of 50 x (21 + 22) = 2.15 commission, twice that slippage.
    costs = rules(max_positions=2, commission_bps=10.0, slippage_bps=20.0)
    case = one_session(previous_close=[20.0], open=[21.0], close=[22.0])
    result = backtest(*case.both, costs, 2000.0)
    trade = result.ledger.iloc[0]
    assert trade[["shares_ordered", "shares_filled", "equity_before"]].tolist() == [50, 50, 2000]
    assert trade[["gross_pnl", "commission", "slippage"]].tolist() == [50.0, 2.15, 4.3]
    assert trade[["net_pnl", "equity", "cash"]].tolist() == [43.55, 2043.55, 946.85]
    assert result.equity.tolist() == [2000.0, 2043.55]
    assert result.net_returns.tolist() == pytest.approx([43.55 / 2000.0])
    assert result.gross_returns.tolist() == pytest.approx([50.0 / 2000.0])
    assert result.exposure.tolist() == pytest.approx([1050.0 / 2000.0])


def test_one_short_by_hand(rules):
    # 1000 at 20 are 50 shares sold at 21 = 1050 and bought back at 22: a loss of 50. One day of
    # 720 bp a year costs 1050 x 0.072 / 360 = 0.21; its cash is locked as if it were bought.
    case = one_session(predictions=[-0.05], previous_close=[20.0], open=[21.0], close=[22.0])
    short = rules(sides="long_short", max_positions=2, borrow_bps_a_year=720.0)
    result = backtest(*case.both, short, 2000.0)
    trade = result.ledger.iloc[0]
    assert trade["side"] == "short"
    assert trade[["gross_pnl", "borrow", "net_pnl"]].tolist() == [-50.0, 0.21, -50.21]
    assert trade[["cash", "equity"]].tolist() == [950.0, 1949.79]
    assert result.exposure.tolist() == [0.525]


def test_commission_by_the_share_has_a_minimum_on_each_side(rules):
    case = one_session(previous_close=[20.0, 2.0], open=[20.0, 2.0], close=[20.0, 2.0])
    costs = rules(commission_per_share=0.005, commission_minimum=1.0)
    ledger = backtest(*case.both, costs, 2000.0).ledger
    assert ledger["shares_filled"].tolist() == pytest.approx([50.0, 999 / 2.005])
    assert ledger["commission"].tolist() == [2.0, 4.98]  # 25 cents are less than 1; 2.49 are not


def test_impact_is_measured_by_what_is_ordered(rules):
    # An order of 1000 where 100,000 are traded: a tenth of a volatility of 2 %, on 1100 and 1000.
    case = one_session(
        previous_close=[10.0],
        open=[11.0],
        close=[10.0],
        volatility=[0.02],
        mean_dollar_volume=[1e5],
    )
    ledger = backtest(*case.both, rules(impact=1.0), 2000.0).ledger
    assert ledger["impact"].tolist() == pytest.approx([0.002 * 1100 + 0.002 * 1000])


def test_money_is_rounded_to_the_cent_and_halves_to_the_even_one(rules):
    # 0.005 x 25 shares = 0.125 and 0.005 x 99 = 0.495, on each side.
    case = one_session(previous_close=[40.0, 10.1], open=[40.0, 10.1], close=[40.0, 10.1])
    chosen = rules(commission_per_share=0.005, max_position_fraction=0.5, whole_shares=True)
    ledger = backtest(*case.both, chosen, 2001.0).ledger
    assert ledger["shares_filled"].tolist() == [25.0, 99.0]
    assert ledger["commission"].tolist() == [0.24, 1.0]  # 12.5 cents are 12, 49.5 are 50


@pytest.mark.parametrize(("whole", "filled"), [(False, [40.0, 75 / 2]), (True, [40.0, 37.0])])
def test_fills_are_cut_in_rank_order_where_gaps_would_overdraw_the_cash(rules, whole, filled):
    # 400 each are 40 shares at 10. The first costs 420, which leaves 380 for 40 shares at 10.1333.
    case = one_session(previous_close=[10.0, 10.0], open=[10.5, 10.0 + 2 / 15], close=[11.0, 11.0])
    ledger = backtest(*case.both, rules(whole_shares=whole), 800.0).ledger
    assert ledger["shares_ordered"].tolist() == [40.0, 40.0]
    assert ledger["shares_filled"].tolist() == pytest.approx(filled, abs=0.003)
    assert ledger["reason"].tolist() == ["", "cash"]


def test_what_a_cut_whole_share_leaves_goes_to_the_next_rank(rules):
    case = one_session(previous_close=[100.0, 1.0], open=[150.0, 1.0], close=[150.0, 1.0])
    ledger = backtest(*case.both, rules(whole_shares=True), 1000.0).ledger
    assert ledger["shares_filled"].tolist() == [5.0, 250.0]
    assert ledger["cash"].tolist() == [250.0, 0.0]


def test_entry_costs_are_paid_from_the_same_cash(rules):
    case = one_session(previous_close=[10.0], open=[10.0], close=[10.0])
    result = backtest(*case.both, rules(max_positions=1, commission_bps=100.0), 1010.0)
    assert result.ledger["shares_filled"].tolist() == pytest.approx([100.0])
    assert result.equity.tolist() == pytest.approx([1010.0, 990.0])


@pytest.mark.parametrize(
    ("bar", "reason"),
    [
        ({"open": np.nan}, "no open"),
        ({"open": 0.0}, "no open"),
        ({"volume": 0.0}, "halted"),
        ({"open": 10.2}, "open beyond the limit"),
        ({"close": np.nan}, "no close"),
        ({"high": np.nan}, "no high or low"),
        ({"low": np.nan}, "no high or low"),
        ({"previous_close": np.nan}, "no previous close"),
        ({"previous_close": 600.0, "open": 600.0, "close": 600.0}, "less than one share"),
        ({"predictions": 0.0001}, "costs more than its edge"),
        ({}, ""),
    ],
)
def test_every_order_without_a_fill_has_its_reason(rules, bar, reason):
    usual = {"predictions": 0.05, "previous_close": 10.0, "open": 10.0, "high": 10.0, "low": 10.0}
    usual |= {"close": 10.0, "volume": 1e6, "average_true_range": 1.0}
    case = one_session(**{name: [value] for name, value in (usual | bar).items()})
    waiting = rules(
        whole_shares=True, limit_bps=100.0, stop_atr=1.0, min_edge_bps=None, commission_minimum=1.0
    )
    trade = backtest(*case.both, waiting, 1000.0).ledger.iloc[0]
    assert trade["reason"] == reason
    assert (trade["shares_filled"] > 0.0) == (reason == "")
    assert trade["exit"] == ("close" if reason == "" else "")


def test_unfilled_order_leaves_its_cash_to_the_next_rank(rules):
    case = one_session(previous_close=[10.0, 10.0], open=[np.nan, 15.0], close=[11.0, 15.0])
    assert backtest(*case.both, rules(), 1000.0).ledger["shares_filled"].tolist() == [0.0, 50.0]


def test_a_stop_fills_at_its_price_and_costs_are_of_what_was_paid(rules):
    case = one_session(
        previous_close=[10.0],
        open=[10.0],
        high=[12.0],
        low=[8.0],
        close=[11.0],
        average_true_range=[1.0],
    )
    stopped = rules(max_positions=1, stop_atr=1.0, target_atr=1.0, commission_bps=100.0)
    trade = backtest(*case.both, stopped, 1010.0).ledger.iloc[0]
    assert trade[["stop", "target", "exit_price", "exit"]].tolist() == [9.0, 11.0, 9.0, "stop"]
    assert trade[["gross_pnl", "commission"]].tolist() == [-100.0, 19.0]


def test_first_session_counts_and_the_curve_starts_with_the_bankroll(rules):
    case = one_session(previous_close=[10.0], open=[10.0], close=[9.0])
    day_before = pd.Timestamp("2023-12-29")
    market = replaced(case.market, previous_session=day_before)
    result = backtest(case.predictions, market, rules(max_positions=1), 100.0)
    assert result.equity.index.tolist() == [day_before, pd.Timestamp("2024-01-02")]
    assert result.equity.tolist() == pytest.approx([100.0, 90.0])
    assert result.net_returns.tolist() == pytest.approx([-0.1])


def test_without_candidates_equity_stays_and_the_ledger_keeps_its_columns(rules):
    result = backtest(*random_case(1).both, rules(min_edge_bps=1e6), 100.0)
    assert result.ledger.empty
    assert {name: str(dtype) for name, dtype in result.ledger.dtypes.items()} == LEDGER_DTYPES
    assert (result.equity == 100.0).all()
    assert (result.net_returns == 0.0).all()
    assert (result.exposure == 0.0).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), changes=any_strategy)
def test_cash_is_never_negative_and_pnl_is_the_change_of_equity_to_the_cent(rules, seed, changes):
    result = backtest(*random_case(seed).both, rules(**changes), 10_000.0)
    ledger, equity = result.ledger, cents(result.equity)
    assert (ledger["cash"] >= 0.0).all()
    net, gross = cents(ledger["net_pnl"]), cents(ledger["gross_pnl"])
    assert net.sum() == equity.iloc[-1] - equity.iloc[0]
    by_session = net.groupby(ledger["session"]).sum().reindex(equity.index[1:], fill_value=0)
    assert by_session.tolist() == equity.diff().iloc[1:].astype("int64").tolist()
    assert (net == gross - sum(cents(ledger[name]) for name in COSTS)).all()
    running = cents(ledger["equity_before"]) + net.groupby(ledger["session"]).cumsum()
    assert (cents(ledger["equity"]) == running).all()
    compounded = 10_000.0 * (1.0 + result.net_returns).prod()
    assert compounded == pytest.approx(result.equity.iloc[-1])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), changes=any_strategy)
def test_nothing_trades_without_a_whole_bar_or_in_a_halt(rules, seed, changes):
    case = random_case(seed)
    ledger = backtest(*case.both, rules(**changes), 10_000.0).ledger
    filled = ledger[(ledger["shares_filled"] > 0.0) & (ledger["leg"] == "position")]
    for name in PRICES:
        bars = getattr(case.market, name).stack()
        of_fills = bars.reindex(pd.MultiIndex.from_frame(filled[["session", "symbol"]]))
        assert (of_fills > 0.0).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    name=st.sampled_from(
        ["commission_bps", "slippage_bps", "commission_per_share", "commission_minimum",
         "spread_fraction", "impact", "borrow_bps_a_year", "hedge_bps"]
    ),
    factor=st.floats(1.0, 5.0),
)  # fmt: skip
def test_a_higher_cost_never_leaves_more_of_the_same_fills(rules, seed, name, factor):
    """One session, small enough for no fill to be cut: what is filled does not depend on costs."""
    costs = {
        "commission_bps": 5.0, "slippage_bps": 5.0, "commission_per_share": 0.01,
        "commission_minimum": 1.0, "spread_fraction": 0.2, "impact": 0.5,
        "borrow_bps_a_year": 500.0, "hedge_bps": 5.0,
    }  # fmt: skip
    case = random_case(seed, sessions=1, symbols=8)
    same = {"sides": "long_short", "hedge": "beta", "max_position_fraction": 0.05}
    cheap = backtest(*case.both, rules(**same, **costs), 10_000.0)
    dear = backtest(*case.both, rules(**same, **costs | {name: costs[name] * factor}), 10_000.0)
    assert dear.ledger["shares_filled"].equals(cheap.ledger["shares_filled"])
    assert (dear.ledger["net_pnl"] <= cheap.ledger["net_pnl"]).all()
    assert dear.equity.iloc[-1] <= cheap.equity.iloc[-1]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), changes=any_strategy)
def test_orders_of_a_session_alone_are_those_the_backtest_traded(rules, seed, changes):
    case, same = random_case(seed), rules(**changes)
    result = backtest(*case.both, same, 10_000.0)
    for number, session in enumerate(case.predictions.index):
        equity = result.equity.iloc[number]
        signalled = orders(Forecasts(*case.at([session]).both), same, equity)
        traded = result.ledger[result.ledger["session"] == session]
        wanted = signalled.drop(columns=["notional", "edge_bps", "cost_bps"])
        got = traded.rename(columns={"shares_ordered": "shares"})[list(wanted)]
        pd.testing.assert_frame_equal(got.reset_index(drop=True), wanted, check_exact=True)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), changes=any_strategy, columns=st.permutations(range(5)))
def test_order_of_symbols_is_irrelevant(rules, seed, changes, columns):
    case = random_case(seed)
    shuffled = case.with_columns(case.predictions.columns[list(columns)])
    straight = backtest(*case.both, rules(**changes), 10_000.0)
    other = backtest(*shuffled.both, rules(**changes), 10_000.0)
    pd.testing.assert_frame_equal(other.ledger, straight.ledger, check_exact=True)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), changes=any_strategy, cut=st.integers(1, 7))
def test_later_sessions_change_nothing_before_them(rules, seed, changes, cut):
    case = random_case(seed)
    full = backtest(*case.both, rules(**changes), 10_000.0)
    short = backtest(*case.at(case.predictions.index[:cut]).both, rules(**changes), 10_000.0)
    pd.testing.assert_series_equal(full.equity.iloc[: cut + 1], short.equity, check_exact=True)
    before = full.ledger[full.ledger["session"].isin(short.equity.index)].reset_index(drop=True)
    pd.testing.assert_frame_equal(before, short.ledger, check_exact=True)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), changes=any_strategy, cut=st.integers(75, 118))
def test_bars_from_a_session_on_change_no_order_of_it(rules, seed, changes, cut):
    """From bars to orders: what a session trades is the same whatever its own bars say."""
    bars, rng = random_bars(seed), np.random.default_rng(seed)
    sessions, chosen = bars.sessions[70:], rules(**changes)
    predictions = pd.DataFrame(
        rng.normal(0.0, 0.01, (len(sessions), len(bars.symbols))), sessions, bars.symbols
    )
    regimes = pd.Series("RANGING", bars.sessions)
    sectors, day_before = pd.Series(["X", "Y"] * 3, bars.symbols), bars.sessions[69]

    def ledger(known: Market) -> pd.DataFrame:
        return backtest(predictions.loc[known.close.index], known, chosen, 1e5).ledger

    whole = ledger(
        Market.of_bars(bars, sessions, regimes, sectors, day_before, is_hedged=chosen.is_hedged)
    )
    session = bars.sessions[cut]
    cut_bars = bars.loc(bars.sessions[:cut]).loc(bars.sessions[: cut + 1])
    upto = sessions[sessions <= session]
    short = ledger(
        Market.of_bars(cut_bars, upto, regimes, sectors, day_before, is_hedged=chosen.is_hedged)
    )
    known_before = [
        "session", "symbol", "rank", "side", "prediction", "weight", "reference_price",
        "shares_ordered", "limit", "stop", "target", "equity_before",
    ]  # fmt: skip
    expected = whole.loc[whole["session"] <= session, known_before]
    pd.testing.assert_frame_equal(short[known_before], expected, check_exact=True)


@pytest.mark.parametrize("seed", range(5))
def test_price_level_is_irrelevant_for_returns_of_fractional_shares(any_rules, seed):
    case = random_case(seed)
    scale = pd.Series([0.1, 1.0, 3.0, 10.0, 1000.0], case.predictions.columns)
    own = {name: getattr(case.market, name) * scale for name in PRICES[:4]}
    known = {**case.market.known, "previous_close": case.market.previous_close * scale}
    scaled = Case(case.predictions, replaced(case.market, **own, known=known))
    pd.testing.assert_series_equal(
        backtest(*scaled.both, any_rules, 10_000.0, units=10**6).net_returns,
        backtest(*case.both, any_rules, 10_000.0, units=10**6).net_returns,
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), several=st.lists(any_strategy, min_size=1, max_size=6))
def test_several_settings_together_equal_each_one_alone(rules, seed, several):
    case = random_case(seed)
    asked = [(rules(**changes), 1_000.0 * (k + 1)) for k, changes in enumerate(several)]
    for (chosen, bankroll), result in zip(asked, backtests(*case.both, asked), strict=True):
        alone = backtest(*case.both, chosen, bankroll)
        pd.testing.assert_series_equal(result.equity, alone.equity, check_exact=True)
        pd.testing.assert_frame_equal(result.ledger, alone.ledger, check_exact=True)


def test_settings_that_do_not_fit_at_once_are_traded_one_after_the_other(rules, monkeypatch):
    case = random_case(3)
    asked = [(rules(max_positions=n), 5_000.0) for n in (1, 2, 3, 4)]
    together = list(backtests(*case.both, asked))
    monkeypatch.setattr("pipeline.trading.backtest.CELLS_AT_ONCE", 1)
    apart = backtests(*case.both, asked)
    for one, other in zip(together, apart, strict=True):
        pd.testing.assert_frame_equal(one.ledger, other.ledger, check_exact=True)


@pytest.mark.parametrize("bankroll", [0.0, -1.0, np.nan, 1e16])
def test_backtest_without_a_bankroll_that_can_be_booked_is_refused(any_rules, bankroll):
    with pytest.raises(InvalidData, match="bankroll"):
        backtest(*random_case(0).both, any_rules, bankroll)


def test_sessions_newest_first_are_refused(any_rules):
    case = random_case(0)
    with pytest.raises(InvalidData, match="unordered"):
        backtest(*case.at(case.predictions.index[::-1]).both, any_rules, 1.0)


@pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"golden values are absent: {GOLDEN}")
@pytest.mark.parametrize("max_positions", [2, 5])
def test_reference_backtest_is_reproduced(rules, max_positions):
    """Trades and equity of the reference, with its rules where ours can express them.

    Ours by default differs in five ways: it wants predictions above the costs (the reference
    buys the best whatever their sign: a far negative edge), charges each side on its own notional
    (the reference 20 bps on the entry: taken off the close here), rounds to whole shares, books
    whole cents (the reference floats: 10 billionths here), and keeps the bankroll as the first
    point: the first session's return, which the reference's Sharpe leaves out, counts.
    """
    given_values = pd.read_csv(GOLDEN / "backtest_predictions.csv", parse_dates=["trade_date"])
    predictions, labels = (
        given_values.pivot_table(index="trade_date", columns="symbol", values=name)
        for name in ("prediction", "intraday_return")
    )
    ones = pd.DataFrame(1.0, predictions.index, predictions.columns)
    frames = {"open": ones, "close": ones + labels - 0.002, "previous_close": ones}
    market = market_of(frames, pd.Series("UNKNOWN", predictions.index))
    reference = rules(max_positions=max_positions, min_edge_bps=-1e9)
    result = backtest(predictions, market, reference, 10_000.0, units=10**10)
    trades = pd.read_csv(GOLDEN / f"backtest_trades_mp{max_positions}.csv")
    equity = pd.read_csv(GOLDEN / f"backtest_equity_mp{max_positions}.csv")
    assert result.ledger["symbol"].tolist() == trades["symbol"].tolist()
    np.testing.assert_allclose(result.ledger["net_pnl"], trades["pnl"], atol=1e-8)
    np.testing.assert_allclose(result.equity.iloc[1:], equity["equity"], rtol=1e-12)
    summary = json.loads((GOLDEN / "backtest_summary.json").read_text())
    theirs = summary[f"max_positions={max_positions}"]
    without_first = sharpe(result.net_returns.iloc[1:])
    assert without_first == pytest.approx(theirs["sharpe"], rel=1e-6)
    assert sharpe(result.net_returns) < without_first  # both first sessions lost
    assert max_drawdown(result.net_returns) == pytest.approx(theirs["max_drawdown"])
    assert win_rate(result.ledger) == pytest.approx(theirs["win_rate"])
