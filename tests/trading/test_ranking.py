from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.trading import ranking

NAN = math.nan


def row(*values: float) -> np.ndarray:
    return np.array([values], dtype="float64")


@pytest.mark.parametrize(
    ("min_edge_bps", "round_trip", "expected"),
    [(None, 0.002, 0.002), (5.0, 0.002, 0.0005), (0.0, 0.002, 0.0), (-1e6, 0.002, -100.0)],
)
def test_hurdle_is_the_fixed_edge_or_else_the_round_trip(rules, min_edge_bps, round_trip, expected):
    assert ranking.hurdle(round_trip, rules(min_edge_bps=min_edge_bps)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("minimum", "mean_dollar_volume", "liquid"),
    [(1e6, 1e6, True), (1e6, 9e5, False), (1e6, NAN, False), (0.0, NAN, True)],
)
def test_symbol_must_be_liquid_enough(rules, minimum, mean_dollar_volume, liquid):
    found = ranking.is_liquid(row(mean_dollar_volume), rules(min_dollar_volume=minimum))
    assert found.item() == liquid


@pytest.mark.parametrize(
    ("rank_by", "expected"),
    [
        ("edge", [0.03, 0.02]),
        ("net_edge", [0.02, 0.015]),
        ("edge_over_volatility", [1.5, 2.0]),
    ],
)
def test_best_is_measured_by_the_rule(rules, rank_by, expected):
    measured = ranking.scores(
        row(0.03, 0.02), row(0.01, 0.005), row(0.02, 0.01), rules(rank_by=rank_by)
    )
    assert measured.ravel().tolist() == pytest.approx(expected)


def test_unknown_or_no_volatility_gives_no_score(rules):
    by_risk = rules(rank_by="edge_over_volatility")
    measured = ranking.scores(row(0.03, 0.02), 0.0, row(NAN, 0.0), by_risk)
    assert np.isnan(measured).all()


@pytest.mark.parametrize(
    ("scores", "order"),
    [
        ([0.1, 0.3, 0.2], [1, 2, 0]),
        ([0.2, 0.2, 0.1], [0, 1, 2]),  # ties by name
        ([NAN, 0.1, 0.2], [2, 1, 0]),
    ],
)
def test_highest_score_comes_first_and_unknown_ones_last(scores, order):
    assert ranking.best_first(row(*scores)).tolist() == [order]


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
    assert ranking.slots(pd.Series([regime]), capped).tolist() == [positions]


@pytest.mark.parametrize(("sides", "expected"), [("long", [5, 4]), ("long_short", [2, 2])])
def test_each_side_gets_half_of_the_slots_rounded_down(rules, sides, expected):
    chosen = rules(sides=sides, max_positions=5)
    assert ranking.slots_a_side(np.array([5, 4]), chosen).tolist() == expected


@pytest.mark.parametrize(
    ("taken", "sectors", "most", "kept"),
    [
        ([1, 1, 1, 1], [0, 0, 0, 1], 2, [1, 1, 0, 1]),
        ([1, 0, 1, 1], [0, 0, 0, 0], 2, [1, 0, 1, 0]),  # who is no candidate takes no place
        ([1, 1, 1, 1], [0, 1, 2, 3], 1, [1, 1, 1, 1]),
        ([0, 0, 0, 0], [0, 0, 0, 0], 1, [0, 0, 0, 0]),
    ],
)
def test_only_the_best_of_a_sector_are_kept(taken, sectors, most, kept):
    found = ranking.within_sector_cap(np.array([taken]) > 0, np.array([sectors]), most)
    assert found.astype(int).tolist() == [kept]


@pytest.mark.parametrize(
    ("taken", "slots", "held"),
    [([1, 1, 1], 2, [1, 1, 0]), ([1, 0, 1], 2, [1, 0, 1]), ([1, 1, 1], 0, [0, 0, 0])],
)
def test_the_best_find_a_slot(taken, slots, held):
    found = ranking.filled_slots(np.array([taken]) > 0, np.array([slots]))
    assert found.astype(int).tolist() == [held]


def test_both_sides_share_one_ranking():
    longs = (1.0, np.array([0, 0, 1]), np.array([2, 0, 1]), np.array([0.3, 0.1, 0.5]))
    shorts = (-1.0, np.array([0, 1]), np.array([1, 0]), np.array([0.2, 0.5]))
    both = ranking.merged([longs, shorts])
    assert both.row.tolist() == [0, 0, 0, 1, 1]
    assert both.column.tolist() == [2, 1, 0, 0, 1]  # equal scores of session 1 by symbol
    assert both.side.tolist() == [1, -1, 1, -1, 1]
    assert both.place.tolist() == [0, 1, 2, 0, 1]
