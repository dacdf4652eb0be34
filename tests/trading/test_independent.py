"""The engine against a second one in plain loops, on random markets with random rules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.trading.backtest import Backtest, backtest
from pipeline.trading.rules import Rules
from tests.trading.independent_engine import Day, Engine
from tests.trading.markets import Case, indicated, random_case, replaced

EVERY_RULE = {
    "sides": st.sampled_from(["long", "long_short"]),
    "rank_by": st.sampled_from(["edge", "net_edge", "edge_over_volatility"]),
    "min_edge_bps": st.sampled_from([None, 0.0, 20.0, -1e6]),
    "min_dollar_volume": st.sampled_from([0.0, 3e5]),
    "max_positions": st.integers(2, 6),
    "max_sector_positions": st.sampled_from([None, 1, 2]),
    "regime_positions": st.sampled_from([{}, {"HIGH_VOL": 2}, {"HIGH_VOL": 0}]),
    "weights": st.sampled_from(["equal", "edge", "volatility"]),
    "max_position_fraction": st.sampled_from([0.15, 0.5, 1.0]),
    "max_participation": st.sampled_from([None, 0.001, 0.1]),
    "whole_shares": st.booleans(),
    "hedge": st.sampled_from(["none", "dollar", "beta"]),
    "hedge_bps": st.sampled_from([0.0, 3.0]),
    "limit_bps": st.sampled_from([None, 0.0, 150.0]),
    "stop_atr": st.sampled_from([None, 0.5, 1.5]),
    "target_atr": st.sampled_from([None, 0.7, 2.0]),
    "commission_bps": st.sampled_from([0.0, 2.0]),
    "commission_per_share": st.sampled_from([0.0, 0.005]),
    "commission_minimum": st.sampled_from([0.0, 1.0, 8.0]),
    "commission_maximum": st.sampled_from([None, 0.01, 0.0002]),
    "open_bps": st.sampled_from([0.0, 5.0]),
    "close_bps": st.sampled_from([0.0, 3.0]),
    "max_gross": st.sampled_from([None, 0.3, 1.0]),
    "spread_fraction": st.sampled_from([0.0, 0.5]),
    "impact": st.sampled_from([0.0, 0.3, 1.0]),
    "borrow_bps_a_year": st.sampled_from([0.0, 300.0]),
}


def possible(changes: dict[str, Any]) -> dict[str, Any]:
    """Whoever takes both sides may not take them whatever their sign."""
    if changes["sides"] == "long_short" and (changes["min_edge_bps"] or 0.0) < 0.0:
        return {**changes, "min_edge_bps": 0.0}
    return changes


any_strategy = st.fixed_dictionaries(EVERY_RULE).map(possible)


def days(case: Case) -> list[dict[str, Day]]:
    """The case as plain values."""
    market = case.market
    frames = {"prediction": case.predictions, **market.known}
    frames |= {name: getattr(market, name) for name in ("open", "high", "low", "close", "volume")}
    sectors = market.sectors.to_dict()

    def unknown_is_none(value: float) -> float | None:
        return None if math.isnan(value) else float(value)

    told = market.indication
    if told is not None:
        frames["indicated"] = told.price
    values = {name: frame.to_numpy().tolist() for name, frame in frames.items()}
    worse = {} if told is None else {b: f.to_numpy().tolist() for b, f in told.worse.items()}
    listed = []
    for row in range(len(case.predictions)):
        today: dict[str, Day] = {}
        for column, symbol in enumerate(case.predictions.columns):
            sector = sectors.get(symbol)
            today[symbol] = Day(
                **{name: unknown_is_none(rows[row][column]) for name, rows in values.items()},
                sector=sector if isinstance(sector, str) else "unknown",
                worse=tuple((b, unknown_is_none(f[row][column])) for b, f in worse.items()),
            )
        listed.append(today)
    return listed


def hedges(case: Case) -> list[dict[str, Any]]:
    hedge = case.market.hedge
    assert hedge is not None
    rows = hedge.astype(object).where(hedge.notna(), None)
    return rows.to_dict("records")


def assert_equal_books(case: Case, rules: Rules, bankroll: float) -> Backtest:
    """Equity and every row of the ledger, both to 1e-9."""
    plain = Engine(rules.model_dump(), units=100)
    curve, trades = plain.run(days(case), list(case.market.regimes), hedges(case), bankroll)
    result = backtest(*case.both, rules, bankroll)
    np.testing.assert_allclose(result.equity, curve, rtol=0.0, atol=1e-9)
    ledger = result.ledger
    assert len(ledger) == len(trades)
    if not trades:
        return result
    other = pd.DataFrame(trades).fillna({name: 0.0 for name in MONEY if name in trades[0]})
    assert ledger["symbol"].tolist() == other["symbol"].tolist()
    assert ledger["rank"].tolist() == other["rank"].tolist()
    assert ledger["side"].map({"long": 1, "short": -1}).tolist() == other["side"].tolist()
    assert ledger["exit"].tolist() == other["exit"].tolist()
    np.testing.assert_allclose(ledger["shares_ordered"], other["ordered"], rtol=1e-9)
    np.testing.assert_allclose(ledger["shares_filled"], other["filled"], rtol=1e-9)
    for name, own in MONEY.items():
        if name in other:
            np.testing.assert_allclose(100.0 * ledger[own], other[name].fillna(0.0), atol=1e-6)
    return result


MONEY = {
    "gross": "gross_pnl",
    "commission": "commission",
    "slippage": "slippage",
    "impact": "impact",
    "borrow": "borrow",
    "net": "net_pnl",
    "equity": "equity",
    "cash": "cash",
}


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 100_000),
    changes=any_strategy,
    bankroll=st.sampled_from([1_500.0, 10_000.0, 1_000_000.0]),
)
def test_random_strategies_book_the_same_in_plain_loops(rules, seed, changes, bankroll):
    assert_equal_books(random_case(seed, symbols=8), rules(**changes), bankroll)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 100_000),
    changes=any_strategy,
    bankroll=st.sampled_from([1_500.0, 10_000.0, 1_000_000.0]),
)
def test_limits_at_the_hurdle_and_the_reserve_are_those_of_plain_loops(
    rules, seed, changes, bankroll
):
    chosen = rules(**changes)
    result = assert_equal_books(indicated(random_case(seed, symbols=8), seed), chosen, bankroll)
    rows = result.ledger[(result.ledger["leg"] == "position") & (result.ledger["side"] == "long")]
    filled = rows[rows["shares_filled"] > 0.0]
    assert (filled["open"] <= filled["limit"].fillna(np.inf)).all()
    if chosen.max_gross is not None and chosen.hedge == "none":
        taken = (rows["shares_ordered"] * rows["limit"]).groupby(rows["session"]).sum()
        most = rows.groupby("session")["equity_before"].first().clip(lower=0.0) * chosen.max_gross
        assert (taken <= most + 1e-6).all()


def test_all_rules_at_once_book_the_same_in_plain_loops_and_each_one_matters(rules):
    case = random_case(5, sessions=60, symbols=30)
    everything = {
        "sides": "long_short",
        "rank_by": "edge_over_volatility",
        "min_edge_bps": None,
        "min_dollar_volume": 3e5,
        "max_positions": 8,
        "max_sector_positions": 2,
        "regime_positions": {"HIGH_VOL": 6},
        "weights": "volatility",
        "max_position_fraction": 0.2,
        "max_participation": 0.01,
        "whole_shares": True,
        "hedge": "beta",
        "hedge_bps": 2.0,
        "limit_bps": 300.0,
        "stop_atr": 1.0,
        "target_atr": 1.5,
        "commission_bps": 1.0,
        "commission_per_share": 0.005,
        "commission_minimum": 1.0,
        "commission_maximum": 0.0004,
        "open_bps": 2.0,
        "close_bps": 1.0,
        "max_gross": 0.6,
        "spread_fraction": 0.5,
        "impact": 0.3,
        "borrow_bps_a_year": 100.0,
    }
    full = assert_equal_books(case, rules(**everything), 50_000.0).equity
    off = {
        "sides": "long", "rank_by": "edge", "min_edge_bps": 0.0, "min_dollar_volume": 0.0,
        "max_positions": 6, "max_sector_positions": None, "regime_positions": {},
        "weights": "equal", "max_position_fraction": 0.1, "max_participation": None,
        "whole_shares": False, "hedge": "dollar", "hedge_bps": 0.0, "limit_bps": None,
        "stop_atr": None, "target_atr": None, "commission_bps": 0.0, "commission_per_share": 0.0,
        "commission_minimum": 0.0, "commission_maximum": None, "open_bps": 0.0,
        "close_bps": 0.0, "max_gross": None,
        "spread_fraction": 0.0, "impact": 0.0, "borrow_bps_a_year": 0.0,
    }  # fmt: skip
    assert off.keys() == everything.keys()
    for name, value in off.items():
        other = assert_equal_books(case, rules(**everything | {name: value}), 50_000.0).equity
        assert not other.equals(full), f"{name} changes nothing"


@pytest.mark.parametrize("seed", range(3))
def test_a_short_that_loses_more_than_everything_ends_trading_in_both(rules, seed):
    case = random_case(seed, sessions=6)
    close = case.market.close * 40.0
    rising = Case(-case.predictions.abs() - 0.01, replaced(case.market, close=close))
    result = assert_equal_books(rising, rules(sides="long_short"), 1_000.0)
    assert result.equity.iloc[-1] < 0.0
    ruined = result.ledger.loc[result.ledger["equity_before"] <= 0.0]
    assert (ruined["shares_ordered"] == 0.0).all()
    assert set(ruined["reason"]) <= {"no equity", "no previous close"}
