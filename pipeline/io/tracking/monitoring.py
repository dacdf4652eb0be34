"""One run a model version on which its life is drawn, a point a session."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from pipeline.contract import LifeArtifacts, LifeMetrics, LifeStages, LifeTags, Tags
from pipeline.io import process
from pipeline.io.tracking import runs
from pipeline.io.tracking.experiment import DEFAULT_EXPERIMENT, EXPERIMENT_ID
from pipeline.monitor.chain import LIVE


def monitoring_run(model: str, data_source: str, store_id: str) -> str:
    """Id of the run that a model's life is drawn on; made where there is none."""
    existing = runs.search(
        f"tags.{Tags.STAGE} = '{LifeStages.MONITOR}' and tags.{LifeTags.MONITORS} = '{model}'"
        f" and tags.`{LifeTags.LEDGER_STORE}` = '{store_id}'",
        newest=1,
    )
    if existing:
        return str(existing[0].info.run_id)
    client = MlflowClient()
    run = client.create_run(
        os.environ.get(EXPERIMENT_ID, DEFAULT_EXPERIMENT),
        run_name=f"monitor {_named(model)}",
        tags={
            Tags.STAGE: LifeStages.MONITOR,
            LifeTags.MONITORS: model,
            Tags.MODEL_VERSION: model,
            Tags.DATA_SOURCE: data_source,
            LifeTags.LEDGER_STORE: store_id,
            MLFLOW_RUN_NAME: f"monitor {_named(model)}",
            "mlflow.user": process.user(),
        },
    )
    client.set_terminated(run.info.run_id, "FINISHED")
    return str(run.info.run_id)


def log_curves(run_id: str, kind: str, curves: pd.DataFrame, ages: pd.Series) -> int:
    """Draw the sessions that are not drawn yet; gives how many.

    Parameters
    ----------
    curves
        By session, a column a metric.
    ages
        Sessions since the model's training end, by session: the steps.
    """
    client = MlflowClient()
    tag = f"{LifeTags.DRAWN_UNTIL}.{kind}"
    until = client.get_run(run_id).data.tags.get(tag)
    new = curves[curves.index > pd.Timestamp(until)] if until else curves
    if new.empty:
        return 0
    start = _start(kind)
    steps = ages.loc[new.index].tolist()
    points = [
        Metric(f"{start}{name}", float(value), _milliseconds(session), int(step))
        for name, values in new.items()
        for session, step, value in zip(new.index, steps, values.tolist(), strict=True)
        if value == value
    ]
    for first in range(0, len(points), 1000):
        client.log_batch(run_id, metrics=points[first : first + 1000])
    client.set_tag(run_id, tag, f"{new.index[-1]:%Y-%m-%d}")
    return len(new)


def log_health(
    run_id: str,
    kind: str,
    text: str,
    figures: Mapping[str, float],
    session: pd.Timestamp,
    age: int,
) -> None:
    """The answer as a tag and a person's note, its figures as a step of the kind's own curves."""
    client = MlflowClient()
    start = f"{LifeMetrics.MONITOR}{_start(kind)}"
    points = [
        Metric(f"{start}{name}", float(value), _milliseconds(session), age)
        for name, value in figures.items()
        if value == value
    ]
    client.log_batch(run_id, metrics=points)
    client.set_tag(run_id, LifeTags.HEALTH, text[:4000])
    client.set_tag(run_id, Tags.NOTE, text)


def log_page(run_id: str, html: str) -> None:
    """The page that shows live against promised."""
    MlflowClient().log_text(run_id, html, LifeArtifacts.LIVE_PAGE)


def _start(kind: str) -> str:
    return LifeMetrics.LIVE if kind == LIVE else LifeMetrics.REPLAY


def _named(model: str) -> str:
    return f"version {model}" if model.isdigit() else model


def _milliseconds(session: object) -> int:
    return int(pd.Timestamp(str(session)).timestamp() * 1000)
