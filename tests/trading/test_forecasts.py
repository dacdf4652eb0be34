"""What several strategies share of their forecasts is what they have in common, and no more.

Every field of the rules is gone through: one added to `Rules` fails here until it has examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any

import pytest

from pipeline.trading.forecasts import (
    ADMISSION_RULES,
    SIZING_RULES,
    Forecasts,
    ranking_key,
    selection_key,
)
from pipeline.trading.rules import Rules
from tests.trading.markets import Case, random_case

EXAMPLES: dict[str, tuple[Any, ...]] = {
    "sides": ("long", "long_short"),
    "rank_by": ("edge", "net_edge", "edge_over_volatility"),
    "min_edge_bps": (None, 0.0, 40.0, 120.0),
    "min_dollar_volume": (0.0, 5e5, 1.5e6),
    "max_positions": (2, 3, 4),
    "max_sector_positions": (None, 1, 2),
    "regime_positions": ({}, {"HIGH_VOL": 0}, {"HIGH_VOL": 2, "RANGING": 2}),
    "weights": ("equal", "edge", "volatility"),
    "max_position_fraction": (1.0, 0.1),
    "max_participation": (None, 0.01, 0.5),
    "whole_shares": (False, True),
    "hedge": ("none", "dollar", "beta"),
    "hedge_symbol": (None, "^IXIC"),
    "hedge_bps": (0.0, 5.0),
    "limit_bps": (None, 0.0, 50.0),
    "stop_atr": (None, 0.5, 2.0),
    "target_atr": (None, 0.5, 2.0),
    "commission_bps": (0.0, 20.0, 60.0),
    "commission_per_share": (0.0, 0.05, 1.0),
    "commission_minimum": (0.0, 1.0, 100.0),
    "commission_maximum": (None, 0.01, 0.0001),
    "open_bps": (0.0, 20.0, 60.0),
    "close_bps": (0.0, 20.0, 60.0),
    "max_gross": (None, 0.2, 0.5),
    "spread_fraction": (0.0, 0.5, 1.0),
    "impact": (0.0, 1.0, 5.0),
    "borrow_bps_a_year": (0.0, 10_000.0, 40_000.0),
}
"""Values that differ in what they do on the cases below."""

COSTS = {"commission_per_share": 0.5, "commission_bps": 5.0, "spread_fraction": 0.3}
BASES: tuple[dict[str, Any], ...] = (
    {"min_edge_bps": None, **COSTS},
    {"min_edge_bps": 0.0},
    {"sides": "long_short", "min_edge_bps": None},
    {"sides": "long_short", "rank_by": "net_edge", "min_edge_bps": 0.0, **COSTS},
    {"rank_by": "edge_over_volatility", "min_edge_bps": 0.0},
)
"""What each field is changed in: costs are and are not the hurdle, and do and do not rank."""

CASES = [random_case(seed, sessions=12, symbols=9) for seed in range(2)]

MakeRules = Callable[..., Rules]
Chosen = list[list[float]]


def pairs(rules: MakeRules, field: str) -> Iterator[tuple[Rules, Rules]]:
    """Rules that differ in one field."""
    for base, (one, other) in product(BASES, combinations(EXAMPLES[field], 2)):
        plain = {"max_positions": 3, **base}
        yield rules(**{**plain, field: one}), rules(**{**plain, field: other})


def chosen(forecasts: Forecasts, rules: Rules) -> Chosen:
    return [part.tolist() for part in forecasts.selection(rules)]


def ranked(forecasts: Forecasts, rules: Rules) -> list[list[list[int]]]:
    return [forecasts._ranking(side, rules)[1].tolist() for side in rules.signs]


SELECTED_ALONE: dict[str, Chosen] = {}


def alone(case: Case, rules: Rules) -> Chosen:
    """What is chosen where nothing is shared."""
    key = f"{[case is c for c in CASES].index(True)} {vars(rules)}"
    if key not in SELECTED_ALONE:
        SELECTED_ALONE[key] = chosen(Forecasts(*case.both), rules)
    return SELECTED_ALONE[key]


def test_every_rule_has_examples(rules: MakeRules) -> None:
    assert set(EXAMPLES) == set(vars(rules()))
    assert set(EXAMPLES) >= SIZING_RULES | ADMISSION_RULES
    assert not SIZING_RULES & ADMISSION_RULES


@pytest.mark.parametrize("field", EXAMPLES)
def test_a_rule_either_sizes_and_selects_nothing_or_is_part_of_the_key(
    rules: MakeRules, field: str
) -> None:
    for one, other in pairs(rules, field):
        assert (selection_key(one) == selection_key(other)) == (field in SIZING_RULES)
    if field in SIZING_RULES:
        for case, (one, other) in product(CASES, pairs(rules, field)):
            assert alone(case, one) == alone(case, other)


@pytest.mark.parametrize("field", sorted(set(EXAMPLES) - SIZING_RULES))
def test_the_examples_of_a_rule_that_selects_do_change_the_selection(
    rules: MakeRules, field: str
) -> None:
    assert any(
        alone(case, one) != alone(case, other)
        for case, (one, other) in product(CASES, pairs(rules, field))
    )


@pytest.mark.parametrize("field", EXAMPLES)
def test_no_strategy_is_served_the_selection_of_another(rules: MakeRules, field: str) -> None:
    for case in CASES:
        shared = Forecasts(*case.both)
        for one, other in pairs(rules, field):
            for each in (one, other):
                assert chosen(shared, each) == alone(case, each)


@pytest.mark.parametrize("field", EXAMPLES)
def test_no_strategy_is_served_the_ranking_of_another(rules: MakeRules, field: str) -> None:
    for case, (one, other) in product(CASES, pairs(rules, field)):
        if ranking_key(one) == ranking_key(other) and one.sides == other.sides:
            assert ranked(Forecasts(*case.both), one) == ranked(Forecasts(*case.both), other)


def test_selection_and_ranking_are_worked_out_once_for_strategies_that_share_them(
    rules: MakeRules,
) -> None:
    forecasts = Forecasts(*CASES[0].both)
    first = forecasts.selection(rules(commission_minimum=0.0))
    assert forecasts.selection(rules(commission_minimum=5.0, whole_shares=True)) is first
    narrow, wide = (rules(rank_by="net_edge", max_positions=n) for n in (1, 4))
    assert forecasts._ranking(1.0, narrow)[1] is forecasts._ranking(1.0, wide)[1]
    assert forecasts.selection(narrow) is not forecasts.selection(wide)
