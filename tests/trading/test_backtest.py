from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidData
from pipeline.trading import backtest as books
from pipeline.trading.backtest import Backtest, backtest
from pipeline.trading.strategy import orders, target_weights

GOLDEN = Path(os.environ.get("SHARED", Path(__file__).parents[3] / "shared")) / "golden"
FIELDS = ("predictions", "open_", "close", "previous_close", "dollar_volume")


def market(seed: int, sessions: int = 8, symbols: int = 5) -> dict[str, pd.DataFrame | pd.Series]:
    """Random prices with gaps, missing bars and missing snapshots."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=sessions, name="session").as_unit("us")
    names = pd.Index(list("ABCDEFGHIJ")[:symbols], name="symbol")

    def frame(values: np.ndarray, missing: float = 0.1) -> pd.DataFrame:
        known = rng.random(values.shape) >= missing
        return pd.DataFrame(values, days, names).where(known)

    shape = (sessions, symbols)
    previous_close = rng.uniform(5.0, 500.0, shape)
    open_ = previous_close * np.exp(rng.normal(0.0, 0.1, shape))
    return {
        "predictions": frame(rng.normal(0.0, 0.01, shape).round(3)),
        "open_": frame(open_),
        "close": frame(open_ * np.exp(rng.normal(0.0, 0.1, shape))),
        "previous_close": frame(previous_close, missing=0.05),
        "dollar_volume": frame(rng.uniform(0.0, 2e6, shape)),
        "regimes": pd.Series(rng.choice(["RANGING", "HIGH_VOL"], sessions), days),
    }


def one_session(**prices: list[float]) -> dict[str, pd.DataFrame | pd.Series]:
    """Symbols A, B, ... in falling order of prediction, on one session."""
    count = len(prices["previous_close"])
    session = pd.DatetimeIndex(["2024-01-02"], name="session").as_unit("us")
    rows = {
        "predictions": [0.05 - 0.01 * place for place in range(count)],
        "dollar_volume": [1e9] * count,
        **prices,
    }
    names = pd.Index(list("ABCDE")[:count], name="symbol")
    frames = {
        name: pd.DataFrame([row], session, names, dtype="float64") for name, row in rows.items()
    }
    return {**frames, "regimes": pd.Series(["RANGING"], session)}


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


cases = st.fixed_dictionaries(
    {
        "max_positions": st.integers(1, 5),
        "max_position_fraction": st.sampled_from([0.1, 0.5, 1.0]),
        "commission_bps": st.sampled_from([0.0, 5.0, 100.0]),
        "slippage_bps": st.sampled_from([0.0, 10.0]),
        "min_edge_bps": st.sampled_from([None, 0.0, -1e6]),
        "whole_shares": st.booleans(),
    }
)


def test_one_trade_by_hand(rules):
    # 1000 at a previous close of 20 are 50 shares; in at 21 and out at 22:
    # 50 gross, 10 bps of 50 x (21 + 22) = 2.15 commission, twice that slippage.
    costs = rules(max_positions=2, commission_bps=10.0, slippage_bps=20.0)
    result = backtest(
        **one_session(previous_close=[20.0], open_=[21.0], close=[22.0]),
        rules=costs,
        bankroll=2000.0,
    )
    trade = result.ledger.iloc[0]
    assert trade[["shares_ordered", "shares_filled", "equity_before"]].tolist() == [50, 50, 2000]
    assert trade["gross_pnl"] == pytest.approx(50.0)
    assert trade["commission"] == pytest.approx(2.15)
    assert trade["slippage"] == pytest.approx(4.30)
    assert trade["net_pnl"] == pytest.approx(43.55)
    assert result.equity.tolist() == pytest.approx([2000.0, 2043.55])
    assert result.net_returns.tolist() == pytest.approx([43.55 / 2000.0])
    assert result.gross_returns.tolist() == pytest.approx([50.0 / 2000.0])
    assert result.exposure.tolist() == pytest.approx([1050.0 / 2000.0])


@pytest.mark.parametrize(("whole", "filled"), [(False, [40.0, 75 / 2]), (True, [40.0, 37.0])])
def test_fills_are_cut_in_rank_order_where_gaps_would_overdraw_the_cash(rules, whole, filled):
    # 400 each are 40 shares at 10. The first costs 420, which leaves 380 for 40 shares at 10.1333.
    prices = one_session(
        previous_close=[10.0, 10.0], open_=[10.5, 10.0 + 2 / 15], close=[11.0, 11.0]
    )
    result = backtest(**prices, rules=rules(whole_shares=whole), bankroll=800.0)
    assert result.ledger["shares_ordered"].tolist() == [40.0, 40.0]
    assert result.ledger["shares_filled"].tolist() == pytest.approx(filled)
    assert result.ledger["reason"].tolist() == ["", "cash"]


def test_entry_costs_are_paid_from_the_same_cash(rules):
    prices = one_session(previous_close=[10.0], open_=[10.0], close=[10.0])
    result = backtest(**prices, rules=rules(max_positions=1, commission_bps=100.0), bankroll=1010.0)
    assert result.ledger["shares_filled"].tolist() == pytest.approx([100.0])
    assert result.equity.tolist() == pytest.approx([1010.0, 990.0])


@pytest.mark.parametrize(
    ("previous_close", "open_", "close", "reason"),
    [
        (10.0, np.nan, 11.0, "no open"),
        (10.0, 0.0, 11.0, "no open"),
        (10.0, 10.0, np.nan, "no close"),
        (np.nan, 10.0, 11.0, "no previous close"),
        (600.0, 600.0, 600.0, "less than one share"),
        (10.0, 10.0, 11.0, ""),
    ],
)
def test_every_order_without_a_fill_has_its_reason(rules, previous_close, open_, close, reason):
    prices = one_session(previous_close=[previous_close], open_=[open_], close=[close])
    result = backtest(**prices, rules=rules(whole_shares=True), bankroll=1000.0)
    assert result.ledger["reason"].tolist() == [reason]
    assert (result.ledger["shares_filled"] > 0.0).tolist() == [reason == ""]


def test_unfilled_order_leaves_its_cash_to_the_next_rank(rules):
    prices = one_session(previous_close=[10.0, 10.0], open_=[np.nan, 15.0], close=[11.0, 15.0])
    result = backtest(**prices, rules=rules(), bankroll=1000.0)
    assert result.ledger["shares_filled"].tolist() == [0.0, 50.0]


def test_first_session_counts_and_the_curve_starts_with_the_bankroll(rules):
    prices = one_session(previous_close=[10.0], open_=[10.0], close=[9.0])
    eve = pd.Timestamp("2023-12-29")
    result = backtest(**prices, rules=rules(max_positions=1), bankroll=100.0, previous_session=eve)
    assert result.equity.index.tolist() == [eve, pd.Timestamp("2024-01-02")]
    assert result.equity.tolist() == pytest.approx([100.0, 90.0])
    assert result.net_returns.tolist() == pytest.approx([-0.1])


def test_without_candidates_equity_stays_and_the_ledger_keeps_its_columns(rules):
    result = backtest(**market(1), rules=rules(min_edge_bps=1e6), bankroll=100.0)
    assert result.ledger.empty
    assert {name: str(dtype) for name, dtype in result.ledger.dtypes.items()} == books.LEDGER_DTYPES
    assert (result.equity == 100.0).all()
    assert (result.net_returns == 0.0).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), changes=cases)
def test_cash_is_conserved_and_never_negative(rules, seed, changes):
    result = backtest(**market(seed), rules=(tested := rules(**changes)), bankroll=10_000.0)
    ledger = result.ledger
    paid = (ledger["shares_filled"] * ledger["open"]).fillna(0.0) * (1.0 + tested.side_cost)
    left = (
        ledger.groupby("session")["equity_before"].first() - paid.groupby(ledger["session"]).sum()
    )
    assert (left >= -1e-8).all()
    assert (result.equity >= 0.0).all()
    earned = result.equity.iloc[-1] - result.equity.iloc[0]
    assert ledger["net_pnl"].sum() == pytest.approx(earned, abs=0.005)
    compounded = 10_000.0 * (1.0 + result.net_returns).prod()
    assert compounded == pytest.approx(result.equity.iloc[-1])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), changes=cases)
def test_orders_of_a_session_alone_are_those_the_backtest_traded(rules, seed, changes):
    data, same = market(seed), rules(**changes)
    ledger = backtest(**data, rules=same, bankroll=10_000.0).ledger
    for session, traded in ledger.groupby("session"):
        today = [session]
        weights = target_weights(
            data["predictions"].loc[today],
            data["dollar_volume"].loc[today],
            data["regimes"].loc[today],
            same,
        )
        signalled = orders(
            weights.loc[session],
            data["predictions"].loc[session],
            data["previous_close"].loc[session],
            traded["equity_before"].iloc[0],
            same,
        )
        wanted = signalled[["rank", "symbol", "side", "prediction", "weight", "shares"]]
        got = traded.rename(columns={"shares_ordered": "shares"})[list(wanted)]
        pd.testing.assert_frame_equal(got.reset_index(drop=True), wanted, check_exact=True)


@pytest.mark.parametrize("seed", range(5))
def test_order_of_symbols_is_irrelevant(any_rules, seed):
    data = market(seed)
    shuffled = {name: data[name].iloc[:, ::-1] if name in FIELDS else data[name] for name in data}
    straight = backtest(**data, rules=any_rules, bankroll=10_000.0)
    reverse = backtest(**shuffled, rules=any_rules, bankroll=10_000.0)
    pd.testing.assert_frame_equal(reverse.ledger, straight.ledger, check_exact=True)


@pytest.mark.parametrize("seed", range(5))
def test_price_level_is_irrelevant_for_returns_of_fractional_shares(any_rules, seed):
    data = market(seed)
    scale = pd.Series([0.1, 1.0, 3.0, 10.0, 1000.0], data["close"].columns)
    scaled = {
        name: data[name] * scale if name in ("open_", "close", "previous_close") else data[name]
        for name in data
    }
    pd.testing.assert_series_equal(
        backtest(**scaled, rules=any_rules, bankroll=10_000.0).net_returns,
        backtest(**data, rules=any_rules, bankroll=10_000.0).net_returns,
    )


@pytest.mark.parametrize("seed", range(5))
def test_later_sessions_change_nothing_before_them(any_rules, seed):
    data, cut = market(seed), 4
    early = {name: values.iloc[:cut] for name, values in data.items()}
    full = backtest(**data, rules=any_rules, bankroll=10_000.0)
    short = backtest(**early, rules=any_rules, bankroll=10_000.0)
    pd.testing.assert_series_equal(full.equity.iloc[: cut + 1], short.equity, check_exact=True)


@pytest.mark.parametrize("seed", range(5))
def test_prices_of_a_session_do_not_change_its_orders(any_rules, seed):
    data = market(seed)
    last = data["close"].index[-1]
    other = {**data, "open_": data["open_"].copy(), "close": data["close"].copy()}
    other["open_"].loc[last], other["close"].loc[last] = 1.0, np.nan

    def ordered(result: Backtest) -> pd.DataFrame:
        return result.ledger[["session", "symbol", "rank", "weight", "shares_ordered"]]

    pd.testing.assert_frame_equal(
        ordered(backtest(**other, rules=any_rules, bankroll=10_000.0)),
        ordered(backtest(**data, rules=any_rules, bankroll=10_000.0)),
    )


@pytest.mark.parametrize("bankroll", [0.0, -1.0, np.nan])
def test_backtest_without_bankroll_is_refused(any_rules, bankroll):
    with pytest.raises(InvalidData, match="bankroll"):
        backtest(**market(0), rules=any_rules, bankroll=bankroll)


def test_sessions_newest_first_are_refused(any_rules):
    reverse = {name: values.iloc[::-1] for name, values in market(0).items()}
    with pytest.raises(InvalidData, match="unordered"):
        backtest(**reverse, rules=any_rules, bankroll=1.0)


@pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"golden values are absent: {GOLDEN}")
@pytest.mark.parametrize("max_positions", [2, 5])
def test_reference_backtest_is_reproduced(rules, max_positions):
    """Trades and equity of the reference, with its rules where ours can express them.

    Ours by default differs in four ways: it wants predictions above the costs (the reference
    buys the best whatever their sign: a far negative edge), charges each side on its own notional
    (the reference 20 bps on the entry: taken off the close here), rounds to whole shares, and
    keeps the bankroll as the first point, so that the first session's return counts.
    """
    given_values = pd.read_csv(GOLDEN / "backtest_predictions.csv", parse_dates=["trade_date"])
    predictions, labels = (
        given_values.pivot_table(index="trade_date", columns="symbol", values=name)
        for name in ("prediction", "intraday_return")
    )
    ones = pd.DataFrame(1.0, predictions.index, predictions.columns)
    result = backtest(
        predictions,
        open_=ones,
        close=ones + labels - 0.002,
        previous_close=ones,
        dollar_volume=ones,
        regimes=pd.Series("UNKNOWN", predictions.index),
        rules=rules(max_positions=max_positions, min_edge_bps=-1e9),
        bankroll=10_000.0,
    )
    trades = pd.read_csv(GOLDEN / f"backtest_trades_mp{max_positions}.csv")
    equity = pd.read_csv(GOLDEN / f"backtest_equity_mp{max_positions}.csv")
    assert result.ledger["symbol"].tolist() == trades["symbol"].tolist()
    np.testing.assert_allclose(result.ledger["net_pnl"], trades["pnl"], atol=1e-8)
    np.testing.assert_allclose(result.equity.iloc[1:], equity["equity"], rtol=1e-12)
