"""The MLflow tracking store: prepared once, one run per stage, names as in the run contract."""

from __future__ import annotations

import base64
import contextlib
import getpass
import json
import logging
import os
import re
import socket
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import yaml
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from pipeline.errors import Refused
from pipeline.io import process
from pipeline.io.lock import writer_lock
from pipeline.settings import ROOT

DEFAULT_EXPERIMENT = "0"
PREPARE_SECONDS = 120.0
PROJECT_RUN = os.environ.get("MLFLOW_RUN_ID")
"""The run `mlflow run` opened for this process; start_run() takes it out of the environment."""


def tracking_uri(configured: str | None = None) -> str:
    """The configured URI, else MLFLOW_TRACKING_URI, else ``mlflow.db`` at the project's root."""
    default = f"sqlite:///{ROOT / 'mlflow.db'}"
    return configured or os.environ.get("MLFLOW_TRACKING_URI") or default


def _quiet() -> None:
    """MLflow and Alembic announce every table they create."""
    for name in ("mlflow.store.db.utils", "alembic", "mlflow.tracking.fluent"):
        logging.getLogger(name).setLevel(logging.WARNING)


def prepare(uri: str, experiment_name: str) -> None:
    """Create, name and select the experiment; safe to call at every start.

    A SQLite store gets a write-ahead log, an artifact root that is a path, and its experiment 0
    renamed, because ``mlflow run`` logs into experiment 0 whatever a project wants. Preparing is
    serial: two processes creating the schema at once break it (measured with MLflow 3.17).
    """
    _quiet()
    os.environ["MLFLOW_TRACKING_URI"] = uri
    mlflow.set_tracking_uri(uri)
    if uri.startswith("sqlite:///"):
        _prepare_sqlite(uri, experiment_name)
        os.environ.setdefault("MLFLOW_EXPERIMENT_ID", DEFAULT_EXPERIMENT)
    elif "MLFLOW_EXPERIMENT_ID" not in os.environ:
        experiment = mlflow.set_experiment(experiment_name)
        os.environ["MLFLOW_EXPERIMENT_ID"] = experiment.experiment_id


def _prepare_sqlite(uri: str, experiment_name: str) -> None:
    database = Path(uri.removeprefix("sqlite:///"))
    database.parent.mkdir(parents=True, exist_ok=True)
    lock = database.with_name(f"{database.name}.prepare")
    with writer_lock(lock, "tracking", PREPARE_SECONDS):
        if not database.exists():
            from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

            SqlAlchemyStore(uri, str(database.parent / "mlruns"))
        experiment = MlflowClient(uri).get_experiment(DEFAULT_EXPERIMENT)
        if experiment.artifact_location.startswith("mlflow-artifacts:"):
            raise Refused(
                "tracking",
                f"{database} was created by an MLflow UI, which gave it an artifact address that "
                "only its own server can serve",
                "a store prepared by this project",
                f"mv {database} {database}.ui && python -m pipeline.stages.ui",
            )
        if experiment.name != experiment_name:
            _name_experiment(uri, database, experiment_name)


def _name_experiment(uri: str, database: Path, experiment_name: str) -> None:
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        connection.execute("PRAGMA journal_mode=wal")
    client = MlflowClient(uri)
    client.rename_experiment(DEFAULT_EXPERIMENT, experiment_name)
    for key, value in _experiment_tags().items():
        client.set_experiment_tag(DEFAULT_EXPERIMENT, key, value)


LEADERBOARD = (
    "metrics.`test/rank_ic`",
    "metrics.`test/r2`",
    "metrics.`test/mae`",
    "metrics.`backtest/sharpe`",
    "metrics.`backtest/max_drawdown`",
    "metrics.`backtest/deflated_sharpe`",
    "metrics.`backtest/looks`",
    "params.`model.name`",
    "tags.`verdict`",
    "tags.`data_source`",
    "attributes.`Models`",
)


SWEEPS = (
    "metrics.`backtest/sharpe`",
    "metrics.`backtest/annualized_return`",
    "metrics.`backtest/max_drawdown`",
    "metrics.`backtest/break_even_bps`",
    "params.`backtest.bankroll`",
    "params.`strategy.max_positions`",
    "params.`strategy.slippage_bps`",
)


def _experiment_tags() -> dict[str, str]:
    """A kind, a note and shared views with the columns that matter."""
    note = (
        "Retrains of the open-to-close return. Open **Views > Retrains** for the leaderboard and "
        "**Views > Sweeps** for the settings of swept backtests; filter `tags.stage = 'trial'` for "
        "hyper-parameter trials."
    )
    newest = "attributes.start_time"
    return {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.note.content": note,
        **_view("Retrains", "tags.stage = 'retrain'", newest, LEADERBOARD),
        **_view("Sweeps", "tags.stage = 'sweep child'", SWEEPS[0], SWEEPS),
    }


def _view(name: str, where: str, order: str, columns: Sequence[str]) -> dict[str, str]:
    """A shared view of runs, largest first by what orders them; its key is its name in lower case.

    The format is MLflow's own and undocumented: look at it in the UI after a change of version.
    """
    state = {
        "searchFilter": where,
        "orderByKey": order,
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(columns),
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    now = int(time.time() * 1000)
    view = {"name": name, "createdAt": now, "updatedAt": now, "state": f"deflate;{packed}"}
    return {f"mlflow.sharedViewState.{name.lower()}": json.dumps(view)}


@contextlib.contextmanager
def stage_run(stage: str, tags: Mapping[str, str] | None = None) -> Iterator[mlflow.ActiveRun]:
    """One MLflow run of a stage: adopted from `mlflow run`, nested where one is open.

    The run ends FINISHED, or FAILED with the tag ``verdict`` taken from the error.
    """
    nested = mlflow.active_run() is not None
    with mlflow.start_run(
        run_name=None if PROJECT_RUN and not nested else stage,
        nested=nested,
        log_system_metrics=False,
    ) as run:
        mlflow.set_tags({"stage": stage, MLFLOW_RUN_NAME: stage, **process.tags(), **(tags or {})})
        try:
            yield run
        except BaseException as error:
            mlflow.set_tags(
                {
                    "verdict": getattr(error, "verdict", "fault"),
                    "mlflow.note.content": f"**{type(error).__name__}**\n\n```\n{error}\n```",
                }
            )
            raise
        tagged = mlflow.get_run(run.info.run_id).data.tags
        if "verdict" not in tagged:
            mlflow.set_tag("verdict", "done")


def metric_name(*parts: str) -> str:
    """A metric's name of these parts, what MLflow does not take in one left out.

    >>> metric_name("ingest/quarantined", "row given twice, kept once (5%)")
    'ingest/quarantined/row given twice kept once 5'
    """
    return "/".join(re.sub(r"[^\w\-. :]", "", part) if i else part for i, part in enumerate(parts))


def log_settings(settings: Mapping[str, Any], sections: Sequence[str]) -> None:
    """The sections as flat parameters, to sort, filter and compare by."""
    flat = {key: value for name in sections for key, value in _flat(name, settings[name])}
    recorded = mlflow.get_run(current_run_id()).data.params
    mlflow.log_params({key: value for key, value in flat.items() if key not in recorded})


def log_config(settings: Mapping[str, Any]) -> None:
    """The whole configuration a run was started with, as ``config.yaml``.

    In its own order: a search draws its parameters in the order of their space.
    """
    mlflow.log_text(yaml.safe_dump(dict(settings), sort_keys=False), "config.yaml")


def config_of(run_id: str) -> dict[str, Any]:
    """The configuration that `log_config` kept with a run."""
    text = mlflow.artifacts.load_text(f"runs:/{run_id}/config.yaml")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}", inner)
    else:
        yield prefix, value


def current_run_id() -> str:
    """Id of the open run."""
    run = mlflow.active_run()
    assert run is not None, "logging needs an open run"
    return str(run.info.run_id)


@contextlib.contextmanager
def timed(step: str) -> Iterator[None]:
    """Log the wall time of a block as ``time/<step>_seconds``."""
    started = time.perf_counter()
    yield
    mlflow.log_metric(f"time/{step}_seconds", time.perf_counter() - started)


def log_steps(series: Mapping[str, pd.Series]) -> None:
    """Step metrics, one point a session: step = number of the session, time = the session."""
    metrics = [
        Metric(name, float(value), int(pd.Timestamp(str(session)).timestamp() * 1000), step)
        for name, values in series.items()
        for step, (session, value) in enumerate(values.items())
    ]
    for start in range(0, len(metrics), 1000):
        MlflowClient().log_batch(current_run_id(), metrics=metrics[start : start + 1000])


def log_dataset(source: str, digest: str, context: str) -> None:
    """A dataset input by our own digest: MLflow's stops at row 10,000 and skips dates."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    origin = CodeDatasetSource(tags={"data_source": source})
    dataset = MetaDataset(origin, name=f"{source}-{context}", digest=digest)
    mlflow.log_input(dataset, context=context)


def log_table(frame: pd.DataFrame, name: str) -> None:
    """A frame as ``<name>.csv`` and as a table MLflow's UI can show and compare."""
    mlflow.log_text(frame.to_csv(index=False), f"{name}.csv")
    shown = frame.astype(dict.fromkeys(frame.select_dtypes("datetime").columns, str))
    mlflow.log_table(shown.head(2000), f"{name}.json")


def log_child(
    name: str,
    *,
    parent: str,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    steps: Sequence[Mapping[str, float]] = (),
    tags: Mapping[str, str],
    seconds: float,
    failed: bool = False,
) -> str:
    """A finished nested run in two requests; returns its id. Fold metrics are steps."""
    client = MlflowClient()
    ended = int(time.time() * 1000)
    started = ended - int(seconds * 1000)
    owner = {
        "mlflow.user": _user(),
        "mlflow.source.name": "pipeline",
        "mlflow.source.type": "LOCAL",
    }
    run = client.create_run(
        os.environ["MLFLOW_EXPERIMENT_ID"],
        start_time=started,
        run_name=name,
        tags={MLFLOW_PARENT_RUN_ID: parent, **owner, **tags},
    )
    rows = [Metric(key, float(value), ended, 0) for key, value in metrics.items()]
    rows += [
        Metric(key, float(value), ended, step)
        for step, fold in enumerate(steps)
        for key, value in fold.items()
    ]
    client.log_batch(
        run.info.run_id,
        metrics=rows,
        params=[Param(key, str(value)) for key, value in params.items()],
        tags=[RunTag("duration_seconds", f"{seconds:.3f}")],
    )
    client.set_terminated(run.info.run_id, "FAILED" if failed else "FINISHED", end_time=ended)
    return str(run.info.run_id)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def runs(filter_string: str, *, newest: int = 1000) -> list[mlflow.entities.Run]:
    """Runs of the project's experiment, newest first."""
    found: list[mlflow.entities.Run] = []
    token = None
    client = MlflowClient()
    experiment = [os.environ.get("MLFLOW_EXPERIMENT_ID", DEFAULT_EXPERIMENT)]
    while len(found) < newest:
        page = client.search_runs(
            experiment,
            filter_string,
            max_results=min(newest, 1000),
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        found += page
        token = page.token
        if not token:
            break
    return found


def close_dead_runs() -> list[str]:
    """Mark runs left RUNNING by dead processes of this host as KILLED; returns their ids."""
    dead = [
        run.info.run_id
        for run in runs("attributes.status = 'RUNNING'")
        if run.data.tags.get("process.host") == socket.gethostname()
        and not process.alive(run.data.tags)
    ]
    for run_id in dead:
        MlflowClient().set_terminated(run_id, "KILLED")
    return dead
