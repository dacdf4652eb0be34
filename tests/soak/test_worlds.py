"""The two proofs a retrain owes: it refuses noise and finds a real edge. Hours, not minutes."""

from __future__ import annotations

import pytest

from tests.soak import noise, planted, seeds

pytestmark = pytest.mark.soak


def test_of_twenty_random_walks_at_most_one_is_promoted() -> None:
    found = noise.outcomes()
    print(f"\n{seeds.table(found)}\n{noise.distribution(found)}")
    assert sum(outcome.accepted for outcome in found) <= 1


def test_a_planted_edge_is_promoted_on_nine_of_ten_seeds() -> None:
    found = planted.outcomes()
    print(f"\n{seeds.table(found)}")
    assert sum(outcome.accepted for outcome in found) >= 9
