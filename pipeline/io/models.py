"""Logging a fitted pipeline so that anybody can load it and get the same numbers."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from pipeline.errors import PipelineError

NEEDED = ("mlflow", "scikit-learn", "lightgbm", "numpy", "pandas", "scipy", "skops")
CHECKED_ROWS = 1000
PREDICTIONS = "predictions/out_of_sample.parquet"
CHECK_INPUTS = "check/inputs.parquet"
CHECK_PREDICTIONS = "check/predictions.parquet"
FEATURES = "features.json"
DIGEST = "model_digest"
"""Tag of a run that logged a model."""


def requirements() -> list[str]:
    """Exact versions a model needs to load, as they are installed here."""
    return [f"{name}=={version(name)}" for name in NEEDED]


def log_model(pipeline: Any, inputs: pd.DataFrame) -> str:
    """Log a fitted pipeline with signature, example and pins; returns its URI.

    The model holds third-party classes only, so that it loads wherever these are installed; its
    ``digest`` is a tag of the run.
    Inputs and predictions of up to 1,000 rows are kept, and a fresh load must repeat them.

    Parameters
    ----------
    inputs
        float64 and string columns, as served; indexed by (session, symbol).
    """
    import skops.io

    rows = inputs.iloc[np.linspace(0, len(inputs) - 1, min(CHECKED_ROWS, len(inputs)), dtype=int)]
    served = rows.reset_index(drop=True)
    # Predicted anew: the last bits of a matrix product depend on the rows it is made with.
    expected = pd.Series(pipeline.predict(served), rows.index, name="prediction")
    dumped = skops.io.dumps(pipeline)
    # MLflow asks for the types to trust; these are the ones of the model just fitted here.
    trusted = skops.io.get_untrusted_types(data=dumped)
    logged = mlflow.sklearn.log_model(
        pipeline,
        name="model",
        pip_requirements=requirements(),
        signature=mlflow.models.infer_signature(served, expected.to_numpy()),
        input_example=served.head(5),
        serialization_format="skops",
        skops_trusted_types=trusted,
    )
    mlflow.set_tag(DIGEST, digest(dumped))
    log_frame(served, CHECK_INPUTS)
    log_frame(expected.reset_index(), CHECK_PREDICTIONS)
    loaded = mlflow.pyfunc.load_model(logged.model_uri).predict(served)
    if not np.array_equal(np.asarray(loaded), expected.to_numpy()):
        worst = float(np.abs(np.asarray(loaded) - expected.to_numpy()).max())
        raise PipelineError(
            "model", f"a fresh load predicts otherwise, by up to {worst:.3g}", "equal numbers"
        )
    return str(logged.model_uri)


def digest(dumped: bytes) -> str:
    """Fingerprint of a model as skops dumps it: 32 hex digits of a SHA-256.

    Equal for models equal to the last bit, whichever process fitted them. The file itself never
    is: skops names its parts by memory address, and nodes of trees are padded with chance bytes.
    """
    with zipfile.ZipFile(io.BytesIO(dumped)) as parts:

        def content(node: Any) -> Any:
            if isinstance(node, list):
                return [content(item) for item in node]
            if not isinstance(node, dict):
                return node
            kept = {key: content(value) for key, value in node.items() if key != "__id__"}
            return kept | ({"file": _hash(parts.read(node["file"]))} if "file" in node else {})

        schema = content(json.loads(parts.read("schema.json")))
    return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()[:32]


def _hash(file: bytes) -> str:
    """Digest of a file; of an array, field by field, without what lies between fields."""
    if not file.startswith(b"\x93NUMPY"):
        return hashlib.sha256(file).hexdigest()
    array = np.load(io.BytesIO(file), allow_pickle=False)
    total = hashlib.sha256(f"{array.shape} {array.dtype.descr}".encode())
    for name in array.dtype.names or [...]:
        total.update(array[name].tobytes())
    return total.hexdigest()


def log_frame(frame: pd.DataFrame, path: str) -> None:
    """A frame as a Parquet artifact of the open run."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / Path(path).name
        frame.to_parquet(file)
        where = Path(path).parent.as_posix()
        mlflow.log_artifact(str(file), None if where == "." else where)


def read_frame(run_id: str, path: str) -> pd.DataFrame:
    """A Parquet artifact of a run."""
    return pd.read_parquet(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path))


def log_features(hashes: dict[str, str]) -> None:
    """Names, in the model's order, and hashes of the features a model uses."""
    mlflow.log_text(json.dumps(hashes, indent=1), FEATURES)


def features_of(version: ModelVersion) -> dict[str, str]:
    """Names and hashes of the features a registered version uses, in its order."""
    return features_of_run(str(version.run_id))


def features_of_run(run_id: str) -> dict[str, str]:
    """Names and hashes of the features a retrain's model uses, in its order."""
    content: dict[str, str] = json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/{FEATURES}"))
    return content
