"""A refused promotion names what helps: evidence where it is missing, else another recipe."""

from __future__ import annotations

import pytest

from pipeline.contract import Tags
from pipeline.gates.verdict import evaluate
from pipeline.io.tracking.values import ModelVersion
from pipeline.serving.verdicts import not_promoted
from tests.gates.test_verdict import GOOD, shipped

OVERRIDES = "data=files model=ridge seed=3"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"backtest/sessions": 21.0}, ("data=files", "model=ridge", "seed=3")),
        ({"backtest/deflated_sharpe": 0.2}, ("data=files", "features=extended")),
    ],
    ids=["not enough evidence", "rejected"],
)
def test_the_next_command_follows_the_verdict(
    changes: dict[str, float], expected: tuple[str, ...]
) -> None:
    version = ModelVersion("m", "5", "run", {Tags.OVERRIDES: OVERRIDES})
    error = not_promoted(version, None, evaluate({**GOOD, **changes}, shipped("strict")))
    assert error.next.overrides == (*expected, "evaluation=walk_forward")
    before, _, last = error.needed.rpartition("\n")
    assert "promote.force=true" in last, "force comes last"
    assert "force" not in before
