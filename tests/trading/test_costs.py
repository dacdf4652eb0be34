from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.trading import costs
from pipeline.trading.slots import Costs

NAN = math.nan


@pytest.mark.parametrize(
    ("changes", "side", "expected"),
    [
        ({}, 1.0, 0.0),
        ({"commission_bps": 1.0, "slippage_bps": 4.0}, 1.0, 0.001),
        ({"spread_fraction": 0.5}, 1.0, 0.002),  # half of 20 bp, twice
        ({"commission_per_share": 0.005}, 1.0, 0.0004),  # 2 x 0.005 of 25
        ({"borrow_bps_a_year": 360.0}, 1.0, 0.0),
        ({"borrow_bps_a_year": 360.0}, -1.0, 0.0001),
        ({"commission_minimum": 9.0, "impact": 1.0}, 1.0, 0.0),  # depend on the size
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


@pytest.mark.parametrize(("volatility", "dollar_volume"), [(NAN, 1e6), (0.02, NAN), (0.02, 0.0)])
def test_impact_of_the_unknown_is_unknown(rules, volatility, dollar_volume):
    rate = costs.impact_rate(np.array([volatility]), np.array([dollar_volume]), rules(impact=1.0))
    assert np.isnan(rate).all()


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({"commission": 0.0001, "slippage": 0.0004}, 0.001),
        ({"per_share": 0.005}, 2 * 0.005 / 20.0),
        ({"minimum": 1.0}, 2 * 1.0 / 2000.0),
        ({"per_share": 0.005, "minimum": 1.0}, 2 * 1.0 / 2000.0),  # 0.50 is less than 1
        ({"per_share": 0.02, "minimum": 1.0}, 2 * 2.0 / 2000.0),
        ({"impact": 1e-4}, 2 * 1e-4 * math.sqrt(2000.0)),
        ({"borrow": 0.0003}, 0.0003),
    ],
)
def test_what_100_shares_at_20_cost(rates, expected):
    all_rates = Costs(*(np.array([rates.get(name, 0.0)]) for name in Costs._fields))
    found = costs.expected_round_trip(np.array([100.0]), np.array([20.0]), all_rates)
    assert found.item() == pytest.approx(expected)


def test_no_shares_cost_nothing():
    rates = Costs(*(np.array([1.0]) for _ in Costs._fields))
    assert costs.expected_round_trip(np.array([0.0]), np.array([NAN]), rates).item() == 0.0
