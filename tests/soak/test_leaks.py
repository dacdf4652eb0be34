"""Planted leaks are named, and honest worlds raise no alarm: an hour; see notebooks/leaks.md."""

from __future__ import annotations

import pytest

from tests.soak import leaks

pytestmark = pytest.mark.soak


def test_nine_of_ten_planted_leaks_are_named_within_ten_audits() -> None:
    found = {name: leaks.named(name, seed=3) for name in leaks.LEAKS}
    print("\n".join(f"{name}: {named}" for name, named in found.items()))
    assert len(found) >= 40
    assert sum(audits > 0 for audits, _, _ in found.values()) >= 0.9 * len(found)


def test_two_hundred_audits_without_a_leak_raise_no_alarm() -> None:
    assert [seed for seed in range(200) if leaks.alarm(seed)] == []
