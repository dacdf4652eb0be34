from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.trading.strategy import Rules


@pytest.fixture(scope="session")
def rules() -> Callable[..., Rules]:
    """Rules that let everything through, so that a test names only the rule it is about."""

    def with_changes(**changes: Any) -> Rules:
        permissive: dict[str, Any] = {
            "max_positions": 2,
            "max_position_fraction": 1.0,
            "min_edge_bps": 0.0,
            "min_dollar_volume": 0.0,
            "commission_bps": 0.0,
            "slippage_bps": 0.0,
            "whole_shares": False,
            "regime_positions": {},
        }
        return Rules(**permissive | changes)

    return with_changes
