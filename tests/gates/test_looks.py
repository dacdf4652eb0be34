"""How often the data of a result was looked at."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.gates.looks import (
    Look,
    earlier_looks,
    opening_digest,
    predictions_digest,
    strategy_digest,
    total,
)
from pipeline.stats.overfitting import expected_maximum_sharpe
from tests.learning.rows import by_session

SESSIONS = pd.date_range("2024-01-01", periods=10)
RESULT = Look(
    run_id="now", forecast="f0", strategy="s0", recipe="r0", opening="o0",
    first=SESSIONS[0], last=SESSIONS[-1], witnesses=(),
)  # fmt: skip


def look(run_id: str, **changes: object) -> Look:
    """A look by another forecast, of another recipe, on the same sessions."""
    distinct = {"forecast": f"f{run_id}", "recipe": f"r{run_id}", "opening": f"o{run_id}"}
    return replace(RESULT, **{"run_id": run_id, **distinct, **changes})


def test_every_distinct_forecast_is_one_look():
    looks = [look("a"), look("b"), look("c", forecast="fa", recipe="ra", opening="oa")]
    assert earlier_looks(looks, RESULT, SESSIONS) == {"a": 1.0, "b": 1.0}


def test_every_strategy_on_one_forecast_is_one_look():
    same = {"forecast": "f0", "recipe": "r0", "opening": "o0"}
    looks = [look(name, strategy=name, **same) for name in ("a", "b", "c")]
    assert set(earlier_looks(looks, RESULT, SESSIONS)) == {"a", "b", "c"}


def test_the_result_itself_is_none_however_often_it_is_repeated():
    again = [replace(RESULT, run_id=name) for name in ("now", "again")]
    assert earlier_looks(again, RESULT, SESSIONS) == {}
    assert total({}) == 1.0


def test_one_recipe_again_on_new_sessions_adds_one_look_not_one_for_every_quarter():
    quarters = [
        look(f"q{n}", forecast=f"q{n}", recipe="r0", opening="o0", last=SESSIONS[n])
        for n in range(3, 9)
    ]
    assert earlier_looks(quarters, RESULT, SESSIONS) == {"q8": 0.9}


def test_one_recipe_from_other_first_sessions_is_another_look_each():
    starts = [look(f"s{n}", recipe="r0", opening=f"s{n}", first=SESSIONS[n]) for n in range(1, 4)]
    assert set(earlier_looks(starts, RESULT, SESSIONS)) == {"s1", "s2", "s3"}


@pytest.mark.parametrize(
    ("first", "last", "share"),
    [
        ("2024-01-01", "2024-01-05", 0.5),
        ("2024-01-01", "2024-01-04", 0.4),  # no cliff at half
        ("2024-01-10", "2024-12-31", 0.1),
        ("2023-01-01", "2025-01-01", 1.0),
        ("2024-01-11", "2024-12-31", 0.0),
        ("2023-01-01", "2023-12-31", 0.0),
    ],
)
def test_a_look_weighs_in_by_the_part_of_the_sessions_it_covers(first, last, share):
    seen = look("a", first=pd.Timestamp(first), last=pd.Timestamp(last))
    assert earlier_looks([seen], RESULT, SESSIONS) == ({"a": share} if share else {})


def test_of_equal_looks_the_one_with_the_larger_part_counts():
    short = look("short", forecast="f", last=SESSIONS[1])
    long = look("long", forecast="f")
    assert earlier_looks([short, long], RESULT, SESSIONS) == {"long": 1.0}


def test_there_is_no_cap():
    looks = [look(f"{n:05d}") for n in range(3000)]
    assert total(earlier_looks(looks, RESULT, SESSIONS)) == 3001.0


def test_a_part_of_a_look_deflates_by_a_part():
    one, part, two = (expected_maximum_sharpe(n, 1.0) for n in (1.0, 1.4, 2.0))
    assert one == 0.0
    assert part == pytest.approx(0.4 * two)
    assert two < expected_maximum_sharpe(2.5, 1.0)


def test_digest_is_of_sessions_symbols_and_values_in_any_order():
    predictions = by_session([0.01, 0.02], [0.03, -0.01])
    digest = predictions_digest(predictions)
    assert digest == "e5757ab7b80ca7f8d8e884776d597545"
    assert predictions_digest(predictions.iloc[::-1]) == digest
    changed = [
        predictions.add([0.0, 0.0, 0.0, 1e-12]),
        predictions.rename({"S1": "S2"}, level="symbol"),
        predictions.rename({pd.Timestamp("2024-01-02"): pd.Timestamp("2024-01-03")}, level=0),
        predictions.iloc[:-1],
    ]
    assert len({digest, *map(predictions_digest, changed)}) == 5


def test_the_opening_of_a_longer_forecast_is_the_same():
    longer = by_session(*([0.01 * n, -0.01] for n in range(30)))
    shorter = longer[longer.index.get_level_values("session") <= "2024-01-25"]
    assert opening_digest(longer) == opening_digest(shorter)
    assert opening_digest(longer) != opening_digest(longer.iloc[2:])


def test_rules_and_bankroll_are_the_strategy():
    rules = build.rules(check(compose([])))
    digests = {
        strategy_digest(rules, 1e5),
        strategy_digest(rules, 2e5),
        strategy_digest(rules.changed(max_positions=3), 1e5),
    }
    assert len(digests) == 3
    assert strategy_digest(rules, 1e5) == strategy_digest(rules.changed(), 1e5)
