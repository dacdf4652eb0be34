"""Kills of workers and of the scheduler; by hand, with `-m soak -s`."""

from __future__ import annotations

import pytest

from tests.soak.cluster_kills import same_decisions

pytestmark = pytest.mark.soak


def test_killed_workers_and_schedulers_change_nothing() -> None:
    assert same_decisions(2) == 2
