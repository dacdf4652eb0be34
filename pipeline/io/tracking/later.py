"""Metrics that wait: pages show them in the order they were written, those of the result first.

Those of the result wait for the model: MLflow looks up each metric that a run has when it logs a
model, with a request each on a server. Written with the model's id, in one request, they are the
run's and the model's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric

BATCH = 1000
"""Metrics that MLflow takes at once."""

_result: dict[str, list[Metric]] = {}
_waiting: dict[str, list[Metric]] = {}
"""By open run of a stage: of its result, and those that follow them."""


@contextmanager
def written_last(run_id: str) -> Iterator[None]:
    """Write what waits when the block ends, well or not."""
    _result[run_id], _waiting[run_id] = [], []
    try:
        yield
    finally:
        _write(run_id, _result.pop(run_id) + _waiting.pop(run_id))


def log_later(metrics: Mapping[str, float], step: int | None = None) -> None:
    """Metrics of the open run, written at the end of its stage; at once where no stage is open."""
    _log(_waiting, metrics, step)


def log_result(metrics: Mapping[str, float]) -> None:
    """Metrics of the open run's result, written with its model; at once where no stage is open."""
    _log(_result, metrics)


def _log(
    held: dict[str, list[Metric]], metrics: Mapping[str, float], step: int | None = None
) -> None:
    run, now = mlflow.active_run(), int(time.time() * 1000)
    if run is None or run.info.run_id not in held:
        at = {} if step is None else {"step": step}
        mlflow.log_metrics(dict(metrics), **at)
        return
    held[run.info.run_id] += [
        Metric(name, float(value), now, step or 0) for name, value in metrics.items()
    ]


def write_result(model_id: str) -> None:
    """Write what `log_result` was given, as figures of the run and of this logged model."""
    run = mlflow.active_run()
    if run is None or run.info.run_id not in _result:
        return
    run_id = run.info.run_id
    metrics, _result[run_id] = _result[run_id], []
    _write(
        run_id,
        [Metric(m.key, m.value, m.timestamp, m.step, model_id, run_id=run_id) for m in metrics],
    )


def _write(run_id: str, metrics: Sequence[Metric]) -> None:
    for start in range(0, len(metrics), BATCH):
        MlflowClient().log_batch(run_id, metrics=metrics[start : start + BATCH])
