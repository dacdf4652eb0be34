"""Twenty kills of one retrain command; by hand, with `-m soak -s`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.stages.conftest import Project
from tests.stages.killing import SEARCH, TRIALS, assert_the_same, lived

pytestmark = pytest.mark.soak


def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.python("retrain", *SEARCH)
    uninterrupted = project.newest("retrain")
    seconds = uninterrupted.data.metrics["search/seconds"]

    lives = lived(project, 20, 1.5 * seconds, random.Random(7))

    told = [count for _, count in lives.killed]
    print(f"\n{len(told)} kills, trials told by then: {told}; {len(lives.finished)} ended")
    assert any(0 < count < TRIALS for count in told)
    assert_the_same(project, lives, uninterrupted)
