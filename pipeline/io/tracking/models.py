"""Logging a fitted pipeline so that anybody can load it and get the same numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import Model

from pipeline.contract import Artifacts, Tags
from pipeline.errors import PipelineError
from pipeline.io.tracking import later, model_reader, run_files, runs, uploads
from pipeline.io.tracking.safe_models import (
    FORMAT,
    Files,
    digest,
    files_digest,
    files_of,
    folder_of,
    listed,
)
from pipeline.io.tracking.values import ModelVersion

NEEDED = ("mlflow", "scikit-learn", "lightgbm", "numpy", "pandas", "scipy", "skops")
CHECKED_ROWS = 1000
ILLEGAL = re.compile("[/:.%\"']")
"""Letters that MLflow takes in no model's name."""


def requirements() -> list[str]:
    """Exact versions a model needs to load, as they are installed here."""
    return [f"{name}=={version(name)}" for name in NEEDED]


class Stored(NamedTuple):
    """Where a model is kept, and the digest of its files: loaded again, it predicts as it did."""

    uri: str
    files_digest: str


class LoggedModel(NamedTuple):
    """A model that is on its way to MLflow.

    Attributes
    ----------
    digest
        Of its content.
    stored
        There once all of it is.
    """

    digest: str
    stored: Future[Stored]


def log_model(pipeline: Any, inputs: pd.DataFrame, name: str = Artifacts.MODEL) -> LoggedModel:
    """Log a fitted pipeline with signature, example and pins, on a server while others go on.

    The model holds third-party classes only, so that it loads wherever these are installed; its
    ``digest`` is a tag of the run.
    Inputs and predictions of up to 1,000 rows are kept, and a fresh load must repeat them.

    Parameters
    ----------
    inputs
        float64 and string columns, as served; indexed by (session, symbol).
    name
        What the list of models shows.

    Raises
    ------
    PipelineError
        By ``stored``: a fresh load of what was logged predicts otherwise.
    """
    skops = model_reader.complete()
    rows = inputs.iloc[np.linspace(0, len(inputs) - 1, min(CHECKED_ROWS, len(inputs)), dtype=int)]
    served, run_id = rows.reset_index(drop=True), runs.current_run_id()
    # Predicted again: the last bits of a matrix product depend on the rows it is made with.
    expected = pd.Series(pipeline.predict(served), rows.index, name="prediction")
    dumped = skops.dumps(pipeline)
    written = partial(
        Model.log,
        artifact_path=None,
        flavor=mlflow.sklearn,
        run_id=run_id,
        sk_model=pipeline,
        name=ILLEGAL.sub("-", name),
        pip_requirements=requirements(),
        signature=mlflow.models.infer_signature(served, expected.to_numpy()),
        input_example=served.head(5),
        serialization_format=FORMAT,
        skops_trusted_types=listed(skops.get_untrusted_types(data=dumped)),
    )
    runs.log_frame(served, Artifacts.CHECK_INPUTS)
    runs.log_frame(expected.reset_index(), Artifacts.CHECK_PREDICTIONS)
    fingerprint = digest(dumped)

    def logged() -> Stored:
        model = written()
        later.write_result(run_id, str(model.model_id))
        mlflow.MlflowClient().set_tag(run_id, Tags.MODEL_DIGEST, fingerprint)
        files = files_of(model.model_uri)
        _require_equal(files, served, expected.to_numpy())
        return Stored(str(model.model_uri), files_digest(files))

    return LoggedModel(fingerprint, uploads.in_order(run_id, logged))


def _require_equal(files: Files, served: pd.DataFrame, expected: np.ndarray) -> None:
    """What was logged, read back once, predicts as it did before."""
    with folder_of(files) as folder:
        loaded = np.asarray(mlflow.pyfunc.load_model(folder).predict(served))
    if not np.array_equal(loaded, expected):
        worst = float(np.abs(loaded - expected).max())
        raise PipelineError(
            "model",
            f"the model, loaded again, predicts differently by up to {worst:.3g}",
            "equal numbers",
        )


def log_features(hashes: Mapping[str, str]) -> None:
    """Names, in the model's order, and hashes of the features a model uses."""
    run_files.log_text(json.dumps(dict(hashes), indent=1), Artifacts.FEATURES)


def features_of(version: ModelVersion) -> dict[str, str]:
    """Names and hashes of the features a registered version uses, in its order."""
    return features_of_run(str(version.run_id))


def features_of_run(run_id: str) -> dict[str, str]:
    """Names and hashes of the features a retrain's model uses, in its order.

    Raises
    ------
    Damaged
        The run has not the file.
    """
    text = run_files.read_text(run_id, Artifacts.FEATURES)
    if text is None:
        raise run_files.gone(mlflow.get_run(run_id), Artifacts.FEATURES)
    content: dict[str, str] = json.loads(text)
    return content
