"""Runs of MLflow: one a stage, what it logs, and how earlier ones are found."""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import mlflow
import pandas as pd
import yaml
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.utils.mlflow_tags import (
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
)

from pipeline import commands
from pipeline.cells import csv_text
from pipeline.commands import RUN_ID
from pipeline.contract import Artifacts, Metrics, Tags, Verdicts
from pipeline.io import process, terminal
from pipeline.io.cluster import jobs
from pipeline.io.tracking import later, run_files, uploads
from pipeline.io.tracking.experiment import DEFAULT_EXPERIMENT, EXPERIMENT_ID
from pipeline.io.tracking.run_files import log_frame as log_frame
from pipeline.io.tracking.run_files import read_frame as read_frame
from pipeline.secrets import masked, masked_values

PROJECT_RUN = os.environ.get(RUN_ID)
"""The run `mlflow run` opened for this process; start_run() takes it out of the environment."""

ROUTINES = ("ingest", "indicators", "regimes", "features", "labels", "status")
"""Stages whose runs nobody compares."""


@contextlib.contextmanager
def stage_run(stage: str, tags: Mapping[str, str] | None = None) -> Iterator[mlflow.ActiveRun]:
    """One MLflow run of a stage: adopted from `mlflow run`, nested where one is open or in a sweep.

    The run ends FINISHED, KILLED where a person interrupts it, or FAILED with the tag ``verdict``
    taken from the error.
    """
    nested = mlflow.active_run() is not None
    sweep = None if nested else jobs.sweep_run()
    with (
        mlflow.start_run(
            run_name=None if PROJECT_RUN and not nested else stage,
            nested=nested,
            log_system_metrics=False,
        ) as run,
        later.written_last(str(run.info.run_id)),
        uploads.sent_meanwhile(run),
    ):
        mlflow.set_tags(
            {
                Tags.STAGE: stage,
                MLFLOW_RUN_NAME: stage,
                Tags.OVERRIDES: shlex.join(commands.given())[:5000],
                **({Tags.ROUTINE: "true"} if stage in ROUTINES else {}),
                **process.tags(),
                **({MLFLOW_PARENT_RUN_ID: sweep} if sweep else {}),
                **(tags or {}),
            }
        )
        try:
            yield run
            run_files.record_digests(run.info.run_id)
        except BaseException as error:
            with contextlib.suppress(Exception):  # the error itself is what counts
                _explain(error)
            if isinstance(error, KeyboardInterrupt):
                mlflow.end_run("KILLED")  # left open, MLflow would call it FAILED
            raise
        tagged = mlflow.get_run(run.info.run_id).data.tags
        if Tags.VERDICT not in tagged:
            mlflow.set_tag(Tags.VERDICT, Verdicts.DONE)


def _explain(error: BaseException) -> None:
    """Why the open run ends before its time."""
    if isinstance(error, KeyboardInterrupt):
        verdict, note = Verdicts.INTERRUPTED, "The same command goes on."
    else:
        verdict = getattr(error, "verdict", "fault")
        note = masked(f"**{type(error).__name__}**\n\n```\n{error}\n```")
    mlflow.set_tags({Tags.VERDICT: verdict, Tags.NOTE: note})


def set_tag(name: str, value: str) -> None:
    """A tag of the open run."""
    mlflow.set_tag(name, value)


def tags_of(run_id: str) -> dict[str, str]:
    """Tags of a run."""
    return dict(mlflow.get_run(run_id).data.tags)


def log_settings(settings: Mapping[str, Any], sections: Iterable[str] | None = None) -> None:
    """Sections of a configuration, by default all, as flat parameters to sort and compare by.

    What is None says nothing and is left out; the whole configuration is an artifact.
    """
    names = settings if sections is None else sections
    flat = {
        key: value for name in names for key, value in _flat(name, masked_values(settings[name]))
    }
    recorded = mlflow.get_run(current_run_id()).data.params
    mlflow.log_params(
        {k: value for k, value in flat.items() if k not in recorded and value is not None}
    )


def log_config(settings: Mapping[str, Any]) -> None:
    """The whole configuration a run was started with, as ``config.yaml``.

    In its own order: a search draws its parameters in the order of their space.
    """
    run_files.log_text(yaml.safe_dump(masked_values(settings), sort_keys=False), Artifacts.CONFIG)


def config_of(run_id: str) -> dict[str, Any]:
    """The configuration that `log_config` kept with a run.

    Raises
    ------
    Damaged
        It is not as it was written, or gone.
    """
    text = run_files.read_text(run_id, Artifacts.CONFIG)
    if text is None:
        raise run_files.gone(mlflow.get_run(run_id), Artifacts.CONFIG)
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
    with terminal.task(step):
        yield
    later.log_later({f"{Metrics.TIME}{step}_seconds": time.perf_counter() - started})


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

    origin = CodeDatasetSource(tags={Tags.DATA_SOURCE: source})
    dataset = MetaDataset(origin, name=f"{source}-{context}", digest=digest)
    mlflow.log_input(dataset, context=context)


def log_table(frame: pd.DataFrame, name: str) -> None:
    """A frame as ``<name>.csv``, which a spreadsheet opens and MLflow's UI shows.

    Parameters
    ----------
    frame
        Any columns, without its index; a row a line.
    name
        Of ``Tables``.
    """
    run_files.log_text(csv_text(frame), f"{name}.csv")


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
        "mlflow.user": process.user(),
        "mlflow.source.name": "pipeline",
        "mlflow.source.type": "LOCAL",
    }
    run = client.create_run(
        os.environ[EXPERIMENT_ID],
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
        tags=[RunTag(Tags.DURATION, f"{seconds:.3f}")],
    )
    client.set_terminated(run.info.run_id, "FAILED" if failed else "FINISHED", end_time=ended)
    return str(run.info.run_id)


def search(
    filter_string: str,
    *,
    newest: int | None = 1000,
    experiments: Sequence[str] | None = None,
    view: int = ViewType.ACTIVE_ONLY,
) -> list[mlflow.entities.Run]:
    """Runs, newest first.

    Parameters
    ----------
    newest
        At most so many; None: all.
    experiments
        Ids; default the project's.
    view
        Of ``mlflow.entities.ViewType``: whether deleted runs count.
    """
    runs: list[mlflow.entities.Run] = []
    token = None
    client = MlflowClient()
    searched = experiments or [os.environ.get(EXPERIMENT_ID, DEFAULT_EXPERIMENT)]
    while newest is None or len(runs) < newest:
        page = client.search_runs(
            list(searched),
            filter_string,
            run_view_type=view,
            max_results=1000 if newest is None else min(newest, 1000),
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        runs += page
        token = page.token
        if not token:
            break
    return runs
