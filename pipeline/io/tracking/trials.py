"""Trials as nested runs, recorded on threads of their own while the search goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import mlflow

from pipeline.cells import csv_text
from pipeline.contract import Artifacts, Metrics, Stages, Tags
from pipeline.io.tracking import runs, uploads
from pipeline.learning.search.objectives import OBJECTIVES
from pipeline.learning.search.trials import Trial

AT_A_TIME = 8
"""Trials that are recorded side by side on a server."""


@contextmanager
def recorded(parent: str, objective: str) -> Iterator[Callable[[Trial], None]]:
    """Record each trial handed over; all of them are when the block ends.

    One after another into a file, which has one writer; several at a time on a server, where a
    trial is four requests that mostly wait.
    """
    is_served = mlflow.get_tracking_uri().startswith("http")
    workers = AT_A_TIME if is_served else 1
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="trial-runs") as thread:
        pending: deque[Future[None]] = deque()

        def record(trial: Trial) -> None:
            while pending and pending[0].done():
                pending.popleft().result()  # a store that refuses ends the search now
            pending.append(thread.submit(_log, trial, parent, objective))

        yield record
        for logged in pending:
            logged.result()


def _log(trial: Trial, parent: str, objective: str) -> None:
    is_maximized = OBJECTIVES[objective].direction == "maximize"
    run = runs.log_child(
        f"{trial.learner} {trial.number}",
        parent=parent,
        params=trial.params,
        metrics={
            **{f"{Metrics.CV}{k}": v for k, v in trial.metrics.items()},
            Metrics.CV_OBJECTIVE: trial.value,
            Metrics.CV_SCORE: trial.value if is_maximized else -trial.value,
        },
        steps=[{f"{Metrics.FOLD}{k}": v for k, v in fold.items()} for fold in trial.fold_metrics],
        tags={
            Tags.STAGE: Stages.TRIAL,
            Tags.LEARNER: trial.learner,
            Tags.OBJECTIVE: objective,
            Tags.STATE: trial.state.upper(),
            **({Tags.ERROR: trial.error} if trial.error else {}),
        },
        seconds=trial.seconds,
        failed=trial.state == "failed",
    )
    if trial.strategy_returns is not None:
        series = csv_text(trial.strategy_returns.rename("net_return").to_frame(), index=True)
        uploads.put(run, Artifacts.OUT_OF_FOLD_RETURNS, series.encode())
