"""Faults of a configuration, each once and with its key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from pipeline.commands import Command
from pipeline.config.store_sections import POSTGRES, SQLITE
from pipeline.errors import Fault, InvalidSettings
from pipeline.learning.search.plan import EACH_BY_NAME, ONE_FOR_ALL
from pipeline.learning.splits import COMBINATORIAL, WALK_FORWARD
from pipeline.secrets import masked

UNION_TAGS = {
    ONE_FOR_ALL,
    EACH_BY_NAME,
    WALK_FORWARD,
    COMBINATORIAL,
    SQLITE,
    POSTGRES,
    "evening",
    "indicated_open",
    "sample",
    "files",
    "yfinance",
}
"""Parts of a fault's place that pydantic adds, which are no keys."""


def invalid(faults: Iterable[Fault]) -> InvalidSettings:
    """One error for all faults of a configuration."""
    unique = list(dict.fromkeys(faults))
    listed = "".join(f"\n    - {fault}" for fault in unique)
    many = f"{len(unique)} fault{'s' if len(unique) > 1 else ''} in the configuration{listed}"
    show = Command("status", "--cfg", "job")
    return InvalidSettings("settings", many, "values as described in conf/", show, faults=unique)


def faults_of(error: ValidationError) -> list[Fault]:
    """Every fault, with its key.

    A value that keys of other sections are made of, such as start_date, is one fault, named once;
    two gates with the same wrong operator are two.
    """
    sections: dict[object, object] = {}
    faults = []
    for detail in error.errors():
        key, section = (repr(detail["input"]), detail["msg"]), detail["loc"][:1]
        if detail["type"] == "missing" or sections.setdefault(key, section) == section:
            faults.append(_fault(detail))
    return faults


def _fault(detail: Mapping[str, Any]) -> Fault:
    key = ".".join(str(part) for part in detail["loc"] if part not in UNION_TAGS) or "configuration"
    given = detail["input"]
    got = "" if isinstance(given, Mapping) else masked(f"got {given!r}")
    return Fault(key, got, masked(detail["msg"]))
