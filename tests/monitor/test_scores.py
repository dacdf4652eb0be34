"""What became of an evening, by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.monitor.comparison import compared
from pipeline.monitor.scores import skill


def test_skill_of_a_session_by_hand() -> None:
    said = pd.Series({"A": 0.01, "B": 0.0, "C": -0.01, "D": 0.02})
    came = pd.Series({"A": 0.02, "B": -0.01, "C": -0.03, "X": 0.5})
    found = skill(said, came)
    assert found["symbols"] == 3
    assert found["rank_ic"] == 1.0
    assert found["hit_rate"] == 1.0
    # forecasts less their mean: 1, 0, -1 %; returns: 2.67, -0.33, -2.33 %; slope 5 / 2
    assert found["calibration"] == pytest.approx(2.5)
    assert found["r2"] == pytest.approx(1 - (1 + 1 + 4) / (4 + 1 + 9))
    assert math.isnan(found["decile_spread"])  # three symbols make no ten groups


def test_deciles_hold_a_tenth_each_and_are_less_the_sessions_mean() -> None:
    names = [f"S{k:02d}" for k in range(20)]
    said = pd.Series(np.arange(20.0), names)
    came = pd.Series(np.arange(20.0) + 100.0, names)
    found = skill(said, came)
    assert [found[f"decile_{k}"] for k in (1, 2, 10)] == [-9.0, -7.0, 9.0]
    assert found["decile_spread"] == 18.0


def test_forecasts_without_an_outcome_have_no_skill() -> None:
    found = skill(pd.Series({"A": 0.1}), pd.Series({"B": 0.1}))
    assert found["symbols"] == 0
    assert math.isnan(found["rank_ic"])
    constant = skill(pd.Series(0.1, ["A", "B"]), pd.Series({"A": 0.1, "B": 0.2}))
    assert math.isnan(constant["rank_ic"])


def outcomes(rank_ic: list[float], kind: str = "live", start: str = "2024-01-01") -> pd.DataFrame:
    days = pd.bdate_range(start, periods=len(rank_ic))
    return pd.DataFrame({"session": days, "kind": kind, "rank_ic": rank_ic,
                         "net_return": np.array(rank_ic) / 100})  # fmt: skip


def test_two_models_are_compared_on_joint_sessions_of_one_kind_and_what_is_missing_is_said() -> (
    None
):
    random = np.random.default_rng(1)
    champion = random.normal(0, 0.1, 80)
    better = outcomes(list(champion + 0.08 + random.normal(0, 0.02, 80)))
    found = compared(better, outcomes(list(champion)), seed=1)
    assert (found.sessions, found.missing) == (80, "")
    assert found.rank_ic == pytest.approx(0.08, abs=0.01)
    assert found.e_better > 100 > 1 > found.e_worse
    assert found.pvalue > 0.5
    few = compared(better.iloc[:20], outcomes(list(champion)), seed=1)
    assert (few.sessions, few.missing) == (20, "40 more are needed for a test of net returns.")
    assert math.isnan(few.pvalue)


def test_replays_are_not_compared_with_live_sessions() -> None:
    found = compared(outcomes([0.1] * 5, "replay"), outcomes([0.0] * 5), seed=1)
    assert found.sessions == 0
    assert "No session has a kept forecast of both" in found.in_words
