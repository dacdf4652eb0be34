"""Loading a registered model without running what its files say: digest, format, listed types."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import numpy as np
import yaml
from mlflow.exceptions import MlflowException

from pipeline.commands import Command
from pipeline.contract import Tags
from pipeline.errors import Damaged, Fault, Refused
from pipeline.io.tracking import model_reader, run_files
from pipeline.io.tracking.values import ModelVersion

DESCRIPTION = "MLmodel"
MODEL_FILE = "model.skops"
FORMAT = "skops"
WRITTEN = {
    "flavors": ["python_function", "sklearn"],
    "format": FORMAT,
    "loader_module": "mlflow.sklearn",
    "file": [MODEL_FILE, MODEL_FILE],
    "code": [None, None],
    "data": None,
}
"""What ``MLmodel`` says of a model of this project, in all that MLflow obeys when it loads one."""

TRUSTED = frozenset(
    {
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
    }
)
"""Types of the regressors of scikit-learn and LightGBM beside those that skops trusts by itself.

Loading makes objects of these and of no others, whatever a model's own file asks for. Nothing that
calls a function by its name belongs here.
"""

NEW_MODEL = (Command("retrain"), Command("promote"))


def listed(types: Iterable[str]) -> list[str]:
    """These types, all of which loading may make.

    Raises
    ------
    Refused
        Some are not in `TRUSTED`; each is a fault of it.
    """
    listed = sorted(types)
    unknown = [name for name in listed if name not in TRUSTED]
    if unknown:
        raise Refused(
            "model",
            f"the model holds objects of {', '.join(unknown)}",
            f"another learner, or these types in TRUSTED of {__name__}",
            faults=[Fault(name, "is not trusted") for name in unknown],
        )
    return listed


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
            content_of = {key: content(value) for key, value in node.items() if key != "__id__"}
            return content_of | (
                {"file": _hash(parts.read(node["file"]))} if "file" in node else {}
            )

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


Files = Mapping[str, bytes]
"""Contents of the files of a logged model by name."""


def files_digest(files: Files) -> str:
    """SHA-256 of the names and contents of all files of a logged model."""
    parts = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def files_of(model_uri: str) -> Files:
    """The files of a logged model, read once: what is checked is what is loaded."""
    folder = Path(mlflow.artifacts.download_artifacts(model_uri))
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def load(version: ModelVersion) -> Any:
    """The fitted scikit-learn pipeline of a version.

    Raises
    ------
    Damaged
        Its files are not those that were registered, or are gone.
    Refused
        It is in another format than this project writes, or holds types that are not listed.
    """
    files = _checked(version)
    if Tags.FILES_DIGEST not in version.tags:
        _check_content(files[MODEL_FILE], version)
    return _objects(files[MODEL_FILE])


def checked_copy(version: ModelVersion) -> TemporaryDirectory[str]:
    """A folder with the files of a version, for MLflow, which obeys more of them than `load`.

    What was checked is what is served, whatever happens to the version's own files later.

    Raises
    ------
    Damaged
        Its files are not those that were registered.
    Refused
        No digest of all its files was recorded, its format is another than this project writes,
        or it holds types that are not listed.
    """
    if Tags.FILES_DIGEST not in version.tags:
        raise _unknown(version, "all files of")
    files = _checked(version)
    _objects(files[MODEL_FILE])
    model_reader.complete()  # MLflow reads it next
    return folder_of(files)


def folder_of(files: Files) -> TemporaryDirectory[str]:
    """A folder that holds these files as long as it is used."""
    folder = TemporaryDirectory(prefix="model-")
    for name, content in files.items():
        file = Path(folder.name, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def _checked(version: ModelVersion) -> Files:
    """Files with the recorded digest, if there is one, and a description that loads no code."""
    try:
        files = files_of(str(version.source))
    except (MlflowException, OSError) as error:
        if not run_files.is_missing(error):
            raise
        raise _gone(version) from None
    recorded = version.tags.get(Tags.FILES_DIGEST)
    if recorded is not None and files_digest(files) != recorded:
        raise _changed(version)
    _check_format(files, version)
    return files


def _check_content(content: bytes, version: ModelVersion) -> None:
    """A version of an older release: the model's own digest is a tag of its run."""
    known = mlflow.get_run(str(version.run_id)).data.tags.get(Tags.MODEL_DIGEST)
    if known is None:
        raise _unknown(version, "the model of")
    try:
        is_as_written = digest(content) == known
    except Exception:  # whatever a changed file breaks while it is read
        is_as_written = False
    if not is_as_written:
        raise _changed(version)


def _check_format(files: Files, version: ModelVersion) -> None:
    """Read as data what MLflow would obey: flavours, loader, the file's name, code beside it."""
    try:
        described = yaml.safe_load(files.get(DESCRIPTION, b""))
        flavors = described["flavors"]
        sklearn, function = flavors["sklearn"], flavors["python_function"]
        obeyed = {
            "flavors": sorted(flavors),
            "format": sklearn["serialization_format"],
            "loader_module": function["loader_module"],
            "file": [sklearn["pickled_model"], function["model_path"]],
            "code": [sklearn.get("code"), function.get("code")],
            "data": function.get("data"),
        }
        trusted = set(sklearn.get("skops_trusted_types") or ())
    except (yaml.YAMLError, UnicodeDecodeError, LookupError, TypeError, AttributeError):
        raise _foreign(version, "a description that this project does not write") from None
    for name, written in WRITTEN.items():
        if obeyed[name] != written:
            raise _foreign(version, f"{name} {obeyed[name]}")
    if unknown := sorted(trusted - TRUSTED, key=str):
        raise _foreign(version, f"skops_trusted_types {unknown}")
    if MODEL_FILE not in files:
        raise _foreign(version, f"no {MODEL_FILE}")


def _foreign(version: ModelVersion, found: str) -> Refused:
    return Refused(
        "model",
        f"version {version.version} is kept with {found}, which can run code when it is loaded",
        f"a model in the format {FORMAT}, as retrain writes it",
        NEW_MODEL,
    )


def _objects(content: bytes) -> Any:
    skops = model_reader.skops()
    needed = skops.get_untrusted_types(data=content)
    if not set(needed) <= TRUSTED:
        skops = model_reader.complete()
        needed = skops.get_untrusted_types(data=content)
    return skops.loads(content, trusted=listed(needed))


def _unknown(version: ModelVersion, what: str) -> Refused:
    return Refused(
        "model",
        f"no digest of {what} version {version.version} was recorded, so nobody knows whether its "
        "files are those that were registered",
        "a version that this project registered",
        NEW_MODEL,
    )


def _gone(version: ModelVersion) -> Damaged:
    place = mlflow.MlflowClient().get_model_version_download_uri(version.name, version.version)
    return Damaged(
        "model",
        f"files of version {version.version} are gone from {place}",
        "a backup of that folder put back, or another version",
        Command("rollback"),
    )


def _changed(version: ModelVersion) -> Damaged:
    return Damaged(
        "model",
        f"the files of version {version.version} are not those that were registered",
        f"a backup of {version.source} put back, or another version",
        Command("rollback"),
    )
