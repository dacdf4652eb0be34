"""Trials as nested runs, recorded on a thread of their own while the search goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from mlflow import MlflowClient

from pipeline.io import tracking
from pipeline.learning.trials import Trial

SERIES = "out_of_fold_returns.csv"


@contextmanager
def recorded(parent: str, objective: str) -> Iterator[Callable[[Trial], None]]:
    """Record each trial handed over, in order; all of them are when the block ends."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="trial-runs") as thread:
        pending: deque[Future[None]] = deque()

        def record(trial: Trial) -> None:
            while pending and pending[0].done():
                pending.popleft().result()  # a store that refuses ends the search now
            pending.append(thread.submit(_log, trial, parent, objective))

        yield record
        for logged in pending:
            logged.result()


def _log(trial: Trial, parent: str, objective: str) -> None:
    run_id = tracking.log_child(
        f"{trial.learner} {trial.number}",
        parent=parent,
        params=trial.params,
        metrics={f"cv/{k}": v for k, v in trial.metrics.items()} | {"cv/objective": trial.value},
        steps=[{f"fold/{k}": v for k, v in fold.items()} for fold in trial.fold_metrics],
        tags={
            "stage": "trial",
            "learner": trial.learner,
            "objective": objective,
            "state": trial.state.upper(),
            **({"error": trial.error} if trial.error else {}),
        },
        seconds=trial.seconds,
        failed=trial.state == "failed",
    )
    if trial.strategy_returns is not None:
        series = trial.strategy_returns.rename("net_return").to_csv()
        MlflowClient().log_text(run_id, series, SERIES)
