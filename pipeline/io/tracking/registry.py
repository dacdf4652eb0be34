"""The MLflow model registry: versions and aliases; who moved `champion` why is in `champion`.

``challenger`` is the version of the newest retrain that was meant to be one, ``champion`` the
deployed one. Nothing but the alias decides what is deployed: it is read at every use, so a
move made on the registry page counts at once.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

from pipeline.commands import Command
from pipeline.contract import Aliases, Metrics, Tags
from pipeline.errors import NotReady
from pipeline.io.lock import writer_lock
from pipeline.io.tracking import registered
from pipeline.io.tracking.outside import RESTORE_RUN
from pipeline.io.tracking.values import ModelVersion
from pipeline.paths import ARTIFACTS

LOCK_SECONDS = 120.0
OF_A_PLACE = ("store.", "store=", "tracking.", "compute.", "compute=")
"""Starts of overrides that say where things lie: a copied project has a store of its own."""


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


def recipe_overrides(version: ModelVersion) -> tuple[str, ...]:
    """The overrides that the retrain of a version was started with, but for where things lie."""
    words = shlex.split(version.tags.get(Tags.OVERRIDES, ""))
    return tuple(word for word in words if not word.lstrip("+").startswith(OF_A_PLACE))


def describe(version: int | str, text: str) -> None:
    """What a person reads on the page of a version."""
    MlflowClient().update_model_version(registered.name(), str(version), text)


def find(model: str | int, *, who: str) -> ModelVersion:
    """The version behind an alias, a version number or a run id.

    Raises
    ------
    NotReady
        When there is no such model, or its run was deleted or is gone.
    """
    version = _find(str(model), who)
    if version.run_id and active_run(version, who) is None:
        raise NotReady(
            who,
            f"the run {version.run_id} of version {version.version} is gone",
            "a backup of MLflow's database and of mlruns put back, or another version",
            Command("rollback") if model == Aliases.CHAMPION else Command("retrain"),
        )
    return version


def active_run(version: ModelVersion, who: str) -> Run | None:
    """The run of a version; None of one that has none, or whose run is gone for good.

    Raises
    ------
    NotReady
        It was deleted: its files go with the next `mlflow gc`.
    """
    try:
        run = MlflowClient().get_run(version.run_id) if version.run_id else None
    except MlflowException as error:
        if registered.is_absent(error):
            return None
        raise
    if run is not None and run.info.lifecycle_stage == LifecycleStage.DELETED:
        found = f"the run {version.run_id} of version {version.version} was deleted"
        raise NotReady(who, found, "the run restored", RESTORE_RUN.format(version.run_id))
    return run


def _find(name: str, who: str) -> ModelVersion:
    client = MlflowClient()
    try:
        if name.isdigit():
            return ModelVersion.of(client.get_model_version(registered.name(), name))
        if len(name) == 32 and set(name) <= set("0123456789abcdef"):
            of_run = client.search_model_versions(
                f"name = '{registered.name()}' and run_id = '{name}'"
            )
            if of_run:
                return ModelVersion.of(of_run[0])
            raise MlflowException(f"no version of run {name}", RESOURCE_DOES_NOT_EXIST)
        return ModelVersion.of(client.get_model_version_by_alias(registered.name(), name))
    except MlflowException as error:
        if not registered.is_absent(error):
            raise
        raise _absent(name, who) from None


def _absent(name: str, who: str) -> NotReady:
    existing = [int(version.version) for version in versions()]
    listed = ", ".join(map(str, existing[:10])) or "none yet"
    found = f"no model '{name}' in the registry"
    needed = f"an alias, a version number or a run id; versions of {registered.name()}: {listed}"
    promoted = Command("promote")
    if existing and holder(Aliases.CHALLENGER) is None:
        promoted = Command("promote", f"promote.version={existing[0]}")
    following = Command("status")
    if name == Aliases.CHAMPION:
        held = _champions()
        following = Command("rollback") if set(held) & set(existing) else promoted
        if held and held[-1] not in existing:
            found = f"version {held[-1]} of {registered.name()}, the champion, was deleted"
            needed = (
                f"a backup of MLflow's database put back, or another champion; versions: {listed}"
            )
    elif name == Aliases.CHALLENGER and who == "promote":
        following = promoted
    return NotReady(who, found, needed, following if existing else Command("retrain"))


def _champions() -> list[int]:
    """Versions that held `champion`, oldest first, as the model's history says."""
    try:
        tags = MlflowClient().get_registered_model(registered.name()).tags
        moves = json.loads(tags.get(Tags.CHAMPION_HISTORY, "[]"))
        return [int(move["version"]) for move in moves if move["version"] is not None]
    except (MlflowException, ValueError, TypeError, KeyError):
        return []  # no model, or a damaged history, which the next move makes again


def holder(alias: str) -> ModelVersion | None:
    """The version that holds an alias now, if any."""
    try:
        return ModelVersion.of(MlflowClient().get_model_version_by_alias(registered.name(), alias))
    except MlflowException as error:
        if registered.is_absent(error):
            return None
        raise  # a server that is silent is not a registry without the alias


def versions() -> list[ModelVersion]:
    """All versions, newest first."""
    listed = MlflowClient().search_model_versions(f"name = '{registered.name()}'")
    return sorted(map(ModelVersion.of, listed), key=lambda v: -int(v.version))


def record_audit(version: ModelVersion, answer: str, passed: bool) -> None:
    """The answer of an audit as tag of a version, and on the run that its gates look at."""
    client = MlflowClient()
    client.set_model_version_tag(registered.name(), version.version, Tags.AUDIT, answer)
    client.log_metric(str(version.run_id), Metrics.AUDIT_PASSED, float(passed))
