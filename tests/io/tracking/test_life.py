"""The history of the deployed model: every event once and for ever; a stop acts until a person."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from pipeline.io.tracking import champion, life, registry
from pipeline.monitor.history import Event
from pipeline.schemas import MODEL_NAME


@pytest.fixture(autouse=True)
def version(store: MlflowClient) -> ModelVersion:
    store.create_registered_model(MODEL_NAME)
    run_id = store.create_run("0").info.run_id
    store.create_model_version(MODEL_NAME, f"file:///nowhere/{run_id}", run_id)
    return registry.find(1, who="test")


def now() -> ModelVersion:
    return registry.find(1, who="test")


def actions() -> list[str]:
    return [event.action for event in life.events()]


def test_more_events_are_kept_than_a_tag_can_hold() -> None:
    many = [Event(f"2024-01-01T00:00:{k:02d}Z", "promote", k, None, "x" * 1000, "me")
            for k in range(30)]  # fmt: skip
    life.add(many)
    life.add(many)
    assert [event.version for event in life.events()] == list(range(30))


def test_a_stop_is_one_event_and_acts_until_a_person_resumes_it(version: ModelVersion) -> None:
    assert life.decide("stop", version, reason="no skill", by="score")
    assert not life.decide("stop", now(), reason="no skill", by="score")
    assert life.is_stopped(now())
    life.record_health(now(), "healthy", "healthy")
    assert life.is_stopped(now())  # no later look revives it
    assert life.decide("resume", now(), reason="wrong data", by="ann", session="2024-05-01")
    assert not life.is_stopped(now())
    assert life.resumed_at(1) == "2024-05-01"
    assert life.decide("stop", now(), reason="again", by="score")
    assert actions() == ["stop", "resume", "stop"]


def test_a_kill_between_the_event_and_the_tag_is_made_good(
    version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "set_model_version_tag", killed)
        with pytest.raises(KeyboardInterrupt):
            life.decide("stop", version, reason="no skill", by="score")
    life.decide("stop", now(), reason="no skill", by="score")
    assert (actions(), life.is_stopped(now())) == (["stop"], True)


def test_moves_and_stops_are_one_history_and_what_an_older_release_kept_joins_it(
    store: MlflowClient,
) -> None:
    champion.move_champion(
        1, action="promote", reason="why", forced=False, by="me", evidence="run 7"
    )
    (event,) = life.events()
    assert (event.action, event.version, event.evidence) == ("promote", 1, "run 7")
    assert now().tags["champion.evidence"] == "run 7"
    store.delete_registered_model_tag(MODEL_NAME, "life.000001")
    champion.settle("status")
    assert actions() == ["promote"]
    store.delete_registered_model_alias(MODEL_NAME, "champion")
    champion.settle("status")
    assert actions() == ["promote", "by hand"]
