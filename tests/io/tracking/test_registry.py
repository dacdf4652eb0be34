"""Aliases decide what is deployed; who moved them why is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR

from pipeline.commands import Command
from pipeline.errors import NotReady
from pipeline.io.tracking import registry
from pipeline.schemas import MODEL_NAME


@pytest.fixture
def versions(store: MlflowClient) -> list[str]:
    """Run ids of three registered versions."""
    store.create_registered_model(MODEL_NAME)
    made = [store.create_run("0").info.run_id for _ in range(3)]
    for run_id in made:
        store.create_model_version(MODEL_NAME, f"file:///nowhere/{run_id}", run_id)
    return made


def test_a_model_is_found_by_alias_version_or_run(versions: list[str], store: MlflowClient) -> None:
    store.set_registered_model_alias(MODEL_NAME, "champion", "2")
    assert {str(registry.find(m, who="x").version) for m in ("champion", 2, versions[1])} == {"2"}


def test_without_a_model_the_next_command_depends_on_what_is_missing(store: MlflowClient) -> None:
    def following(model: str) -> object:
        with pytest.raises(NotReady, match=f"no model '{model}'") as refused:
            registry.find(model, who="x")
        return refused.value.next

    assert following("champion") == Command("retrain")
    store.create_registered_model(MODEL_NAME)
    store.create_model_version(MODEL_NAME, "file:///nowhere", None)
    assert following("champion") == Command("promote")
    assert following("99") == Command("status")
    store.set_registered_model_tag(MODEL_NAME, "champion.history", "[]")
    assert following("champion") == Command("rollback")


def test_a_version_is_whole_at_once_and_a_kill_before_its_alias_is_made_good(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = store.create_run("0").info.run_id
    monkeypatch.setattr(registry, "_make_challenger", killed)
    with pytest.raises(KeyboardInterrupt):
        registry.register("file:///nowhere", run_id, {"verdict": "accepted"}, "what people read")
    version = store.get_model_version(MODEL_NAME, "1")
    assert (version.description, version.tags["verdict"]) == ("what people read", "accepted")
    assert registry.holder("challenger") is None
    monkeypatch.undo()
    registry.settle_challenger()
    registry.settle_challenger()
    assert str(registry.holder("challenger").version) == "1"
    assert "challenger.intent" not in store.get_model_version(MODEL_NAME, "1").tags


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_number_is_not_given_twice(versions: list[str], store: MlflowClient) -> None:
    assert registry.next_version() == 4
    registered = registry.register("file:///nowhere", store.create_run("0").info.run_id, {})
    assert registered == 4


def test_a_registry_that_cannot_be_asked_is_not_one_without_a_champion(
    versions: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise MlflowException("the server is silent", INTERNAL_ERROR)

    monkeypatch.setattr(MlflowClient, "get_model_version_by_alias", refused)
    for ask in (lambda: registry.holder("champion"), lambda: registry.find("champion", who="x")):
        with pytest.raises(MlflowException, match="silent"):
            ask()


def test_an_audit_leaves_its_answer_on_the_version_and_its_run(
    versions: list[str], store: MlflowClient
) -> None:
    registry.record_audit(registry.find(1, who="x"), "no leak", True)
    assert registry.find(1, who="x").tags["audit"] == "no leak"
    assert store.get_run(versions[0]).data.metrics["audit/passed"] == 1.0
