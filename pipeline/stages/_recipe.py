"""What decides a model before it sees data, and the hash that ties its runs together."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipeline.errors import InvalidSettings
from pipeline.market.definitions import Feature
from pipeline.market.features import FEATURE_SETS, feature_set_hash
from pipeline.market.fingerprints import MAKERS, fingerprint
from pipeline.market.labels import labels
from pipeline.schemas import SESSIONS_A_YEAR
from pipeline.settings import Settings, Traded
from pipeline.trading.rules import Rules


def feature_set(settings: Settings) -> tuple[Feature, ...]:
    """All features of the chosen set: what snapshots hold."""
    name = settings.features.name
    if name not in FEATURE_SETS:
        known = ", ".join(FEATURE_SETS)
        raise InvalidSettings("features", f"no feature set {name!r}", f"one of: {known}")
    return FEATURE_SETS[name]


def feature_hashes(settings: Settings) -> dict[str, str]:
    """What makes each feature of the chosen set, by its name: its code, and how regimes are told.

    It is what a model records of the features it uses.
    """
    features, rules = feature_set(settings), regime_rules(settings)
    return {f.name: f"{f.hash} {rules}" if "regimes" in f.reads else f.hash for f in features}


def regime_rules(settings: Settings) -> str:
    """12 hex digits over the limits by which regimes are told."""
    limits = settings.regimes.model_dump_json(exclude={"days"})
    return hashlib.sha256(limits.encode()).hexdigest()[:12]


def indicators_made_by() -> dict[str, str]:
    """What indicators are made by: another code makes all of them anew."""
    return {"code": fingerprint(MAKERS["indicators"])}


def labels_made_by() -> dict[str, str]:
    """What labels are made by: another code makes all of them anew."""
    return {"code": fingerprint((labels,))}


def regimes_made_by(settings: Settings, index: str) -> dict[str, str]:
    """What regimes are made by: code, limits and index."""
    code = fingerprint(MAKERS["regimes"])
    return {"code": code, "rules": regime_rules(settings), "index": index}


def learned_features(settings: Settings) -> tuple[Feature, ...]:
    """The features a model learns from.

    Columns equal for all symbols of a session hold one independent value per session: they are
    left out of windows too short to learn from those.
    """
    wide_enough = window_sessions(settings) >= settings.features.session_wide_from_sessions
    features = feature_set(settings)
    return tuple(f for f in features if wide_enough or f.kind != "session")


def learned_hashes(settings: Settings) -> dict[str, str]:
    """Those of `feature_hashes` that a model learns from, in their order."""
    hashes = feature_hashes(settings)
    return {feature.name: hashes[feature.name] for feature in learned_features(settings)}


def window_sessions(settings: Settings) -> int:
    """Expected sessions of the development window: known without looking at data."""
    asked = settings.retrain
    days = asked.window_days
    if asked.start and asked.end and settings.evaluation.name == "holdout":
        days = (asked.end - asked.start).days - asked.holdout_days
    return round(days * SESSIONS_A_YEAR / 365)


def recipe(settings: Settings) -> dict[str, Any]:
    """Features, target, model and space, budget, window, folds, strategy and seed."""
    content = settings.model_dump(mode="json", by_alias=True)
    content["hpo"].pop("told_trials")  # a repeated search is the same recipe
    return {
        "features": learned_hashes(settings),
        "rows": row_selection(settings),
        "model": content["model"],
        "hpo": content["hpo"],
        "cv": content["cv"],
        "strategy": content["strategy"],
        "window_sessions": "all" if settings.retrain.expanding else window_sessions(settings),
        "seed": settings.seed,
    }


def recipe_hash(settings: Settings) -> str:
    """12 hex digits over the recipe."""
    canonical = json.dumps(recipe(settings), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def row_selection(settings: Settings) -> dict[str, Any]:
    """Which symbols get a row in a session, by what is known before it opens."""
    return settings.features.model_dump(include={"min_history", "min_price", "min_dollar_volume"})


def feature_version(settings: Settings) -> str:
    """12 hex digits over all features of the set and the selection of rows.

    It names the folder of the snapshots: neither two definitions nor two selections ever mix.
    """
    selection = json.dumps(row_selection(settings), sort_keys=True)
    content = f"{feature_set_hash(feature_hashes(settings))} {selection}"
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def rules(settings: Settings | Traded) -> Rules:
    """The strategy's rules, with the backtest's number of positions."""
    chosen = settings.strategy.model_dump(exclude={"name"})
    return Rules(**{**chosen, "max_positions": settings.backtest.max_positions})
