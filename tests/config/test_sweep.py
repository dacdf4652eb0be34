"""Sweeps: every combination of some settings, and what is wrong with any of them."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.config.sweep import combinations
from pipeline.errors import InvalidSettings


def composed(*overrides: str) -> Settings:
    return check(compose(list(overrides)))


def changes(*overrides: str) -> list[Any]:
    return [dict(each.changes) for each in combinations(composed(*overrides))]


def test_every_combination_is_a_setting_and_the_last_key_changes_first() -> None:
    asked = composed("backtest.sweep={strategy.sides:[long,long_short],backtest.bankroll:[1,2]}")
    several = combinations(asked)
    got = [(each.rules.sides, each.bankroll) for each in several]
    assert got == [("long", 1.0), ("long", 2.0), ("long_short", 1.0), ("long_short", 2.0)]
    assert several[3].changes == {"strategy.sides": "long_short", "backtest.bankroll": 2}
    assert several[0].rules.open_bps == asked.strategy.open_bps


@pytest.mark.parametrize("key", ["strategy.max_positions", "backtest.max_positions"])
def test_both_names_of_the_number_of_positions_change_what_is_traded(key: str) -> None:
    several = combinations(composed(f"backtest.sweep={{{key}:[3,4]}}"))
    assert [each.rules.max_positions for each in several] == [3, 4]


def test_keys_of_a_file_are_joined_taken_out_and_given_one_by_one() -> None:
    whole = changes("backtest=sweep")
    assert len(whole) == 36
    fewer = changes("backtest=sweep", "backtest.sweep={backtest.bankroll:null}")
    assert len(fewer) == 12
    assert set(fewer[0]) == {"strategy.max_positions", "strategy.slippage_bps"}
    more = changes("backtest=sweep", "+backtest.sweep.strategy.impact=[0,1]")
    assert len(more) == 72
    assert more[1]["strategy.impact"] == 1


def test_nothing_is_swept_by_default() -> None:
    assert composed().backtest.grid == {}
    assert composed("backtest.sweep={}").backtest.grid == {}


@pytest.mark.parametrize(
    ("swept", "faults"),
    [
        (
            "{strategy.max_positions:[0,5],strategy.fee:[1],seed:[1],strategy.weights:[equal,big]}",
            [
                "strategy.fee: no key of a sweep; those are every key of strategy, and",
                "seed: no key of a sweep",
                "strategy.max_positions: got 0; Input should be greater than or equal to 1",
                "strategy.weights: got 'big'; Input should be 'equal', 'edge' or",
            ],
        ),
        (
            "{strategy.open_bps:[-1,much],backtest.bankroll:[0]}",
            ["open_bps: got -1;", "open_bps: got 'much';", "backtest.bankroll: got 0;"],
        ),
        # Each value alone is allowed.
        (
            "{strategy.sides:[long,long_short],strategy.min_edge_bps:[-5,0]}".replace("-5", "null"),
            [],
        ),
        (
            "{strategy.sides:[long,long_short],strategy.max_positions:[1,2]}",
            ["sides=long_short needs max_positions of 2 or more"],
        ),
        (
            "{strategy.max_positions:[5],backtest.max_positions:[5]}",
            ["strategy.max_positions and backtest.max_positions are one number"],
        ),
        ("{strategy.regime_positions:[{FOG:1}]}", ["regime_positions names 'FOG', not one of"]),
        ("{strategy.impact:[]}", ["backtest.sweep.strategy.impact"]),
        ("{strategy.impact:3}", ["backtest.sweep.strategy.impact: got 3;"]),
    ],
)
def test_wrong_keys_and_values_stop_in_one_message_that_names_each(
    swept: str, faults: list[str]
) -> None:
    if not faults:
        composed(f"backtest.sweep={swept}")
        return
    with pytest.raises(InvalidSettings) as caught:
        composed(f"backtest.sweep={swept}")
    assert caught.value.found.startswith(f"{len(faults)} fault")
    for fault in faults:
        assert fault in caught.value.found


def test_faults_of_a_sweep_stand_beside_all_others() -> None:
    with pytest.raises(InvalidSettings, match="2 faults") as caught:
        composed("hpo.n_trials=0", "backtest.sweep={strategy.impact:[-1]}")
    assert "backtest.sweep: strategy.impact: got -1;" in caught.value.found


def test_too_many_combinations_are_refused() -> None:
    many = ",".join(str(number) for number in range(1, 41))
    with pytest.raises(InvalidSettings, match="1,600 combinations; at most 1,000"):
        composed(f"backtest.sweep={{strategy.impact:[{many}],strategy.slippage_bps:[{many}]}}")
