"""Both sides of what is watched: a promise and none, a life and none, much amiss and nothing."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData
from pipeline.monitor.comparison import compared
from pipeline.monitor.drift import drift, drifted_features
from pipeline.monitor.evidence import Promise
from pipeline.monitor.health import Health, curves, health
from pipeline.monitor.history import Event, Live, live_at, live_in
from pipeline.monitor.reconcile import fills_of
from tests.monitor.test_evidence import PROMISE, THRESHOLDS, outcomes
from tests.monitor.test_reconcile import HEAD, ROUND_TRIP

NOTHING = Promise(0.03, 0.1, 0)


def test_lives_are_compared_where_both_one_or_neither_has_a_session() -> None:
    life = outcomes(np.array([0.02, 0.01, 0.03]))
    for ours, theirs in ((life, life.iloc[:0]), (life.iloc[:0], life), (life.iloc[:0],) * 2):
        none = compared(ours, theirs, seed=1)
        assert none.sessions == 0
        assert none.in_words == none.missing
    for sessions in (1, 3):  # one session has no deviation, and neither have equal lives
        same = compared(life.iloc[:sessions], life, seed=1)
        assert same.e_better == same.e_worse == 1.0
        assert same.in_words.startswith(f"{sessions} sessions are out of sample for both")


@pytest.mark.parametrize("count", [0, 2, 3])
def test_few_and_many_features_that_drifted(count) -> None:
    table = pd.DataFrame({"psi": 0.3, "limit": 0.2, "drifted": True}, [f"f{n}" for n in range(3)])
    table.loc[table.index[count:], "drifted"] = False
    said = drifted_features(table, max_names=2)
    assert said.count("0.30") == min(count, 2)
    assert said.endswith(" and 1 more") == (count == 3)


@pytest.mark.parametrize("sessions", [3, 9])
def test_a_training_window_as_short_as_what_is_compared_with_it_has_no_stretches(sessions) -> None:
    days = pd.bdate_range("2024-01-01", periods=sessions, name="session")
    rows = pd.MultiIndex.from_product([days, ["A", "B"]], names=["session", "symbol"])
    trained = pd.DataFrame({"x": np.arange(len(rows), dtype=float)}, rows)
    found = drift(trained, trained.iloc[-6:], floor=0.1)
    assert (found.loc["x", "limit"] == 0.1) == (sessions == 3)


def test_a_promise_of_no_sessions_promises_nothing() -> None:
    assert math.isnan(NOTHING.error)
    assert not NOTHING.is_known
    assert not Promise(0.03, 0.0, 250).is_known, "of results that do not vary"
    values = np.array([0.1, 0.2])
    assert NOTHING.level(1.0, 2) == 0.0
    assert NOTHING.levels(values, 1.0, 2).tolist() == [0.0, 0.0]
    assert Promise(0.03, 0.0, 250).levels(values, 1.0, 2).tolist() == [0.0, 0.0]
    assert Promise(0.03, 0.1, 100).level(1.0, 101) == 0.0
    assert Promise(0.03, 0.1, 100).level(1.0, 100) == pytest.approx(0.02)


@pytest.mark.parametrize("life", [[], [np.nan, np.nan], [0.02, np.nan, 0.01]])
@pytest.mark.parametrize("promise", [PROMISE, NOTHING, None])
def test_the_health_of_a_life_with_and_without_outcomes_and_a_promise(life, promise) -> None:
    given = outcomes(np.array(life)).assign(hit_rate=0.5, decile_spread=0.0)
    promises = {} if promise is None else {"rank_ic": promise}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = health(given, promises, THRESHOLDS, age_sessions=5)
        drawn = curves(given, promises, THRESHOLDS)
    is_known = promise is PROMISE
    assert ("nothing is known of the rank IC" in found.in_words) == (not is_known)
    assert ("e_promise/rank_ic" in found.figures) == (is_known and len(life) == 3)
    assert ("e_promise_rank_ic" in drawn) == is_known
    assert "nan" not in found.in_words


def test_health_in_words_with_and_without_a_reason() -> None:
    assert Health("healthy").in_words == "healthy"
    assert Health("watch", ("old", "weak")).in_words == "watch: old; weak"


def test_who_was_live_before_after_and_without_a_move() -> None:
    assert live_at([], "2024-01-02T00:00:00Z").in_words.startswith("nobody was live")
    plain = Event("2024-01-02T00:00:00Z", "promote", 1, None, "passed", "me")
    away = Event("2024-01-03T00:00:00Z", "by hand", None, 1, "seen", "me", True, "run abc")
    first, last = (live_at([plain, away], f"2024-01-0{day}T00:00:00Z").in_words for day in (2, 3))
    assert first.endswith("promote at 2024-01-02T00:00:00Z by me: passed")
    assert last.startswith("nobody")
    assert last.endswith("by me, forced: seen, evidence run abc")
    assert live_in([], [plain], "2024-01-02") is None
    assert "None" not in Live(1, "traded", None).in_words


@pytest.mark.parametrize("wrong", [0, 1, 11])
def test_fills_without_a_fault_with_one_and_with_many(wrong) -> None:
    text = HEAD + ROUND_TRIP + "2024-05-01,AAA,buy,-1,10.03,1.00\n" * 2 * wrong
    if not wrong:
        assert len(fills_of(text, "f")) == 2
        return
    with pytest.raises(InvalidData) as caught:
        fills_of(text, "f")
    assert len(caught.value.faults) == 2 * wrong + 1  # and what is left at the end
    assert ("; and 13 more" in str(caught.value)) == (wrong == 11)
