"""Twenty kills of one retrain command, and twenty of a walk-forward; by hand, with `-m soak -s`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.stages.conftest import Project
from tests.stages.killing import SEARCH, assert_the_same, lived

pytestmark = pytest.mark.soak

TRIALS = 40
WALK = ("evaluation=walk_forward", "evaluation.refit_every=30", "evaluation.search_every=60")


@pytest.mark.parametrize(
    ("more", "during", "share"),
    [
        ((f"hpo.n_trials={TRIALS}",), "search/seconds", 0.7),
        (WALK, "time/evaluate_seconds", 1.0),
    ],
    ids=["search", "walk_forward"],
)
def test_twenty_kills_change_nothing(
    tmp_path: Path, more: tuple[str, ...], during: str, share: float
) -> None:
    project = Project(tmp_path)
    project.python("retrain", *SEARCH, *more)
    uninterrupted = project.newest("retrain")
    seconds = uninterrupted.data.metrics[during]

    lives = lived(project, 20, share * seconds, random.Random(7), *more)

    told = [count for _, count in lives.killed]
    print(f"\n{len(told)} kills, trials told by then: {told}; {len(lives.finished)} ended")
    assert sum(0 < count < max(told) for count in told) >= 5
    assert_the_same(project, lives, uninterrupted)
