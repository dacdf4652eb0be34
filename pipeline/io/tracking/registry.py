"""The MLflow model registry: versions and aliases; who moved `champion` why is in `champion`.

``challenger`` is the newest registered version, ``champion`` the deployed one. Nothing but the
alias decides what is deployed: it is read anew at every use, so a move made on the registry page
counts at once.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

from pipeline.commands import Command
from pipeline.contract import Aliases, Metrics, Tags
from pipeline.errors import NotReady
from pipeline.io.lock import writer_lock
from pipeline.paths import ARTIFACTS
from pipeline.schemas import MODEL_NAME

LOCK_SECONDS = 120.0
CHALLENGER_INTENT = "challenger.intent"
"""Tag of a version that the alias was not moved to yet."""

NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What MLflow answers where there is no model, version or alias."""


@contextmanager
def alone(who: str) -> Iterator[None]:
    """Change the registry as the only process of this machine. Not re-entrant.

    Raises
    ------
    StoreLocked
        Another process kept changing it.
    """
    uri = mlflow.get_tracking_uri()
    beside = Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None
    lock = beside.with_name(f"{beside.name}.registry") if beside else ARTIFACTS / "registry.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with writer_lock(lock, who, LOCK_SECONDS):
        yield


def next_version() -> int:
    """The number that `register` gives, for who holds the lock: numbers are not used again."""
    try:
        latest = MlflowClient().search_model_versions(
            f"name = '{MODEL_NAME}'", max_results=1, order_by=["version_number DESC"]
        )
    except MlflowException:
        return 1
    return int(latest[0].version) + 1 if latest else 1


def register(model_uri: str, run_id: str, tags: Mapping[str, str], text: str = "") -> int:
    """Register a logged model as the next version, whole, and move `challenger` to it.

    Parameters
    ----------
    text
        What a person reads on its page.

    Notes
    -----
    The version, its tags and its text are one step of MLflow. A kill before the alias is moved is
    made good by `settle_challenger`.
    """
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
        tags={**tags, CHALLENGER_INTENT: "true"},
        description=text,
        model_id=model_uri.removeprefix("models:/"),  # a server wants it said
    )
    _make_challenger(version)
    return int(version.version)


def settle_challenger() -> None:
    """Move `challenger` to the newest version, where a kill came before."""
    newest = versions()[:1]
    if newest and CHALLENGER_INTENT in newest[0].tags:
        _make_challenger(newest[0])


def _make_challenger(version: ModelVersion) -> None:
    client = MlflowClient()
    client.set_registered_model_alias(MODEL_NAME, Aliases.CHALLENGER, version.version)
    client.delete_model_version_tag(MODEL_NAME, version.version, CHALLENGER_INTENT)


def recipe_overrides(version: ModelVersion) -> tuple[str, ...]:
    """The overrides that the retrain of a version was started with."""
    return tuple(shlex.split(version.tags.get(Tags.OVERRIDES, "")))


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
            raise MlflowException(f"no version of run {name}", RESOURCE_DOES_NOT_EXIST)
        return client.get_model_version_by_alias(MODEL_NAME, name)
    except MlflowException as error:
        if error.error_code not in NOT_THERE:
            raise
        raise NotReady(who, f"no model '{name}' in the registry", _wanted(), _next(name)) from None


def _wanted() -> str:
    listed = ", ".join(str(v.version) for v in versions()[:10]) or "none yet"
    return f"an alias, a version number or a run id; versions: {listed}"


def _next(name: str) -> Command:
    if not versions():
        return Command("retrain")
    if name != Aliases.CHAMPION:
        return Command("status")
    was_held = Tags.CHAMPION_HISTORY in MlflowClient().get_registered_model(MODEL_NAME).tags
    return Command("rollback" if was_held else "promote")


def holder(alias: str) -> ModelVersion | None:
    """The version that holds an alias now, if any."""
    try:
        return MlflowClient().get_model_version_by_alias(MODEL_NAME, alias)
    except MlflowException as error:
        if error.error_code in NOT_THERE:
            return None
        raise  # a server that is silent is not a registry without the alias


def versions() -> list[ModelVersion]:
    """All versions, newest first."""
    found = MlflowClient().search_model_versions(f"name = '{MODEL_NAME}'")
    return sorted(found, key=lambda v: -int(v.version))


def record_audit(version: ModelVersion, answer: str, passed: bool) -> None:
    """The answer of an audit as tag of a version, and on the run that its gates look at."""
    client = MlflowClient()
    client.set_model_version_tag(MODEL_NAME, version.version, Tags.AUDIT, answer)
    client.log_metric(str(version.run_id), Metrics.AUDIT_PASSED, float(passed))
