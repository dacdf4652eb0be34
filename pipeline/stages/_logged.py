"""The configuration of an earlier run, on the store and the machine of here."""

from __future__ import annotations

from typing import Any

from pipeline.io import tracking
from pipeline.settings import Settings

OF_HERE = ("store", "compute", "tracking")
PATHS = ("path", "index_path", "symbols_path", "splits_path")
WITH_NEW_KEYS = ("strategy", "backtest")
"""Sections that a run may have logged before some of their keys existed: they are as here."""


def configuration(settings: Settings, run_id: str) -> dict[str, Any]:
    """What a run was started with; where things lie is as here."""
    content: dict[str, Any] = tracking.config_of(run_id)
    here = settings.model_dump(mode="json", by_alias=True)
    content |= {name: here[name] for name in OF_HERE}
    content["data"] |= {name: here["data"][name] for name in PATHS}
    return content | {name: here[name] | content[name] for name in WITH_NEW_KEYS}
