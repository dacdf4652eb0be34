from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.trading import costs
from pipeline.trading.backtest import backtest
from pipeline.trading.slots import Costs
from tests.trading.markets import one_session, random_case

NAN = math.nan


@pytest.mark.parametrize(
    ("changes", "side", "expected"),
    [
        ({}, 1.0, 0.0),
        ({"commission_bps": 1.0, "slippage_bps": 4.0}, 1.0, 0.001),  # the same at both legs
        ({"commission_bps": 1.0, "open_bps": 7.0, "close_bps": 1.0}, 1.0, 0.001),
        ({"spread_fraction": 0.5}, 1.0, 0.002),  # half of 20 bp, twice
        ({"commission_per_share": 0.005}, 1.0, 0.0004),  # 2 x 0.005 of 25
        ({"borrow_bps_a_year": 360.0}, 1.0, 0.0),
        ({"borrow_bps_a_year": 360.0}, -1.0, 0.0001),
        ({"commission_minimum": 9.0, "impact": 1.0}, 1.0, 0.0),  # depend on the size
        ({"commission_per_share": 0.5, "commission_maximum": 0.01}, 1.0, 0.02),
        ({"commission_bps": 200.0, "commission_maximum": 0.01}, 1.0, 0.02),
        ({"commission_per_share": 0.005, "commission_maximum": 0.01}, 1.0, 0.0004),
    ],
)
def test_what_a_round_trip_costs_before_its_size_is_known(rules, changes, side, expected):
    chosen = rules(**changes)
    spread = np.array([[0.002]]) if chosen.spread_fraction else None
    found = costs.round_trip_before_size(side, np.array([[25.0]]), spread, chosen)
    assert np.ravel(found).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("notional", "expected"),
    [
        (1e6, 0.02 * 1.0),  # a day's volume costs a day's volatility
        (1e4, 0.02 * 0.1),
        (2.5e5, 0.02 * 0.5),
    ],
)
def test_impact_grows_with_the_root_of_participation(rules, notional, expected):
    rate = costs.impact_rate(np.array([0.02]), np.array([1e6]), rules(impact=1.0))
    assert (rate * math.sqrt(notional)).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("volatility", "mean_dollar_volume"), [(NAN, 1e6), (0.02, NAN), (0.02, 0.0)]
)
def test_impact_of_the_unknown_is_unknown(rules, volatility, mean_dollar_volume):
    rate = costs.impact_rate(
        np.array([volatility]), np.array([mean_dollar_volume]), rules(impact=1.0)
    )
    assert np.isnan(rate).all()


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({"commission": 0.0001, "slippage_in": 0.0007, "slippage_out": 0.0001}, 0.001),
        ({"per_share": 0.005}, 2 * 0.005 / 20.0),
        ({"minimum": 1.0}, 2 * 1.0 / 2000.0),
        ({"per_share": 0.005, "minimum": 1.0}, 2 * 1.0 / 2000.0),  # 0.50 is less than 1
        ({"per_share": 0.02, "minimum": 1.0}, 2 * 2.0 / 2000.0),
        ({"impact": 1e-4}, 2 * 1e-4 * math.sqrt(2000.0)),
        ({"borrow": 0.0003}, 0.0003),
        ({"minimum": 30.0, "maximum": 0.01}, 2 * 0.01),  # the maximum goes before the minimum
        ({"per_share": 0.5, "maximum": 0.01}, 2 * 0.01),
        ({"per_share": 0.005, "minimum": 1.0, "maximum": 0.01}, 2 * 1.0 / 2000.0),
    ],
)
def test_what_100_shares_at_20_cost(rates, expected):
    none = {"maximum": NAN}
    all_rates = Costs(*(np.array([(none | rates).get(name, 0.0)]) for name in Costs._fields))
    found = costs.expected_round_trip(np.array([100.0]), np.array([20.0]), all_rates)
    assert found.item() == pytest.approx(expected)


def test_no_shares_cost_nothing():
    rates = Costs(*(np.array([1.0]) for _ in Costs._fields))
    assert costs.expected_round_trip(np.array([0.0]), np.array([NAN]), rates).item() == 0.0


FIXED = {"commission_per_share": 0.005, "commission_minimum": 1.0, "commission_maximum": 0.01}


@pytest.mark.parametrize(
    ("shares", "price", "expected"),
    [
        # The examples of the broker's own page, see conf/strategy/per_share.yaml.
        (100, 25.0, 1.00),
        (1000, 25.0, 5.00),
        (1000, 0.25, 2.50),
        # The maximum goes before the minimum.
        (10, 0.20, 0.02),
        (200, 0.50, 1.00),
    ],
)
def test_a_broker_by_the_share_charges_what_its_price_list_says(rules, shares, price, expected):
    case = one_session(previous_close=[price], open=[price], close=[price])
    bankroll = 2.0 * shares * price
    chosen = rules(**FIXED, max_positions=2, whole_shares=True)
    trade = backtest(*case.both, chosen, bankroll).ledger.iloc[0]
    assert trade["shares_filled"] == shares
    assert trade["commission"] == pytest.approx(2 * expected)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    bankroll=st.floats(50.0, 1e5),
    per_share=st.sampled_from([0.0, 0.005, 4.0]),
    minimum=st.sampled_from([0.0, 1.0, 30.0]),
    whole=st.booleans(),
)
def test_a_maximum_is_never_exceeded_and_cash_never_overdrawn(
    rules, seed, bankroll, per_share, minimum, whole
):
    chosen = rules(
        commission_per_share=per_share, commission_minimum=minimum, commission_maximum=0.01,
        max_positions=3, whole_shares=whole,
    )  # fmt: skip
    result = backtest(*random_case(seed).both, chosen, bankroll)
    filled = result.ledger[result.ledger["shares_filled"] > 0.0]
    most = 0.01 * filled["shares_filled"] * (filled["open"] + filled["exit_price"])
    assert (filled["commission"] <= most + 0.0101).all()  # half a cent a side
    assert (result.ledger["cash"] >= 0.0).all()


@pytest.mark.parametrize(
    ("per_share", "minimum", "expected"),
    [
        (0.0, 30.0, 1000.0 / 10.1),  # the maximum lets one buy more than a minimum of 30
        (5.0, 0.0, 1000.0 / 10.1),  # ... and than 5.00 a share
        (0.0, 1.0, 999.0 / 10.0),  # here the minimum is less
    ],
)
def test_cash_buys_what_the_cheaper_of_rate_and_maximum_leaves(rules, per_share, minimum, expected):
    case = one_session(previous_close=[9.0], open=[10.0], close=[10.0])
    chosen = rules(
        commission_per_share=per_share, commission_minimum=minimum, commission_maximum=0.01,
        max_positions=1,
    )  # fmt: skip
    trade = backtest(*case.both, chosen, 1000.0).ledger.iloc[0]
    assert trade["shares_filled"] == pytest.approx(expected, abs=0.005)
    assert trade["reason"] == "cash"
