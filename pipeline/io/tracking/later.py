"""Metrics that follow those of the result: pages show them in the order they were written."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric

BATCH = 1000
"""Metrics that MLflow takes at once."""

_waiting: dict[str, list[Metric]] = {}
"""By open run of a stage."""


@contextmanager
def written_last(run_id: str) -> Iterator[None]:
    """Write what `log_later` was given in the block when it ends, well or not."""
    _waiting[run_id] = []
    try:
        yield
    finally:
        metrics = _waiting.pop(run_id)
        for start in range(0, len(metrics), BATCH):
            MlflowClient().log_batch(run_id, metrics=metrics[start : start + BATCH])


def log_later(metrics: Mapping[str, float], step: int | None = None) -> None:
    """Metrics of the open run, written at the end of its stage; at once where no stage is open."""
    run, now = mlflow.active_run(), int(time.time() * 1000)
    if run is None or run.info.run_id not in _waiting:
        at = {} if step is None else {"step": step}
        mlflow.log_metrics(dict(metrics), **at)
        return
    written = [Metric(name, float(value), now, step or 0) for name, value in metrics.items()]
    _waiting[run.info.run_id] += written
