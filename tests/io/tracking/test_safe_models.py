"""A registered model is loaded by its digest, its format and listed types, or not at all."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from mlflow import MlflowClient
from sklearn.pipeline import Pipeline

from pipeline.contract import Tags
from pipeline.errors import Damaged, PipelineError, Refused
from pipeline.io.tracking import models, registering, registry, runs, safe_models
from pipeline.io.tracking.safe_models import TRUSTED, files_digest, files_of, listed
from pipeline.schemas import MODEL_NAME
from tests.io.tracking.test_models import fitted

INPUTS = pd.DataFrame(np.random.default_rng(1).normal(size=(20, 4)), columns=list("abcd"))


class Attack:
    """Runs a command when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self):
        return Path.touch, (self.proof,)


@pytest.fixture
def version(store: MlflowClient):
    """A registered ensemble."""
    with runs.stage_run("retrain"):
        uri = models.log_model(Pipeline([("model", fitted())]), INPUTS).stored.result().uri
        tags = {Tags.FILES_DIGEST: files_digest(files_of(uri))}
        registering.register(uri, tags)
    return registry.find("challenger", who="test")


def folder_of(version) -> Path:
    model = MlflowClient().get_logged_model(version.source.removeprefix("models:/"))
    return Path(model.artifact_location.removeprefix("file://"))


def without_digest(version):
    """The same as an older release registered it."""
    MlflowClient().delete_model_version_tag(MODEL_NAME, version.version, Tags.FILES_DIGEST)
    return registry.find("challenger", who="test")


def test_only_files_as_they_were_registered_are_loaded(version, tmp_path: Path) -> None:
    expected = fitted().predict(INPUTS)
    assert np.array_equal(safe_models.load(version).predict(INPUTS), expected)
    folder = folder_of(version)
    for file in (folder / "model.skops", folder / "MLmodel"):
        content = file.read_bytes()
        file.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        with pytest.raises(Damaged, match="not those that were registered"):
            safe_models.load(version)
        file.write_bytes(content)
    (folder / "more.py").touch()
    with pytest.raises(Damaged):
        safe_models.load(version)
    (folder / "more.py").unlink()

    older = without_digest(version)
    assert np.array_equal(safe_models.load(older).predict(INPUTS), expected)
    skops.io.dump(fitted(seed=2), folder / "model.skops")  # whole, but another model
    with pytest.raises(Damaged, match="not those that were registered"):
        safe_models.load(older)
    MlflowClient().delete_tag(version.run_id, Tags.MODEL_DIGEST)
    with pytest.raises(Refused, match="no digest"):
        safe_models.load(older)

    proof = tmp_path / "proof"
    (folder / "model.skops").unlink()
    (folder / "model.pkl").write_bytes(pickle.dumps(Attack(proof)))
    text = (folder / "MLmodel").read_text()
    text = text.replace("model.skops", "model.pkl").replace("format: skops", "format: pickle")
    (folder / "MLmodel").write_text(text)
    for attacked in (older, with_digest_of(version, folder)):
        with pytest.raises(Refused, match="format pickle"):
            safe_models.load(attacked)
    assert not proof.exists()


def with_digest_of(version, folder: Path):
    """As one registers it who may write to the registry, too."""
    files = files_of(version.source)
    return SimpleNamespace(
        version=version.version, source=version.source, run_id=version.run_id,
        tags={Tags.FILES_DIGEST: files_digest(files)},
    )  # fmt: skip


ATTACKS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "loader": lambda flavors: flavors["python_function"].update(loader_module="attack"),
    "code beside it": lambda flavors: flavors["python_function"].update(code="code"),
    "code of sklearn": lambda flavors: flavors["sklearn"].update(code="code"),
    "another file": lambda flavors: flavors["python_function"].update(model_path="attack.skops"),
    "data": lambda flavors: flavors["python_function"].update(data="attack.skops"),
    "trusted types": lambda flavors: flavors["sklearn"]["skops_trusted_types"].append("os.system"),
    "another flavour": lambda flavors: flavors.update(attack={"loader_module": "attack"}),
    "no function": lambda flavors: flavors.pop("python_function"),
    "no flavour": lambda flavors: flavors.clear(),
    "a list": lambda flavors: flavors.update(sklearn=["attack"]),
}
"""What an edited ``MLmodel`` can have MLflow do, by name."""


def test_no_description_is_obeyed_that_this_project_does_not_write(version) -> None:
    folder = folder_of(version)
    written = (folder / "MLmodel").read_text()
    for name, attack in ATTACKS.items():
        description = yaml.safe_load(written)
        attack(description["flavors"])
        (folder / "MLmodel").write_text(yaml.safe_dump(description))
        with pytest.raises(Damaged):
            safe_models.checked_copy(version)
        for attacked in (without_digest(version), with_digest_of(version, folder)):
            with pytest.raises(Refused, match="which can run code"):
                pytest.fail(f"{name}: {safe_models.load(attacked)}")
        with pytest.raises(Refused, match="which can run code"):
            safe_models.checked_copy(with_digest_of(version, folder))


def test_mlflow_gets_the_files_that_were_checked(version) -> None:
    folder = folder_of(version)
    copied = safe_models.checked_copy(version)
    (folder / "MLmodel").write_text("flavors: {python_function: {loader_module: attack}}")
    served = mlflow.pyfunc.load_model(copied.name)
    assert np.array_equal(served.predict(INPUTS), fitted().predict(INPUTS))
    copied.cleanup()
    with pytest.raises(Refused, match="no digest of all files"):
        safe_models.checked_copy(without_digest(version))


def test_a_model_file_that_asks_for_a_function_gets_none(tmp_path: Path) -> None:
    content = skops.io.dumps(Pipeline([("model", Attack(tmp_path / "proof"))]))
    with pytest.raises(PipelineError):
        safe_models._objects(content)
    assert not (tmp_path / "proof").exists()


def test_no_listed_type_calls_what_it_is_given() -> None:
    assert listed(["sklearn.tree._tree.Tree"]) == ["sklearn.tree._tree.Tree"]
    for name in ("subprocess.Popen", "functools.partial", "operator.methodcaller", "os.system"):
        assert name not in TRUSTED
        with pytest.raises(Refused, match=name):
            listed([name])


def test_a_model_with_other_types_is_not_logged(store: MlflowClient) -> None:
    class Own:
        def predict(self, rows: pd.DataFrame) -> np.ndarray:
            return np.zeros(len(rows))

    with pytest.raises(Refused, match="Own"), mlflow.start_run():
        models.log_model(Own(), INPUTS)
