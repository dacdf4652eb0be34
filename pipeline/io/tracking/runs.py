"""Runs of MLflow: one a stage, what it logs, and how earlier ones are found."""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
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
from pipeline.io.tracking import later, notes, parameters, run_files, uploads
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
    opening = {
        Tags.STAGE: stage,
        MLFLOW_RUN_NAME: stage,
        Tags.OVERRIDES: shlex.join(commands.given())[:5000],
        **({Tags.ROUTINE: "true"} if stage in ROUTINES else {}),
        **process.tags(),
        **({MLFLOW_PARENT_RUN_ID: sweep} if sweep else {}),
        **(tags or {}),
    }
    with (
        mlflow.start_run(
            run_name=None if PROJECT_RUN and not nested else stage,
            nested=nested,
            log_system_metrics=False,
            tags=opening,
        ) as run,
        uploads.sent_meanwhile(run),
        later.held(run.info.run_id),
    ):
        if PROJECT_RUN and not nested:
            parameters.forget_not_given(mlflow.get_tracking_uri(), run.info.run_id)
        try:
            yield run
            _close(run)
        except BaseException as error:
            with contextlib.suppress(Exception):  # the error itself is what counts
                _explain(run.info.run_id, error)
            if isinstance(error, KeyboardInterrupt):
                mlflow.end_run("KILLED")  # left open, MLflow would call it FAILED
            raise


def _close(run: mlflow.ActiveRun) -> None:
    """Figures that waited, digests and verdict of a run whose stage ended well: once all is there.

    In one request: on a far server each counts.
    """
    run_id = run.info.run_id
    uploads.arrived(run_id)
    done = {} if notes.has_tag(run, Tags.VERDICT) else {Tags.VERDICT: Verdicts.DONE}
    tags = run_files.digest_tags(run_id) | done
    notes.log_batch(run_id, metrics=later.taken(run_id), tags=tags)
    uploads.arrived(run_id)


def _explain(run_id: str, error: BaseException) -> None:
    """Why the open run ends before its time; the last word on it."""
    if isinstance(error, KeyboardInterrupt):
        verdict, note = Verdicts.INTERRUPTED, "The same command goes on."
    else:
        verdict = getattr(error, "verdict", "fault")
        note = masked(f"**{type(error).__name__}**\n\n```\n{error}\n```")
    uploads.settled(run_id)
    mlflow.set_tags({Tags.VERDICT: verdict, Tags.NOTE: note})


def tags_of(run_id: str) -> dict[str, str]:
    """Tags of a run."""
    return dict(mlflow.get_run(run_id).data.tags)


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


def current_run_id() -> str:
    """Id of the open run."""
    return str(notes.open_run().info.run_id)


@contextlib.contextmanager
def timed(step: str) -> Iterator[None]:
    """Log the wall time of a block as ``time/<step>_seconds``."""
    started = time.perf_counter()
    with terminal.task(step):
        yield
    later.log_later({f"{Metrics.TIME}{step}_seconds": time.perf_counter() - started})


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
) -> mlflow.entities.Run:
    """A finished nested run in three requests. Fold metrics are steps."""
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
    return run


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
