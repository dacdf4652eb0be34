from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.trading import sizing
from pipeline.trading.slots import Costs, Orders

NAN, INF = math.nan, math.inf


def slots(**given: list[float]) -> Orders:
    """Orders of one session; what is not given is harmless."""
    count = len(given["weight"])
    arrays = {name: np.array(values, dtype="float64") for name, values in given.items()}
    harmless = {
        "column": np.arange(count),
        "side": np.ones(count),
        "prediction": np.full(count, 0.01),
        "reference": np.full(count, 10.0),
        "max_shares": np.full(count, INF),
    }
    none = {"maximum": np.full(count, np.nan)}
    rates = {n: arrays.pop(n, none.get(n, np.zeros(count))) for n in Costs._fields}
    optional = dict.fromkeys(("is_whole", "edge", "beta", "limit", "stop", "target"))
    fields = {**optional, **harmless, **arrays, "costs": Costs(**rates)}
    if fields["is_whole"] is not None:
        fields["is_whole"] = fields["is_whole"] > 0.0
    return Orders(**fields)


def shares(orders: Orders, equity: float = 1000.0) -> list[float]:
    return sizing.sized(orders, np.array([equity])).tolist()


@pytest.mark.parametrize(
    ("max_positions", "max_fraction", "weight"), [(4, 1.0, 0.25), (4, 0.1, 0.1), (1, 1.0, 1.0)]
)
def test_equal_weight_is_a_share_of_the_slots_up_to_the_cap(
    rules, max_positions, max_fraction, weight
):
    sized = rules(max_positions=max_positions, max_position_fraction=max_fraction)
    assert sizing.position_weight(sized) == weight
    found = sizing.weights(np.array([1.0, -1.0, 0.0]), np.zeros(3), None, sized)
    assert found.tolist() == [weight, weight, 0.0]


@pytest.mark.parametrize(
    ("weights", "side", "edge", "volatility", "cap", "expected"),
    [
        # Two of four slots are taken: half of the equity, 3 : 1.
        ("edge", [1, 1, 0, 0], [0.03, 0.01, NAN, NAN], None, 1.0, [0.375, 0.125, 0, 0]),
        ("edge", [1, 1, 0, 0], [0.03, 0.01, NAN, NAN], None, 0.2, [0.2, 0.125, 0, 0]),
        ("edge", [1, 1, 0, 0], [-0.03, 0.01, NAN, NAN], None, 1.0, [0.0, 0.5, 0, 0]),
        ("edge", [1, 1, 0, 0], [-0.03, -0.01, NAN, NAN], None, 1.0, [0.0, 0.0, 0, 0]),
        ("volatility", [1, 1, 0, 0], [0] * 4, [0.01, 0.03, NAN, NAN], 1.0, [0.375, 0.125, 0, 0]),
        # Each side has its own parts: three longs share 3/4, one short has 1/4.
        ("edge", [1, 1, -1, 1], [0.01, 0.01, 0.09, 0.01], None, 1.0, [0.25, 0.25, 0.25, 0.25]),
    ],
)  # fmt: skip
def test_scaled_weights_share_the_parts_of_the_slots_taken(
    rules, weights, side, edge, volatility, cap, expected
):
    chosen = rules(max_positions=4, weights=weights, max_position_fraction=cap)
    risk = None if volatility is None else np.array(volatility)
    found = sizing.weights(np.array(side, float), np.array(edge, float), risk, chosen)
    assert found.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("cap", "reference", "mean_dollar_volume", "most"),
    [
        (0.01, 20.0, 1e6, 500.0),
        (0.01, NAN, 1e6, 0.0),
        (0.01, 20.0, NAN, 0.0),
        (None, 20.0, NAN, INF),
        (None, NAN, 1e6, 0.0),
    ],
)
def test_an_order_asks_for_a_part_of_what_is_traded(
    rules, cap, reference, mean_dollar_volume, most
):
    found = sizing.max_shares(
        np.array([reference]), np.array([mean_dollar_volume]), rules(max_participation=cap)
    )
    assert found.item() == most


@pytest.mark.parametrize(
    ("equity", "is_whole", "most", "expected"),
    [
        (1000.0, 0.0, INF, 100 / 3),
        (1000.0, 1.0, INF, 33.0),
        (1000.0, 0.0, 20.0, 20.0),
        (1000.0, 1.0, 20.7, 20.0),
        (5.0, 1.0, INF, 0.0),
        (-1000.0, 0.0, INF, 0.0),
    ],
)
def test_shares_are_the_weight_at_the_previous_close(equity, is_whole, most, expected):
    order = slots(weight=[0.5], reference=[15.0], max_shares=[most], is_whole=[is_whole])
    assert shares(order, equity) == pytest.approx([expected])


def test_without_a_price_nothing_is_ordered():
    assert shares(slots(weight=[0.5], reference=[NAN], max_shares=[0.0])) == [0.0]


@pytest.mark.parametrize(
    ("edge", "minimum", "impact", "expected"),
    [
        # 50 shares at 10: a minimum of 1 on both sides is 0.4 % of 500.
        (0.0041, 1.0, 0.0, 50.0),
        (0.0039, 1.0, 0.0, 0.0),
        (INF, 1.0, 0.0, 50.0),
        # An impact of 0.0001 a root of a currency unit: 2 x 0.0001 x 22.36 = 0.00447.
        (0.0045, 0.0, 1e-4, 50.0),
        (0.0044, 0.0, 1e-4, 0.0),
    ],
)
def test_an_order_must_be_worth_its_cost_at_its_size(edge, minimum, impact, expected):
    order = slots(weight=[0.5], edge=[edge], minimum=[minimum], impact=[impact])
    assert shares(order) == [expected]


@pytest.mark.parametrize(
    ("side", "beta", "hedge"),
    [
        ([1, 1], [1.0, 1.0], [0.0, 5.0]),  # 1000 held, sold short at 200
        ([1, 1], [0.5, 2.0], [0.0, 6.25]),
        ([1, -1], [1.0, 1.0], [0.0, 0.0]),
        ([-1, -1], [1.0, 0.0], [2.5, 0.0]),
    ],
)
def test_the_hedge_makes_up_for_what_is_ordered(side, beta, hedge):
    order = slots(
        weight=[0.5, 0.5, 1.0, 1.0],
        side=[*side, 1, -1],
        reference=[10.0, 20.0, 200.0, 200.0],
        beta=[*beta, 0.0, 0.0],
        max_shares=[INF, INF, 0.0, 0.0],
    )
    assert shares(order) == pytest.approx([50.0, 25.0, *hedge])


def test_positions_without_a_price_are_not_hedged():
    order = slots(
        weight=[0.5, 0.5, 1.0, 1.0],
        side=[1, 1, 1, -1],
        reference=[10.0, NAN, 200.0, 200.0],
        beta=[1.0, 1.0, 0.0, 0.0],
        max_shares=[INF, 0.0, 0.0, 0.0],
    )
    assert shares(order) == pytest.approx([50.0, 0.0, 0.0, 2.5])
