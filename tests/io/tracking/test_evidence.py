"""What an earlier walk-forward says of its recipe, before anybody asks for a promotion."""

from __future__ import annotations

import pytest

from pipeline.io.tracking.evidence import is_rejected
from pipeline.io.tracking.values import FinishedRun
from tests.gates.test_verdict import GOOD, shipped


@pytest.mark.parametrize(
    ("changes", "rejected"),
    [
        ({}, False),
        ({"backtest/deflated_sharpe": 0.2}, True),
        ({"test/rank_ic_t": 30.0}, False),
        ({"test/rank_ic_t": 30.0, "audit/passed": 0.0}, True),
        ({"test/rank_ic_t": 30.0, "backtest/deflated_sharpe": 0.2}, True),
        ({"backtest/sessions": 21.0, "backtest/deflated_sharpe": 0.2}, False),
    ],
    ids=["good", "bad", "to be audited", "leaks", "bad and to be audited", "too few sessions"],
)
def test_evidence_is_rejected_by_more_than_an_audit_that_is_to_come(
    changes: dict[str, float], rejected: bool
) -> None:
    run = FinishedRun("1", {**GOOD, **changes}, {})
    assert is_rejected(run, shipped("strict")) is rejected
