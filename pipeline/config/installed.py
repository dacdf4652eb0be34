"""Feature sets of installed packages: own features without a change to this project.

A package names its sets among the entry points of its ``pyproject.toml``, in the group `GROUP`:
``mine = "my_features:definitions"``, where ``definitions`` is a `Definitions`. No setting names
code: only what somebody installed is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from pipeline.errors import InvalidSettings
from pipeline.market.definitions import Feature
from pipeline.market.features import FEATURE_SETS

GROUP = "daytrade.features"


def feature_set(name: str) -> tuple[Feature, ...]:
    """Features of a set, shipped or of an installed package, in the order of the columns.

    Raises
    ------
    InvalidSettings
        No set, or two, of this name, or the package of this one cannot be loaded.
    """
    if name in FEATURE_SETS:
        return FEATURE_SETS[name]
    installed = entry_points(group=GROUP)
    chosen = [each for each in installed if each.name == name]
    if not chosen:
        known = ", ".join([*FEATURE_SETS, *sorted(installed.names)])
        raise InvalidSettings("features", f"no feature set {name!r}", f"one of: {known}")
    if len({each.value for each in chosen}) > 1:
        packages = ", ".join(sorted(_package(each) for each in chosen))
        raise InvalidSettings(
            "features", f"the feature set {name!r} is of {packages}", "one package to define it"
        )
    return _loaded(chosen[0])


def _loaded(entry: EntryPoint) -> tuple[Feature, ...]:
    needed = f"{entry.value} of {_package(entry)} to be features, defined as docs/howto.md shows"
    try:
        features = entry.load()
    except Exception as error:  # whatever a package of somebody else does wrong
        found = f"the feature set {entry.name!r} cannot be loaded: {type(error).__name__}: {error}"
        raise InvalidSettings("features", found, needed) from error
    features = tuple(features) if isinstance(features, Iterable) else ()
    if not features or not all(isinstance(feature, Feature) for feature in features):
        raise InvalidSettings("features", f"{entry.value} holds no features", needed)
    return features


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.module
