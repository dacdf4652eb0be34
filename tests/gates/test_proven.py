"""Signals trade what was evidenced."""

from __future__ import annotations

from pydantic_core import to_jsonable_python

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.gates.proven import differing_rules


def rules(*overrides: str):
    return build.rules(check(compose(list(overrides))))


def test_the_rules_of_the_recipe_are_proven():
    assert differing_rules(rules(), to_jsonable_python(rules())) == []


def test_every_other_rule_is_named_with_both_values():
    now = rules("backtest.max_positions=3", "strategy.rank_by=net_edge")
    assert differing_rules(now, to_jsonable_python(rules())) == [
        "rank_by is net_edge, its evidence has edge",
        "max_positions is 3, its evidence has 10",
    ]


def test_a_rule_of_a_later_release_is_not_compared_and_no_record_proves_nothing():
    older = {k: v for k, v in to_jsonable_python(rules()).items() if k != "hedge_bps"}
    assert differing_rules(rules("strategy.hedge_bps=7"), older) == []
    assert differing_rules(rules(), None) == ["its recipe recorded no rules"]
