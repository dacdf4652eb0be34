"""The configuration of an earlier run, on the store and the machine of here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.aliases import renamed_config
from pipeline.config.settings import Settings

OF_HERE = ("store", "compute", "tracking", "registry", "monitor")
PATHS = ("path", "index_path", "symbols_path", "splits_path")
WITH_NEW_KEYS = ("strategy", "backtest", "signals", "status", "audit")
"""Sections that a run may have logged before some of their keys existed: they are as here."""

Content = dict[str, Any]


def logged_config(settings: Settings, logged: Mapping[str, Any]) -> Content:
    """What a run was started with; where things lie is as here.

    Parameters
    ----------
    logged
        The run's ``config.yaml``, also one with the keys of an older release.
    """
    content: Content = renamed_config(logged)
    here = settings.content
    content |= {name: here[name] for name in OF_HERE}
    content["data"] |= {name: here["data"][name] for name in PATHS if name in here["data"]}
    content.setdefault("decision", {"name": "evening"})
    later = {name: value for name, value in here.items() if name not in content}  # new since
    return later | content | {name: here[name] | content[name] for name in WITH_NEW_KEYS}


def for_reproduction(
    settings: Settings,
    logged: Mapping[str, Any],
    last: str,
    recorded_trials: Mapping[str, int] | None,
) -> Settings:
    """A run's own settings, its sessions pinned.

    Parameters
    ----------
    last
        Its last session out of sample.
    recorded_trials
        Trials of each learner, of a search that its time budget ended.
    """
    content = logged_config(settings, logged)
    content["reproduce"] = settings.content["reproduce"]
    content["retrain"]["end"] = last
    if recorded_trials is not None:
        content["hpo"]["recorded_trials"] = recorded_trials
    return Settings.from_config(content)


def for_refits(settings: Settings, logged: Mapping[str, Any]) -> Settings:
    """A version's own settings, over the sessions and by the refit dates requested here."""
    content, here = logged_config(settings, logged), settings.content
    window = content["retrain"]
    if window["start"] and window["end"] and content["evaluation"]["name"] == "holdout":
        first, last = (pd.Timestamp(window[name]) for name in ("start", "end"))
        window["window_days"] = (last - first).days - window["holdout_days"]
    content["retrain"] = window | {"start": None, "end": here["backtest"]["end"]}
    content["evaluation"] = here["evaluation"] | {"start": None, "learning_curve": []}
    return Settings.from_config(content)
