"""Tags, parameters, figures and datasets of the open run: their one door.

A server gets them in their order while the stage goes on, see `uploads`; a file has them at once.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from pipeline.contract import Tags
from pipeline.io.tracking import uploads
from pipeline.secrets import masked_values

BATCH = 1000
"""Figures, parameters and tags that MLflow takes at once."""

_tags: defaultdict[str, set[str]] = defaultdict(set)
_params: defaultdict[str, set[str]] = defaultdict(set)
"""Names written so far, by run of this process."""


def open_run() -> mlflow.ActiveRun:
    """The open run, as it was when it began."""
    run = mlflow.active_run()
    assert run is not None, "logging needs an open run"
    return run


def set_tags(tags: Mapping[str, object]) -> None:
    """Tags of the open run."""
    run_id = open_run().info.run_id
    _tags[run_id] |= set(tags)
    log_batch(run_id, tags=tags)


def has_tag(run: mlflow.ActiveRun, name: str) -> bool:
    """Whether the open run had this tag when it began, or was given it since."""
    return name in run.data.tags or name in _tags[run.info.run_id]


def log_metrics(metrics: Mapping[str, float]) -> None:
    """Figures of the open run."""
    log_batch(open_run().info.run_id, metrics=points(metrics))


def points(metrics: Mapping[str, float], step: int = 0) -> list[Metric]:
    """Figures as of this moment."""
    now = int(time.time() * 1000)
    return [Metric(name, float(value), now, step) for name, value in metrics.items()]


def log_params(params: Mapping[str, object]) -> None:
    """Parameters of the open run: a value that was written before stays."""
    run = open_run()
    known = _params[run.info.run_id] | set(run.data.params)
    new = {name: value for name, value in params.items() if name not in known}
    _params[run.info.run_id] |= set(new)
    log_batch(run.info.run_id, params=new)


def log_batch(
    run_id: str,
    *,
    metrics: Sequence[Metric] = (),
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, object] | None = None,
) -> None:
    """Figures, parameters and tags of a run, in one request if it holds them; the tags are last."""
    listed = [Param(name, str(value)) for name, value in (params or {}).items()]
    named = [RunTag(name, str(value)) for name, value in (tags or {}).items()]
    first = [] if len(metrics) + len(listed) + len(named) <= BATCH else metrics
    rest = metrics if not first else []

    def log() -> None:
        client = MlflowClient()
        client.log_batch(run_id, first)
        client.log_batch(run_id, rest, listed, named)

    if metrics or listed or named:
        uploads.in_order(run_id, log)


def log_settings(settings: Mapping[str, Any], sections: Iterable[str] | None = None) -> None:
    """Sections of a configuration, by default all, as flat parameters to sort and compare by.

    What is None says nothing and is left out; the whole configuration is an artifact.
    """
    names = settings if sections is None else sections
    flat = {
        key: value for name in names for key, value in _flat(name, masked_values(settings[name]))
    }
    log_params({key: value for key, value in flat.items() if value is not None})


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}", inner)
    else:
        yield prefix, value


def log_steps(series: Mapping[str, pd.Series]) -> None:
    """Step metrics, one point a session: step = number of the session, time = the session."""
    metrics = [
        Metric(name, float(value), int(pd.Timestamp(str(session)).timestamp() * 1000), step)
        for name, values in series.items()
        for step, (session, value) in enumerate(values.items())
    ]
    log_batch(open_run().info.run_id, metrics=metrics)


def log_datasets(source: str, digests: Mapping[str, str]) -> None:
    """Dataset inputs by our own digests, by context: MLflow's stops at row 10,000, skips dates."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    origin, run_id = CodeDatasetSource(tags={Tags.DATA_SOURCE: source}), open_run().info.run_id
    inputs = [
        DatasetInput(
            MetaDataset(origin, name=f"{source}-{context}", digest=digest)._to_mlflow_entity(),
            [InputTag(MLFLOW_DATASET_CONTEXT, context)],
        )
        for context, digest in digests.items()
    ]
    uploads.in_order(run_id, lambda: MlflowClient().log_inputs(run_id, inputs))
