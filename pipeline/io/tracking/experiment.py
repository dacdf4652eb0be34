"""The MLflow tracking store: where it is, prepared once, with views of the columns that matter."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage

from pipeline.commands import Command
from pipeline.errors import NotReady, Refused
from pipeline.io.lock import writer_lock
from pipeline.io.tracking import local_store, outside
from pipeline.io.tracking.views import experiment_tags
from pipeline.paths import ROOT
from pipeline.secrets import masked

DEFAULT_EXPERIMENT = "0"
PREPARE_SECONDS = 120.0
EXPERIMENT_ID = "MLFLOW_EXPERIMENT_ID"
SQLITE = "sqlite:///"
"""Start of the address of a store in a file."""


def tracking_uri(configured: str | None = None, *, server: bool = False) -> str:
    """The configured URI, else MLFLOW_TRACKING_URI, else ``mlflow.db`` at the project's root.

    Parameters
    ----------
    server
        Only the address of a server will do.

    Raises
    ------
    NotReady
        A server is configured, and the address is none of one.
    """
    chosen = configured or os.environ.get("MLFLOW_TRACKING_URI")
    if server and not (chosen or "").startswith(("http://", "https://")):
        found = f"the address {masked(chosen)} is none of a server" if chosen else "no address"
        raise NotReady(
            "tracking", f"tracking=server has {found}",
            "MLFLOW_TRACKING_URI=http://HOST:PORT exported, or tracking.uri=http://HOST:PORT",
            Command("status"),
        )  # fmt: skip
    return chosen or f"{SQLITE}{ROOT / 'mlflow.db'}"


def _quiet() -> None:
    """MLflow and Alembic announce every table they create, and log what they raise as well."""
    for name in ("alembic", "mlflow.tracking.fluent"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def prepare(uri: str, experiment_name: str) -> None:
    """Create, name and select the experiment; safe to call at every start.

    A SQLite store gets a write-ahead log, an artifact root that is a path, and its experiment 0
    renamed, because ``mlflow run`` logs into experiment 0 whatever a project wants. Preparing is
    serial: two processes creating the schema at once break it (measured with MLflow 3.17).

    Raises
    ------
    NotReady
        A server does not answer, see `outside.require_answer`.
    Refused
        The experiment was deleted, or an MLflow UI made the store before this project did.
    """
    _quiet()
    outside.ignore_experiment_of_shell(experiment_name)
    outside.require_answer(uri)
    os.environ["MLFLOW_TRACKING_URI"] = uri
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow.set_tracking_uri(uri)
    if uri.startswith(SQLITE):
        _prepare_sqlite(uri, experiment_name)
        os.environ.setdefault(EXPERIMENT_ID, DEFAULT_EXPERIMENT)
    elif EXPERIMENT_ID not in os.environ:
        experiment = mlflow.set_experiment(experiment_name)
        os.environ[EXPERIMENT_ID] = experiment.experiment_id


def make_ready(uri: str, experiment_name: str) -> None:
    """Make, mend or bring along the store in a file, before anybody opens it.

    Parameters
    ----------
    experiment_name
        Of a new store's experiment 0; another store's keeps its name.
    """
    _quiet()
    with _preparing(uri) as database:
        local_store.ensure(database, experiment_name, _tags(database), PREPARE_SECONDS)
        local_store.bring_along(database)


@contextlib.contextmanager
def _preparing(uri: str) -> Iterator[Path]:
    """The file of a store, for one process at a time."""
    database = Path(uri.removeprefix(SQLITE)).absolute()
    database.parent.mkdir(parents=True, exist_ok=True)
    lock = database.with_name(f"{database.name}.prepare")
    with writer_lock(lock, "tracking", PREPARE_SECONDS):
        yield database


def _tags(database: Path) -> dict[str, str]:
    return {local_store.HOME: str(database.parent.resolve()), **experiment_tags()}


def _prepare_sqlite(uri: str, experiment_name: str) -> None:
    with _preparing(uri) as database:
        tags = _tags(database)
        local_store.ensure(database, experiment_name, tags, PREPARE_SECONDS)
        local_store.bring_along(database)
        experiment = MlflowClient(uri).get_experiment(DEFAULT_EXPERIMENT)
        if experiment.artifact_location.startswith("mlflow-artifacts:"):
            raise Refused(
                "tracking",
                f"{database} was created by an MLflow UI, which gave it an artifact address that "
                "only its own server can serve",
                "a store prepared by this project",
                (shlex.join(["mv", str(database), f"{database}.ui"]), Command("ui")),
            )
        if experiment.lifecycle_stage == LifecycleStage.DELETED:
            raise Refused(
                "tracking",
                f"the experiment {experiment.name!r} of {database} was deleted",
                "the experiment restored",
                f"mlflow experiments restore --experiment-id {DEFAULT_EXPERIMENT}",
            )
        if experiment.name != experiment_name or local_store.HOME not in experiment.tags:
            _name_experiment(uri, database, experiment_name, tags)


def _name_experiment(uri: str, database: Path, name: str, tags: Mapping[str, str]) -> None:
    """Give the experiment of a store that MLflow's own command made its name, last of all."""
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        connection.execute("PRAGMA journal_mode=wal")
    client = MlflowClient(uri)
    for key, value in tags.items():
        client.set_experiment_tag(DEFAULT_EXPERIMENT, key, value)
    if client.get_experiment(DEFAULT_EXPERIMENT).name != name:
        client.rename_experiment(DEFAULT_EXPERIMENT, name)
