"""Metrics that wait: pages show them in the order they were written, those of the result first.

Those of the result wait for the model: MLflow looks up each metric that a run has when it logs a
model, with a request each on a server. Written with the model's id, in one request, they are the
run's and the model's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric

from pipeline.io.tracking import notes

_result: dict[str, list[Metric]] = {}
_waiting: dict[str, list[Metric]] = {}
"""By open run of a stage: of its result, and those that follow them."""


@contextmanager
def held(run_id: str) -> Iterator[None]:
    """Hold figures of a run back for `taken`; where the block fails, write them at its end."""
    _result[run_id], _waiting[run_id] = [], []
    try:
        yield
    except BaseException:
        with suppress(Exception):  # what ended the block counts
            notes.log_batch(run_id, metrics=taken(run_id))
        raise
    finally:
        del _result[run_id], _waiting[run_id]


def taken(run_id: str) -> list[Metric]:
    """What waits of an open run, those of the result first; for who writes it."""
    figures = _result[run_id] + _waiting[run_id]
    _result[run_id], _waiting[run_id] = [], []
    return figures


def log_later(metrics: Mapping[str, float], step: int | None = None) -> None:
    """Metrics of the open run, written at the end of its stage; at once where no stage is open."""
    _log(_waiting, metrics, step)


def log_result(metrics: Mapping[str, float]) -> None:
    """Metrics of the open run's result, written with its model; at once where no stage is open."""
    _log(_result, metrics)


def _log(
    held: dict[str, list[Metric]], metrics: Mapping[str, float], step: int | None = None
) -> None:
    run = mlflow.active_run()
    if run is None or run.info.run_id not in held:
        at = {} if step is None else {"step": step}
        mlflow.log_metrics(dict(metrics), **at)
        return
    held[run.info.run_id] += notes.points(metrics, step or 0)


def write_result(run_id: str, model_id: str) -> None:
    """Write what `log_result` was given, as figures of a run and of its logged model, at once."""
    if run_id in _result:
        metrics, _result[run_id] = _result[run_id], []
        of_both = [
            Metric(m.key, m.value, m.timestamp, m.step, model_id, run_id=run_id) for m in metrics
        ]
        MlflowClient().log_batch(run_id, of_both)
