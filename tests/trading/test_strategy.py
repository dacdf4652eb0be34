from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidData, InvalidSettings
from pipeline.trading import strategy

SESSIONS = pd.DatetimeIndex(["2024-01-02", "2024-01-03"], name="session").as_unit("us")


def wide(*rows: list[float], symbols: str = "ABC") -> pd.DataFrame:
    columns = pd.Index(list(symbols), name="symbol")
    return pd.DataFrame(list(rows), SESSIONS[: len(rows)], columns, dtype="float64")


def in_regimes(*names: str) -> pd.Series:
    return pd.Series(list(names), SESSIONS[: len(names)])


@pytest.mark.parametrize(
    ("min_edge_bps", "prediction", "is_candidate"),
    [
        (None, 0.0021, True),
        (None, 0.0020, False),  # exactly the round-trip cost earns nothing
        (5.0, 0.0006, True),
        (5.0, 0.0005, False),
        (0.0, 0.0, False),
        (-1e6, -0.5, True),
        (0.0, math.nan, False),
    ],
)
def test_prediction_must_exceed_the_edge(rules, min_edge_bps, prediction, is_candidate):
    costs = rules(min_edge_bps=min_edge_bps, commission_bps=4.0, slippage_bps=6.0)
    allowed = strategy.candidates(wide([prediction] * 3), wide([1.0] * 3), costs)
    assert allowed.to_numpy().all() == is_candidate


@pytest.mark.parametrize(
    ("min_dollar_volume", "dollar_volume", "is_candidate"),
    [(1e6, 1e6, True), (1e6, 9e5, False), (1e6, math.nan, False), (0.0, math.nan, True)],
)
def test_symbol_must_be_liquid_enough(rules, min_dollar_volume, dollar_volume, is_candidate):
    demanding = rules(min_dollar_volume=min_dollar_volume)
    allowed = strategy.candidates(wide([0.01] * 3), wide([dollar_volume] * 3), demanding)
    assert allowed.to_numpy().all() == is_candidate


@pytest.mark.parametrize(
    ("caps", "regime", "positions"),
    [
        ({}, "HIGH_VOL", 5),
        ({"HIGH_VOL": 2}, "HIGH_VOL", 2),
        ({"HIGH_VOL": 2}, "RANGING", 5),
        ({"HIGH_VOL": 0}, "HIGH_VOL", 0),
        ({"HIGH_VOL": 9}, "HIGH_VOL", 5),
    ],
)
def test_regime_caps_the_positions(rules, caps, regime, positions):
    capped = rules(max_positions=5, regime_positions=caps)
    assert strategy.slots(in_regimes(regime), capped).tolist() == [positions]


@pytest.mark.parametrize(
    ("predictions", "expected"),
    [
        ([0.1, 0.3, 0.2], [3, 1, 2]),
        ([0.2, 0.2, 0.1], [1, 2, 3]),  # ties by name
        ([math.nan, 0.1, 0.2], [math.nan, 2, 1]),
    ],
)
def test_best_prediction_ranks_first(predictions, expected):
    forecasts = wide(predictions)
    ranked = strategy.ranks(forecasts, forecasts.notna())
    pd.testing.assert_frame_equal(ranked, wide(expected))


@pytest.mark.parametrize(
    ("max_positions", "max_fraction", "weight"), [(4, 1.0, 0.25), (4, 0.1, 0.1), (1, 1.0, 1.0)]
)
def test_weight_is_an_equal_share_of_the_slots_up_to_the_cap(
    rules, max_positions, max_fraction, weight
):
    sized = rules(max_positions=max_positions, max_position_fraction=max_fraction)
    assert strategy.position_weight(sized) == weight


def test_weights_go_to_the_best_candidates_and_empty_slots_stay_cash(rules):
    predictions = wide([0.01, 0.03, 0.02], [0.01, -0.03, math.nan])
    liquidity = wide([1.0] * 3, [1.0] * 3)
    weights = strategy.target_weights(
        predictions, liquidity, in_regimes("RANGING", "UNKNOWN"), rules()
    )
    pd.testing.assert_frame_equal(weights, wide([0.0, 0.5, 0.5], [0.5, 0.0, 0.0]))


def test_capped_regime_lowers_exposure_instead_of_concentrating(rules):
    cautious = rules(regime_positions={"HIGH_VOL": 1})
    weights = strategy.target_weights(
        wide([0.01, 0.03, 0.02]), wide([1.0] * 3), in_regimes("HIGH_VOL"), cautious
    )
    assert weights.to_numpy().tolist() == [[0.0, 0.5, 0.0]]


@given(
    predictions=st.lists(st.integers(-3, 3), min_size=3, max_size=3),
    order=st.permutations("ABC"),
)
def test_order_of_symbols_is_irrelevant(rules, predictions, order):
    forecasts, liquidity = wide(predictions), wide([1.0] * 3)
    held = strategy.target_weights(forecasts, liquidity, in_regimes("RANGING"), rules())
    shuffled = strategy.target_weights(
        forecasts[list(order)], liquidity[list(order)], in_regimes("RANGING"), rules()
    )
    pd.testing.assert_frame_equal(shuffled[list("ABC")], held)


def test_orders_are_ranked_and_sized_on_the_previous_close(rules):
    placed = strategy.orders(
        weights=pd.Series({"A": 0.5, "B": 0.0, "C": 0.5}),
        predictions=pd.Series({"A": 0.01, "B": 0.05, "C": 0.02}),
        previous_close=pd.Series({"A": 30.0, "B": 1.0, "C": 40.0}),
        equity=1000.0,
        rules=rules(whole_shares=True),
    )
    expected = pd.DataFrame(
        {
            "rank": [1, 2],
            "symbol": ["C", "A"],
            "side": ["long", "long"],
            "prediction": [0.02, 0.01],
            "weight": [0.5, 0.5],
            "shares": [12.0, 16.0],
            "reference_price": [40.0, 30.0],
            "notional": [480.0, 480.0],
        }
    )
    pd.testing.assert_frame_equal(placed, expected)


@pytest.mark.parametrize(
    ("price", "whole", "shares", "notional"),
    [
        (300.0, True, 1.0, 300.0),
        (300.0, False, 5 / 3, 500.0),
        (501.0, True, 0.0, 0.0),
        (math.nan, False, 0.0, 0.0),
    ],
)
def test_an_order_that_cannot_be_sized_is_listed_with_no_shares(
    rules, price, whole, shares, notional
):
    placed = strategy.orders(
        pd.Series({"A": 0.5}),
        pd.Series({"A": 0.01}),
        pd.Series({"A": price}),
        1000.0,
        rules(whole_shares=whole),
    )
    assert placed["shares"].tolist() == pytest.approx([shares])
    assert placed["notional"].tolist() == pytest.approx([notional])


def test_no_weight_gives_no_order_but_all_columns(rules):
    nothing = pd.Series({"A": 0.0})
    placed = strategy.orders(nothing, nothing, nothing, 1000.0, rules())
    assert placed.empty
    assert tuple(placed.columns) == strategy.ORDER_COLUMNS


def test_round_trip_counts_both_costs_on_both_sides(rules):
    costs = rules(commission_bps=1.0, slippage_bps=4.0, min_edge_bps=None)
    assert costs.round_trip_bps == 10.0
    assert costs.min_edge == pytest.approx(0.001)


def test_impossible_rules_are_all_named(rules):
    with pytest.raises(InvalidSettings) as refused:
        rules(
            max_positions=0,
            max_position_fraction=1.5,
            min_dollar_volume=-1.0,
            commission_bps=-1.0,
            slippage_bps=20_000.0,
            regime_positions={"SIDEWAYS": 1, "HIGH_VOL": -1},
        )
    for name in (
        "max_positions",
        "max_position_fraction",
        "min_dollar_volume",
        "commission_bps",
        "costs per side",
        "SIDEWAYS",
        "regime_positions.HIGH_VOL",
    ):
        assert name in str(refused.value)


def test_infinite_prediction_is_refused(rules):
    with pytest.raises(InvalidData, match="1 infinite"):
        strategy.target_weights(
            wide([math.inf, 0.0, 0.0]), wide([1.0] * 3), in_regimes("RANGING"), rules()
        )


def test_session_without_regime_is_refused(rules):
    two = np.zeros(3).tolist()
    with pytest.raises(InvalidData, match="2024-01-03"):
        strategy.target_weights(wide(two, two), wide(two, two), in_regimes("RANGING"), rules())


def test_frames_on_other_symbols_are_refused(rules):
    other = wide([1.0] * 3, symbols="ABD")
    with pytest.raises(InvalidData, match="dollar_volume"):
        strategy.target_weights(wide([0.1] * 3), other, in_regimes("RANGING"), rules())
