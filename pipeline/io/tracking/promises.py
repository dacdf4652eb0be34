"""What the evidence of a version promises, read from its runs once and kept on its own."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipeline.contract import Artifacts, LifeTags
from pipeline.io.tracking import runs
from pipeline.io.tracking.books import logged_net_returns
from pipeline.io.tracking.evidence import newest_evidence
from pipeline.io.tracking.values import ModelVersion
from pipeline.learning.metrics import rank_ic
from pipeline.learning.targets import market_relative
from pipeline.monitor.evidence import Promise
from pipeline.schemas import SESSION, TARGET
from pipeline.workspace import Workspace

Promises = dict[str, Promise]


def promises(workspace: Workspace, version: ModelVersion) -> Promises:
    """Of rank IC, net return and calibration, by the evidence that the version was promoted on.

    Of a version that was never promoted, by the evidence that promote would look at.
    """
    client, run_id = MlflowClient(), str(version.run_id)
    evidence = version.tags.get(LifeTags.EVIDENCE) or newest_evidence(workspace, version).run_id
    known = json.loads(client.get_run(run_id).data.tags.get(LifeTags.PROMISE, "{}"))
    if known.get("evidence") != evidence:
        try:
            measured = _measured(evidence)
        except (MlflowException, OSError, KeyError):
            return {}
        series = {name: asdict(promise) for name, promise in measured.items()}
        known = {"evidence": evidence, "series": series}
        client.set_tag(run_id, LifeTags.PROMISE, json.dumps(known))
    return {name: Promise(**values) for name, values in known["series"].items()}


def _measured(run_id: str) -> Promises:
    stored = runs.read_frame(run_id, Artifacts.PREDICTIONS)
    p, y = stored["prediction"], stored[TARGET]
    return {
        "rank_ic": promise_of(rank_ic(y, p)),
        "calibration": promise_of(session_slopes(y, p)),
        "net_return": promise_of(logged_net_returns(run_id)),
    }


def promise_of(values: pd.Series) -> Promise:
    """Mean, deviation and number of the values that there are."""
    known = values.dropna().to_numpy(np.float64)
    mean = float(known.mean()) if len(known) else 0.0
    deviation = float(known.std(ddof=1)) if len(known) > 1 else 0.0
    return Promise(mean, deviation, len(known))


def session_slopes(returns: pd.Series, predictions: pd.Series) -> pd.Series:
    """Slope of each session's returns on its forecasts, both less the session's mean."""
    p, y = market_relative(predictions), market_relative(returns)
    sums = pd.DataFrame({"both": p * y, "size": p * p}).groupby(level=SESSION).sum()
    slopes: pd.Series = sums["both"] / sums["size"].where(sums["size"] > 0.0)
    return slopes
