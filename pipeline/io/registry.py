"""The MLflow model registry: versions, aliases, and who moved them why.

``challenger`` is the newest registered version, ``champion`` the deployed one. Nothing but the
alias decides what is deployed: it is read anew at every use, so a move made on the registry page
counts at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException, RestException

from pipeline.errors import NotReady
from pipeline.schemas import MODEL_NAME

CHAMPION = "champion"
CHALLENGER = "challenger"
HISTORY = "champion.history"
AUDIT = "audit"
AUDIT_PASSED = "audit/passed"
"""Tag of a version, and metric of its run, that an audit leaves."""

KEPT_MOVES = 20
"""Moves kept in the registry's tag, whose value may hold 5,000 characters."""


@dataclass(frozen=True)
class Move:
    """One move of `champion`."""

    version: int
    previous: int | None
    reason: str
    forced: bool
    by: str
    at: str
    action: str


def register(model_uri: str, run_id: str, tags: Mapping[str, str]) -> int:
    """Register a logged model as the next version and move `challenger` to it."""
    client = MlflowClient()
    try:
        client.create_registered_model(MODEL_NAME)
    except (MlflowException, RestException) as error:
        if "RESOURCE_ALREADY_EXISTS" not in str(getattr(error, "error_code", error)):
            raise
    version = client.create_model_version(
        MODEL_NAME,
        source=model_uri,
        run_id=run_id,
        tags=dict(tags),
        model_id=model_uri.removeprefix("models:/"),  # a server wants it said
    )
    client.set_registered_model_alias(MODEL_NAME, CHALLENGER, version.version)
    return int(version.version)


def describe(version: int, text: str) -> None:
    """What a person reads on the page of a version."""
    MlflowClient().update_model_version(MODEL_NAME, str(version), text)


def find(model: str | int, *, who: str) -> ModelVersion:
    """The version behind an alias, a version number or a run id.

    Raises
    ------
    NotReady
        When there is no such model.
    """
    name = str(model)
    client = MlflowClient()
    try:
        if name.isdigit():
            return client.get_model_version(MODEL_NAME, name)
        if len(name) == 32 and set(name) <= set("0123456789abcdef"):
            of_run = client.search_model_versions(f"name = '{MODEL_NAME}' and run_id = '{name}'")
            if of_run:
                return of_run[0]
            raise MlflowException(f"no version of run {name}")
        return client.get_model_version_by_alias(MODEL_NAME, name)
    except MlflowException:
        raise NotReady(who, f"no model '{name}' in the registry", _wanted(), _next(name)) from None


def _wanted() -> str:
    listed = ", ".join(str(v.version) for v in versions()[:10]) or "none yet"
    return f"an alias, a version number or a run id; versions: {listed}"


def _next(name: str) -> str:
    has_versions = bool(versions())
    if not has_versions:
        return "mlflow run . -e retrain"
    return "mlflow run . -e promote" if name == CHAMPION else "mlflow run . -e status"


def holder(alias: str) -> ModelVersion | None:
    """The version that holds an alias now, if any."""
    try:
        return MlflowClient().get_model_version_by_alias(MODEL_NAME, alias)
    except MlflowException:
        return None


def versions() -> list[ModelVersion]:
    """All versions, newest first."""
    found = MlflowClient().search_model_versions(f"name = '{MODEL_NAME}'")
    return sorted(found, key=lambda v: -int(v.version))


def history() -> list[Move]:
    """Moves of `champion` made by promote and rollback, oldest first."""
    try:
        tags = MlflowClient().get_registered_model(MODEL_NAME).tags
    except MlflowException:
        return []
    return [Move(**move) for move in json.loads(tags.get(HISTORY, "[]"))]


def moved_by_hand() -> bool:
    """Whether `champion` is not where promote or rollback last put it."""
    now, moves = holder(CHAMPION), history()
    if now is None:
        return bool(moves)
    return not moves or int(now.version) != moves[-1].version


def move_champion(
    version: int,
    *,
    action: str,
    reason: str,
    forced: bool,
    by: str,
    tags: Mapping[str, str] | None = None,
) -> Move:
    """Move `champion`, with its reason on the version and in the model's history."""
    client = MlflowClient()
    before = holder(CHAMPION)
    move = Move(
        version=version,
        previous=int(before.version) if before else None,
        reason=reason[:200],
        forced=forced,
        by=by,
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        action=action,
    )
    client.set_registered_model_alias(MODEL_NAME, CHAMPION, str(version))
    kept = [asdict(m) for m in [*history(), move][-KEPT_MOVES:]]
    client.set_registered_model_tag(MODEL_NAME, HISTORY, json.dumps(kept))
    recorded = {f"champion.{key}": str(value) for key, value in asdict(move).items()}
    for key, value in (recorded | dict(tags or {})).items():
        client.set_model_version_tag(MODEL_NAME, str(version), key, value)
    return move


def record_audit(version: ModelVersion, answer: str, passed: bool) -> None:
    """The answer of an audit as tag of a version, and on the run that its gates look at."""
    client = MlflowClient()
    client.set_model_version_tag(MODEL_NAME, version.version, AUDIT, answer)
    client.log_metric(str(version.run_id), AUDIT_PASSED, float(passed))


def previous_champion(current: int) -> int | None:
    """Who held `champion` before `current`, by the recorded moves."""
    moves = history()
    by_promotion = [m.previous for m in moves if m.version == current and m.action == "promote"]
    if by_promotion:
        return by_promotion[-1]
    others = [m.version for m in moves if m.version != current]
    return others[-1] if others else None


def load(version: ModelVersion) -> Any:
    """The fitted scikit-learn pipeline of a version."""
    return mlflow.sklearn.load_model(f"models:/{MODEL_NAME}/{version.version}")
