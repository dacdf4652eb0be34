from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from pipeline.learning.search.objectives import OBJECTIVES
from pipeline.learning.search.plan import ObjectiveName, Pruner, Sampler, SearchPlan
from pipeline.learning.search.proposals import SAMPLERS
from pipeline.learning.search.trial_runner import PRUNERS

PLAIN: dict[str, Any] = {
    "n_trials": 8, "batch_size": 4, "sampler": "tpe", "pruner": None, "objective": "mae",
    "max_rows": None, "early_stopping_sessions": None, "timeout_minutes": None,
    "recorded_trials": None,
}  # fmt: skip


def plan(**changes: Any) -> SearchPlan:
    return SearchPlan(**PLAIN | changes)


def test_every_name_a_plan_may_hold_is_one_the_search_knows():
    assert set(get_args(ObjectiveName)) == set(OBJECTIVES)
    assert set(get_args(Pruner)) == set(PRUNERS)
    assert set(get_args(Sampler)) == set(SAMPLERS)


def test_a_budget_is_one_for_all_or_one_for_each():
    assert [plan(n_trials=3).trials(name) for name in ("a", "b")] == [3, 3]
    each = plan(n_trials={"a": 2, "b": 5})
    assert [each.trials(name) for name in ("a", "b")] == [2, 5]


def test_a_repeated_search_runs_the_trials_it_ran_before_without_a_time_budget():
    assert plan(timeout_minutes=1.5).timeout_seconds == 90.0
    repeated = plan(timeout_minutes=1.5, recorded_trials={"a": 3})
    assert (repeated.timeout_seconds, repeated.trials("a"), repeated.budget("a")) == (None, 3, 8)


@pytest.mark.parametrize(
    ("key", "value"),
    [("n_trials", 0), ("n_trials", {"a": 0}), ("batch_size", 0), ("sampler", "grid"),
     ("pruner", "half"), ("objective", "sharp"), ("timeout_minutes", 0)],
)  # fmt: skip
def test_a_wrong_value_is_named(key, value):
    with pytest.raises(ValidationError, match=key):
        plan(**{key: value})
