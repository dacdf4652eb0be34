from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.trading.rules import Rules

PERMISSIVE: dict[str, Any] = {
    "sides": "long",
    "rank_by": "edge",
    "min_edge_bps": 0.0,
    "min_dollar_volume": 0.0,
    "max_positions": 2,
    "max_sector_positions": None,
    "regime_positions": {},
    "weights": "equal",
    "max_position_fraction": 1.0,
    "max_participation": None,
    "whole_shares": False,
    "hedge": "none",
    "hedge_symbol": None,
    "hedge_bps": 0.0,
    "limit_bps": None,
    "stop_atr": None,
    "target_atr": None,
    "commission_bps": 0.0,
    "commission_per_share": 0.0,
    "commission_minimum": 0.0,
    "commission_maximum": None,
    "open_bps": 0.0,
    "close_bps": 0.0,
    "max_gross": None,
    "spread_fraction": 0.0,
    "impact": 0.0,
    "borrow_bps_a_year": 0.0,
}


@pytest.fixture(scope="session")
def rules() -> Callable[..., Rules]:
    """Rules that let everything through, so that a test names only the rule it is about."""

    def with_changes(**changes: Any) -> Rules:
        return Rules(**PERMISSIVE | changes)

    return with_changes
