"""The rules that a version's recipe was evidenced with, as its run recorded them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from pipeline.contract import Artifacts
from pipeline.io.tracking import run_files
from pipeline.io.tracking.values import ModelVersion
from pipeline.trading.rules import ONE_SLIPPAGE, Rules

RECORDED = {*Rules.model_fields, ONE_SLIPPAGE}


def recorded_content(version: ModelVersion) -> Mapping[str, Any]:
    """``recipe.json`` of a version's run; empty where there is none."""
    text = run_files.read_text(str(version.run_id), Artifacts.RECIPE)
    content: dict[str, Any] = {} if text is None else json.loads(text)
    return content


def recorded_rules(version: ModelVersion, otherwise: Rules) -> Rules:
    """The rules of a version's recipe.

    Parameters
    ----------
    otherwise
        Where none are recorded; and what an older release did not know is as here.
    """
    recorded = recorded_content(version).get("rules", {})
    known = {name: value for name, value in recorded.items() if name in RECORDED}
    try:
        return otherwise.changed(**known)
    except ValidationError:
        return otherwise
