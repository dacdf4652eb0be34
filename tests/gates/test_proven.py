"""Signals trade what was evidenced."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic_core import to_jsonable_python

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.gates.proven import Traded, differing_rules

FRACTIONAL = "strategy.whole_shares=false"


def traded(*overrides: str) -> Traded:
    settings = check(compose(list(overrides)))
    limits = settings.regimes.limits.hash
    return Traded(build.rules(settings), settings.signals.bankroll, limits)


def evidenced(*overrides: str):
    return to_jsonable_python(build.recipe(check(compose(list(overrides)))).content)


def test_the_rules_of_the_recipe_are_proven():
    assert differing_rules(traded(), evidenced()) == []


def test_every_other_rule_is_named_with_both_values():
    now = traded("backtest.max_positions=3", "strategy.rank_by=net_edge")
    assert differing_rules(now, evidenced()) == [
        "rank_by is net_edge, its evidence has edge",
        "max_positions is 3, its evidence has 10",
    ]


def test_a_value_that_is_left_open_is_named_as_a_command_line_has_it():
    now = traded("strategy=auctions", "strategy.min_edge_bps=5")
    assert differing_rules(now, evidenced("strategy=auctions")) == [
        "min_edge_bps is 5.0, its evidence has null"
    ]


def test_a_rule_of_a_later_release_is_not_compared_and_no_record_proves_nothing():
    older = evidenced()
    del older["rules"]["hedge_bps"]
    assert differing_rules(traded("strategy.hedge_bps=7"), older) == []
    assert differing_rules(traded(), {}) == ["its recipe recorded no rules"]


@pytest.mark.parametrize("bankroll", [5_000, 49_000, 201_000])
def test_another_bankroll_is_named_where_whole_shares_make_it_matter(bankroll):
    now = traded(f"signals.bankroll={bankroll}")
    assert differing_rules(now, evidenced()) == [
        f"bankroll is {bankroll}, its evidence has 100000: more than 2 times apart"
    ]
    fractional = traded(f"signals.bankroll={bankroll}", FRACTIONAL)
    assert differing_rules(fractional, evidenced(FRACTIONAL)) == []


def test_a_least_fee_makes_the_bankroll_matter_without_whole_shares():
    words = (FRACTIONAL, "strategy.commission_minimum=1")
    assert differing_rules(traded("signals.bankroll=1000", *words), evidenced(*words))


@pytest.mark.parametrize("bankroll", [50_000, 98_765.43, 200_000])
def test_a_bankroll_that_grew_or_shrank_as_equity_does_is_no_other_one(bankroll):
    assert differing_rules(traded(f"signals.bankroll={bankroll}"), evidenced()) == []


def test_other_limits_of_regimes_are_named_where_regimes_cap_positions():
    now, before = traded("regimes.high_vix=20"), evidenced()
    [said] = differing_rules(now, before)
    assert said.startswith("regimes follow from limits")
    uncapped = replace(now, rules=now.rules.changed(regime_positions={}))
    before["rules"]["regime_positions"] = {}
    assert differing_rules(uncapped, before) == []
