"""Runs whose process is gone: closed as what they are, killed."""

from __future__ import annotations

import logging
import socket
import time

import mlflow
from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PROJECT_ENTRY_POINT

from pipeline.contract import Tags, Verdicts
from pipeline.io import process
from pipeline.io.tracking import runs, uploads

log = logging.getLogger("pipeline")

DAY_SECONDS = 86_400


def _is_dead(run: mlflow.entities.Run) -> bool:
    """Whether no process of this host works on a run any more.

    One that ``mlflow run`` opened has no process of its own until a stage adopts it, so that
    nobody's tags tell who died before; its project tells that it was opened for this one.
    """
    tags, opened_at = run.data.tags, run.info.start_time / 1000
    if Tags.PROCESS_HOST in tags:
        return tags[Tags.PROCESS_HOST] == socket.gethostname() and not process.alive(tags)
    if MLFLOW_PROJECT_ENTRY_POINT not in tags:
        return False
    is_of_here = mlflow.get_tracking_uri().startswith("sqlite:")  # a server has many hosts
    is_old = time.time() - opened_at > DAY_SECONDS
    return (is_of_here or is_old) and not process.working_on_run(run.info.run_id, opened_at)


def close_dead_runs() -> list[str]:
    """Mark runs left RUNNING by dead processes of this host as KILLED; returns their ids."""
    dead = [
        run.info.run_id for run in runs.search("attributes.status = 'RUNNING'") if _is_dead(run)
    ]
    for run_id in dead:
        MlflowClient().set_terminated(run_id, "KILLED")
    _keep_killed()
    return dead


def close_meanwhile() -> None:
    """The same, on a server while the stage of the open run goes on."""

    def close() -> None:
        if closed := close_dead_runs():
            log.info("closed %d runs of dead processes as KILLED", len(closed))

    uploads.in_order(runs.current_run_id(), close)


def _keep_killed() -> None:
    """Call interrupted runs KILLED again, which `mlflow run` called FAILED after their end.

    It means to leave a run alone that has ended, but compares a text with numbers
    (``RunStatus.is_terminated``, MLflow 3.17).
    """
    where = f"attributes.status = 'FAILED' and tags.{Tags.VERDICT} = '{Verdicts.INTERRUPTED}'"
    for run in runs.search(where):
        MlflowClient().set_terminated(run.info.run_id, "KILLED", end_time=run.info.end_time)
