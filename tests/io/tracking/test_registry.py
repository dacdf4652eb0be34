"""Aliases decide what is deployed; who moved them why is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR

from pipeline.commands import Command
from pipeline.contract import LifeTags
from pipeline.errors import NotReady
from pipeline.io.tracking import registered, registering, registry
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
    assert following("champion") == Command("promote", "promote.version=1")
    store.set_registered_model_alias(MODEL_NAME, "challenger", "1")
    assert following("champion") == Command("promote")
    assert following("99") == Command("status")
    held_by(store, 1)
    assert following("champion") == Command("rollback")


def held_by(store: MlflowClient, *numbers: int) -> None:
    """The versions that were champion, as far as the history says."""
    moves = json.dumps([{"version": number} for number in numbers])
    store.set_registered_model_tag(MODEL_NAME, "champion.history", moves)


def test_a_deleted_champion_is_named_with_who_can_take_its_place(
    versions: list[str], store: MlflowClient
) -> None:
    def told() -> NotReady:
        with pytest.raises(NotReady, match=f"version 3 of {MODEL_NAME}, the champion, was") as said:
            registry.find("champion", who="x")
        return said.value

    held_by(store, 2, 3)
    store.delete_model_version(MODEL_NAME, "3")
    assert told().next == Command("rollback")
    held_by(store, 3)
    assert told().next == Command("promote", "promote.version=2")
    store.delete_model_version(MODEL_NAME, "2")
    store.delete_model_version(MODEL_NAME, "1")
    assert told().next == Command("retrain")


def test_a_version_whose_run_was_deleted_comes_with_the_command_that_restores_it(
    versions: list[str], store: MlflowClient, tmp_path: Path
) -> None:
    store.delete_run(versions[0])
    with pytest.raises(NotReady, match=f"run {versions[0]} of version 1 was deleted") as refused:
        registry.find(1, who="x")
    assert refused.value.next == f"mlflow runs restore --run-id {versions[0]}"
    store.restore_run(versions[0])
    assert registry.find(1, who="x").run_id == versions[0]
    store.create_model_version(MODEL_NAME, "file:///nowhere", "a" * 32)
    with pytest.raises(NotReady, match=f"run {'a' * 32} of version 4 is gone"):
        registry.find(4, who="x")


def test_a_version_is_whole_at_once_and_a_kill_before_its_alias_is_made_good(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "_make_challenger", killed)
    with pytest.raises(KeyboardInterrupt):
        registering.register("file:///nowhere", {"verdict": "accepted"}, "what people read")
    version = store.get_model_version(MODEL_NAME, "1")
    assert (version.description, version.tags["verdict"]) == ("what people read", "accepted")
    assert registry.holder("challenger") is None
    monkeypatch.undo()
    registering.settle_challenger()
    registering.settle_challenger()
    assert str(registry.holder("challenger").version) == "1"
    assert "challenger.intent" not in store.get_model_version(MODEL_NAME, "1").tags


@pytest.mark.parametrize("run_id", [None, "a" * 32], ids=["made by hand", "its run is gone"])
def test_a_version_without_a_run_becomes_challenger_all_the_same(
    store: MlflowClient, run_id: str | None
) -> None:
    store.create_registered_model(MODEL_NAME)
    intent = {LifeTags.CHALLENGER_INTENT: "true"}
    store.create_model_version(MODEL_NAME, "file:///nowhere", run_id, tags=intent)
    registering.settle_challenger()
    assert str(registry.holder("challenger").version) == "1"


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_number_is_not_given_twice(versions: list[str], store: MlflowClient) -> None:
    assert registering.listed().next_number == 4
    assert registering.register("file:///nowhere", {}) == 4


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


MODEL = {"recipe": "r", "learned_digest": "d", "model_digest": "m"}


@pytest.fixture
def selected() -> Iterator[None]:
    yield
    registered.select(MODEL_NAME, "")


def test_only_the_same_recipe_rows_and_model_are_an_equal_version(store: MlflowClient) -> None:
    assert registering.listed().equal_version(MODEL) is None
    registering.register("file:///nowhere", MODEL)
    assert registering.listed().equal_version(MODEL) == 1
    assert [registering.listed().equal_version(MODEL | {name: "other"}) for name in MODEL] == [
        None
    ] * 3
    assert registering.listed().equal_version({"recipe": "r"}) is None


def test_the_recipe_of_a_version_is_run_on_the_store_of_here(store: MlflowClient) -> None:
    words = (
        "store.path=/old/a.db model=ridge +tracking.uri=sqlite:////old/mlflow.db data.path='a b'"
    )
    registering.register("file:///nowhere", {"overrides": words})
    version = registry.find(1, who="x")
    assert registry.recipe_overrides(version) == ("model=ridge", "data.path=a b")


def test_an_older_release_that_kept_no_digest_has_no_equal_version(versions: list[str]) -> None:
    assert registering.listed().equal_version(MODEL) is None


def test_a_version_that_is_not_meant_to_be_challenger_is_one_only_where_none_is(
    store: MlflowClient, selected: None
) -> None:
    registered.select("other", "sample", moves_challenger=False)
    registering.register("file:///nowhere", MODEL)
    registering.register("file:///nowhere", {})
    assert str(registry.holder("challenger").version) == "1"
    registered.select("other", "sample", moves_challenger=True)
    registering.register("file:///nowhere", {})
    assert str(registry.holder("challenger").version) == "3"


def test_an_equal_model_links_to_the_version_that_stands_for_it_and_is_challenger_again(
    store: MlflowClient,
) -> None:
    run = store.create_run("0")
    logged = store.create_logged_model("0", source_run_id=run.info.run_id)
    registering.register("file:///nowhere", MODEL)
    registering.register("file:///nowhere", {})
    registering.take_again(1, f"models:/{logged.model_id}")
    assert str(registry.holder("challenger").version) == "1"
    tags = store.get_logged_model(logged.model_id).tags
    assert json.loads(tags["mlflow.modelVersions"]) == [{"name": MODEL_NAME, "version": 1}]
    assert registering.listed().next_number == 3


def test_a_store_of_an_older_release_keeps_its_name_for_the_sources_it_has(
    store: MlflowClient, selected: None
) -> None:
    def name(data: str) -> str:
        registered.select(f"{MODEL_NAME}_{data}", data)
        return registered.name()

    assert name("sample") == "intraday_return_sample"
    store.create_registered_model(MODEL_NAME)
    store.create_model_version(MODEL_NAME, "file:///nowhere", None, tags={"data_source": "sample"})
    assert name("sample") == MODEL_NAME
    assert name("files") == "intraday_return_files"
    registered.select("mine", "sample")
    assert registered.name() == "mine"
    store.create_registered_model("intraday_return_sample")
    assert name("sample") == "intraday_return_sample"
