"""Entries of the forecast ledger; a test names what it is about."""

from __future__ import annotations

from typing import Any

from pipeline.monitor.chain import Evening


def evening(**changes: Any) -> Evening:
    plain = {
        "session": "2024-05-01",
        "model": "1",
        "role": "champion",
        "kind": "live",
        "unseen": True,
        "made_at": "2024-05-01T01:00:00Z",
        "data_until": "2024-04-30",
        "revision": "r",
        "digest": "d",
        "state": "traded",
        "rules": "{}",
        "bankroll": 100_000.0,
        "orders": "[]",
    }
    return Evening(**plain | changes)
