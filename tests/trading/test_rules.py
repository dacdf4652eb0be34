from __future__ import annotations

import pytest
from pydantic import ValidationError


def test_round_trip_counts_both_costs_on_both_sides(rules):
    costs = rules(commission_bps=1.0, slippage_bps=4.0, min_edge_bps=None)
    assert costs.round_trip_bps == 10.0
    assert costs.min_edge == pytest.approx(0.001)


def test_borrow_fee_is_one_day_of_360(rules):
    assert rules(borrow_bps_a_year=36.0).borrow_fee == pytest.approx(1e-5)


def test_impossible_rules_are_all_named(rules):
    wrong = {
        "sides": "short",
        "rank_by": "name",
        "weights": "random",
        "hedge": "gold",
        "max_positions": 0,
        "max_sector_positions": 0,
        "max_position_fraction": 1.5,
        "max_participation": 0.0,
        "min_dollar_volume": -1.0,
        "limit_bps": -10_000.0,
        "stop_atr": 0.0,
        "target_atr": -1.0,
        "hedge_bps": -1.0,
        "commission_bps": -1.0,
        "commission_per_share": -1.0,
        "commission_minimum": -1.0,
        "commission_maximum": 0.0,
        "open_bps": 20_000.0,
        "close_bps": 20_000.0,
        "max_gross": 0.0,
        "spread_fraction": 1.1,
        "impact": -1.0,
        "borrow_bps_a_year": -1.0,
        "regime_positions": {"SIDEWAYS": 1, "HIGH_VOL": -1},
    }
    with pytest.raises(ValidationError) as refused:
        rules(**wrong)
    for name in (
        *(set(wrong) - {"regime_positions"}),
        "regime_positions.HIGH_VOL",
    ):
        assert name in str(refused.value), name


@pytest.mark.parametrize("positions", [1, 2])
def test_each_side_needs_a_slot(rules, positions):
    if positions == 1:
        with pytest.raises(ValidationError, match="needs max_positions of 2 or more"):
            rules(sides="long_short", max_positions=positions)
    else:
        assert rules(sides="long_short", max_positions=positions).signs == (1.0, -1.0)


def test_a_regime_nobody_knows_is_named(rules):
    with pytest.raises(ValidationError, match="regime_positions names 'SIDEWAYS', not one of BULL"):
        rules(regime_positions={"SIDEWAYS": 1})


def test_changed_rules_are_checked_again(rules):
    assert rules().changed(impact=1.0) == rules(impact=1.0)
    with pytest.raises(ValidationError, match="impact"):
        rules().changed(impact=-1.0)
    with pytest.raises(ValidationError, match="fee"):
        rules().changed(fee=1.0)


def test_no_symbol_can_be_on_both_sides(rules):
    with pytest.raises(ValidationError, match="needs min_edge_bps of 0 or more"):
        rules(sides="long_short", min_edge_bps=-1.0)


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, False),
        ({"min_edge_bps": None}, False),
        ({"min_edge_bps": None, "commission_minimum": 1.0}, True),
        ({"min_edge_bps": None, "impact": 1.0}, True),
        ({"min_edge_bps": 5.0, "impact": 1.0}, False),  # a fixed hurdle stands in for all costs
    ],
)
def test_size_decides_only_where_costs_are_the_hurdle_and_depend_on_it(rules, changes, needed):
    assert rules(**changes).has_size_costs == needed
