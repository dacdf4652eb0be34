from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidData
from pipeline.trading import strategy
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.rules import Rules
from tests.trading.markets import Case, one_session, random_case, replaced

NAN = math.nan


def orders(case: Case, rules: Rules, equity: float = 1000.0) -> pd.DataFrame:
    return strategy.orders(Forecasts(*case.both), rules, equity)


def priced(**rows: list[float]) -> Case:
    count = len(next(iter(rows.values())))
    flat = [10.0] * count
    return one_session(**{"previous_close": flat, "open": flat, "close": flat, **rows})


@pytest.mark.parametrize(
    ("min_edge_bps", "prediction", "is_ordered"),
    [
        (None, 0.0021, True),
        (None, 0.0020, False),  # exactly the round-trip cost earns nothing
        (5.0, 0.0006, True),
        (5.0, 0.0005, False),
        (0.0, 0.0, False),
        (-1e6, -0.5, True),
        (0.0, NAN, False),
    ],
)
def test_prediction_must_exceed_the_edge(rules, min_edge_bps, prediction, is_ordered):
    costs = rules(min_edge_bps=min_edge_bps, commission_bps=4.0, slippage_bps=6.0)
    assert len(orders(priced(predictions=[prediction]), costs)) == int(is_ordered)


@pytest.mark.parametrize(
    ("spread", "symbols"), [([0.001, 0.003], ["A"]), ([NAN, 0.0], ["B"]), ([0.0, 0.0], ["A", "B"])]
)
def test_each_symbol_must_earn_its_own_costs(rules, spread, symbols):
    case = priced(predictions=[0.002, 0.002], spread=spread)
    found = orders(case, rules(min_edge_bps=None, spread_fraction=0.5))
    assert found["symbol"].tolist() == symbols


@pytest.mark.parametrize(
    ("changes", "unknown"),
    [
        ({"rank_by": "edge_over_volatility"}, "volatility"),
        ({"weights": "volatility"}, "volatility"),
        ({"impact": 1.0}, "mean_dollar_volume"),
        ({"max_participation": 0.1}, "mean_dollar_volume"),
        ({"stop_atr": 1.0}, "average_true_range"),
        ({"target_atr": 1.0}, "average_true_range"),
        ({"spread_fraction": 0.5}, "spread"),
    ],
)
def test_a_symbol_is_left_out_where_a_rule_does_not_know_what_it_needs(rules, changes, unknown):
    known = {name: [0.01, 0.01] for name in ("volatility", "average_true_range", "spread")}
    known |= {"mean_dollar_volume": [1e9, 1e9], unknown: [NAN, 0.01]}
    found = orders(priced(predictions=[0.05, 0.04], **known), rules(**changes))
    assert found["symbol"].tolist() == ["B"]


def test_a_market_that_lacks_what_a_rule_needs_is_refused(rules):
    with pytest.raises(InvalidData, match="one that knows volatility"):
        orders(priced(predictions=[0.05]), rules(weights="volatility"))


def test_weights_go_to_the_best_candidates_and_empty_slots_stay_cash(rules):
    best = orders(priced(predictions=[0.01, 0.03, 0.02]), rules())
    alone = orders(priced(predictions=[0.01, -0.03, NAN]), rules())
    assert best[["symbol", "weight"]].to_numpy().tolist() == [["B", 0.5], ["C", 0.5]]
    assert alone[["symbol", "weight"]].to_numpy().tolist() == [["A", 0.5]]


def test_capped_regime_lowers_exposure_instead_of_concentrating(rules):
    found = orders(priced(predictions=[0.01, 0.03]), rules(regime_positions={"RANGING": 1}))
    assert found[["symbol", "weight"]].to_numpy().tolist() == [["B", 0.5]]


def test_best_and_worst_forecasts_share_the_slots(rules):
    case = priced(predictions=[0.01, -0.05, 0.03, 0.02, -0.01])
    found = orders(case, rules(sides="long_short", max_positions=4))
    expected = [["B", "short"], ["C", "long"], ["D", "long"], ["E", "short"]]
    assert found[["symbol", "side"]].to_numpy().tolist() == expected
    assert found["edge_bps"].tolist() == pytest.approx([500, 300, 200, 100])
    assert (found["weight"] == 0.25).all()


def test_a_sector_is_capped_and_the_next_in_rank_takes_the_slot(rules):
    case = priced(predictions=[0.05, 0.04, 0.03, 0.02, 0.01])
    sectors = pd.Series({"A": "X", "B": "X", "C": None, "D": None, "E": "Y"})
    case = Case(case.predictions, replaced(case.market, sectors=sectors))
    found = orders(case, rules(max_positions=3, max_sector_positions=1))
    assert found["symbol"].tolist() == ["A", "C", "E"]  # the unknown ones are one sector


def test_a_sector_cap_without_any_sector_is_refused(rules):
    with pytest.raises(InvalidData, match="no symbol whose sector is known"):
        orders(priced(predictions=[0.05]), rules(max_sector_positions=1))


def test_orders_are_ranked_and_sized_on_the_previous_close(rules):
    case = priced(
        predictions=[0.01, -0.05, 0.02],
        previous_close=[30.0, 1.0, 40.0],
        average_true_range=[1.0, 1.0, 2.0],
    )
    chosen = rules(
        whole_shares=True, limit_bps=100.0, stop_atr=1.0, target_atr=2.0, commission_bps=5.0
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
            "limit": [40.4, 30.3],
            "stop": [38.0, 29.0],
            "target": [44.0, 32.0],
            "edge_bps": [200.0, 100.0],
            "cost_bps": [10.0, 10.0],
        }
    )
    pd.testing.assert_frame_equal(orders(case, chosen), expected)


@pytest.mark.parametrize(
    ("price", "whole", "shares", "notional"),
    [
        (300.0, True, 1.0, 300.0),
        (300.0, False, 5 / 3, 500.0),
        (501.0, True, 0.0, 0.0),
        (NAN, False, 0.0, 0.0),
    ],
)
def test_an_order_that_cannot_be_sized_is_listed_with_no_shares(
    rules, price, whole, shares, notional
):
    placed = orders(priced(previous_close=[price]), rules(whole_shares=whole))
    assert placed["shares"].tolist() == pytest.approx([shares])
    assert placed["notional"].tolist() == pytest.approx([notional])


def test_no_candidate_gives_no_order_but_all_columns(rules):
    placed = orders(priced(predictions=[NAN]), rules(hedge="none"))
    assert placed.empty
    assert tuple(placed.columns) == strategy.ORDER_COLUMNS


@settings(max_examples=30, deadline=None)
@given(
    predictions=st.lists(st.integers(-3, 3), min_size=3, max_size=3),
    order=st.permutations("ABC"),
    sides=st.sampled_from(["long", "long_short"]),
)
def test_order_of_symbols_is_irrelevant_also_between_equal_forecasts(
    rules, predictions, order, sides
):
    case = priced(predictions=[0.01 * value for value in predictions])
    straight = orders(case, rules(sides=sides))
    shuffled = orders(case.with_columns(list(order)), rules(sides=sides))
    pd.testing.assert_frame_equal(shuffled, straight)


def test_infinite_prediction_is_refused(rules):
    with pytest.raises(InvalidData, match="1 infinite"):
        orders(priced(predictions=[math.inf, 0.0]), rules())


def test_session_without_regime_is_refused(rules):
    case = random_case(1)
    known = replaced(case.market, regimes=case.market.regimes.iloc[:1])
    with pytest.raises(InvalidData, match="2024-01-02"):
        Forecasts(case.predictions, known)


def test_frames_on_other_symbols_are_refused(rules):
    case = random_case(1)
    other = {**case.market.known}
    other["previous_close"] = other["previous_close"].iloc[:, :3]
    with pytest.raises(InvalidData, match="previous_close"):
        orders(Case(case.predictions, replaced(case.market, known=other)), rules())
    with pytest.raises(InvalidData, match="volume"):
        Forecasts(case.predictions, replaced(case.market, volume=other["previous_close"]))
