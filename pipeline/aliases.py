"""Keys of the configuration under their former names, read for one release more.

Commands that people typed, and configurations that earlier runs logged, hold the former names:
the first are translated before Hydra sees them, the second before they are checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

RENAMED: Mapping[str, str] = {
    "model.target.against": "model.target.neutralise",
    "model.least_slope": "model.min_slope",
    "hpo.told_trials": "hpo.recorded_trials",
    "features.session_wide_from_sessions": "features.min_window_for_session_features",
}
"""Key as it was -> key as it is. Only the last part of a key changes."""

BOTH: Mapping[str, tuple[str, ...]] = {
    "strategy.slippage_bps": ("strategy.open_bps", "strategy.close_bps"),
}
"""Key as it was -> the keys that share its value now. A logged configuration may hold either."""

PROPOSED: Mapping[str, str] = {"model.objective": "hpo.objective"}
"""Key of a model's proposal -> the key that decides; a command line that gives the one means it."""

OVERRIDE = re.compile(r"(?P<sign>\+\+|\+|~|)(?P<key>[\w.]+)(?P<value>=.*|)", re.DOTALL)


def renamed_overrides(words: Iterable[str]) -> list[str]:
    """Overrides of a command line with today's keys; flags and other words stay as they are.

    >>> renamed_overrides(["-m", "model.least_slope=0.1,0.2", "model.target={against: [beta_63]}"])
    ['-m', 'model.min_slope=0.1,0.2', 'model.target={neutralise: [beta_63]}']
    >>> renamed_overrides(["model.objective=mae"])
    ['hpo.objective=mae']
    >>> renamed_overrides(["strategy.slippage_bps=2"])
    ['strategy.open_bps=2', 'strategy.close_bps=2']
    """
    return [renamed for word in words for renamed in _of_each(_renamed_override(word))]


def renamed_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as a run logged it, with today's keys; the one given stays as it is.

    Where it holds a key under both names, the former one stays, so that a check refuses it.

    >>> renamed_config({"model": {"least_slope": 0.1}, "seed": 7})
    {'model': {'min_slope': 0.1}, 'seed': 7}
    """
    return _renamed(config, "")


def _renamed_override(word: str) -> str:
    match = OVERRIDE.fullmatch(word)
    if match is None:
        return word
    sign, key, value = match.group("sign", "key", "value")
    for former, current in RENAMED.items():
        if former.startswith(f"{key}."):
            value = _renamed_in_value(value, former.removeprefix(f"{key}."), _last(current))
    return f"{sign}{RENAMED.get(key, PROPOSED.get(key, key))}{value}"


def _of_each(word: str) -> list[str]:
    """The word once for each key that its key stands for."""
    match = OVERRIDE.fullmatch(word)
    if match is None or match["key"] not in BOTH:
        return [word]
    return [f"{match['sign']}{key}{match['value']}" for key in BOTH[match["key"]]]


def _renamed_in_value(value: str, former: str, current: str) -> str:
    """A value like ``={against: []}``; keys of other mappings inside it are left alone."""
    *parents, name = former.split(".")
    before = "".join(rf"\b{parent}\s*:\s*{{[^{{}}]*?" for parent in parents)
    opened = before or r"^={[^{}]*?"
    return re.sub(rf"({opened})\b{name}(\s*:)", rf"\g<1>{current}\g<2>", value)


def _renamed(config: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for name, value in config.items():
        key = f"{prefix}{name}"
        current = _last(RENAMED.get(key, key))
        inner = _renamed(value, f"{key}.") if isinstance(value, Mapping) else value
        renamed[name if current != name and current in config else current] = inner
    return renamed


def _last(key: str) -> str:
    return key.rpartition(".")[2]
