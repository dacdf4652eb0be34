"""Garbage is not looked for while packages are imported, and is from a stage's start on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any, cast

import pytest

from pipeline import stages
from pipeline.stages import _cli


@pytest.fixture
def importing() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(10 * stages.GARBAGE)
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_a_stage_looks_for_garbage_and_what_was_imported_is_left_alone(importing: None) -> None:
    seen: list[tuple[int, int]] = []

    def stage(settings: Any) -> None:
        seen.append((gc.get_threshold()[0], gc.get_freeze_count()))

    _cli._execute("status", stage, cast(Any, None), False)
    _cli._execute("status", stage, cast(Any, None), False)
    (threshold, frozen), again = seen
    assert threshold == stages.GARBAGE
    assert frozen > 0
    assert again[1] <= frozen, "what a job of a sweep leaves behind is garbage like any other"
