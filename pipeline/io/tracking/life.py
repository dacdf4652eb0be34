"""The history of the deployed model, kept as tags of the registered model: one an event, for ever.

``champion`` keeps its newest moves in one tag that has to be small. Here every move stands for
itself, beside what moves no alias: a stop, an expiry, a return to trading. An event is written once
and never changed; who writes holds the registry's lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipeline.contract import LifeTags
from pipeline.io import clock
from pipeline.io.tracking import registered, registry
from pipeline.io.tracking.values import ModelVersion
from pipeline.monitor.health import STOP
from pipeline.monitor.history import RESUMED, STOPPED, Event

MAX_REASON = 1500


def events() -> list[Event]:
    """All events, oldest first."""
    return of_tags(model_tags())


def of_tags(tags: Mapping[str, str]) -> list[Event]:
    """The events that a registered model's tags hold, oldest first."""
    keys = sorted(name for name in tags if name.startswith(LifeTags.LIFE))
    return [Event(**json.loads(tags[name])) for name in keys]


def model_tags() -> dict[str, str]:
    """Tags of the registered model; none where there is no model."""
    try:
        return dict(MlflowClient().get_registered_model(registered.name()).tags)
    except MlflowException as error:
        if registered.is_absent(error):
            return {}
        raise


def add(new: Iterable[Event]) -> bool:
    """Write events that are not there yet, for who holds the registry's lock; gives if any was."""
    known = events()
    before = len(known)
    for event in new:
        if not any(is_same(event, other) for other in known):
            _write(event, len(known) + 1)
            known.append(event)
    return len(known) > before


def _write(event: Event, number: int) -> None:
    key = f"{LifeTags.LIFE}{number:06d}"
    text = json.dumps({**asdict(event), "reason": event.reason[:MAX_REASON]})
    MlflowClient().set_registered_model_tag(registered.name(), key, text)


def is_same(one: Event, other: Event) -> bool:
    """Whether two events are one: the same action on the same version at the same moment."""
    return (one.at, one.action, one.version) == (other.at, other.action, other.version)


def record_health(version: ModelVersion, answer: str, text: str) -> None:
    """The health of a version, as a tag of it; a stop stays until a person resumes it."""
    if not is_stopped(version) and version.tags.get(LifeTags.HEALTH) != text:
        MlflowClient().set_model_version_tag(
            registered.name(), version.version, LifeTags.HEALTH, text[:4000]
        )


def is_stopped(version: ModelVersion) -> bool:
    """Whether a version may not trade."""
    return version.tags.get(LifeTags.HEALTH, "").split(":")[0] == STOP


def decide(action: str, version: ModelVersion, *, reason: str, by: str, evidence: str = "",
           session: str = "") -> bool:  # fmt: skip
    """Stop, expire or resume a version; gives whether that is news.

    The event comes before the tag that acts on it, so that a kill between the two is made good by
    the same call again: an event of this action that nothing followed is not written twice.
    """
    number = int(version.version)
    with registry.alone(action):
        known = events()
        earlier = [event for event in known if event.version == number]
        is_new = not earlier or earlier[-1].action != action
        if is_new:  # also within the second of an earlier event
            event = Event(now(), action, number, number, reason, by, False, evidence, session)
            _write(event, len(known) + 1)
        client, name = MlflowClient(), registered.name()
        if action == STOPPED:
            text = f"{STOP}: {reason}"[:4000]
            client.set_model_version_tag(name, version.version, LifeTags.HEALTH, text)
        elif action == RESUMED:
            client.set_model_version_tag(
                registered.name(), version.version, LifeTags.HEALTH, "resumed"
            )
    return is_new


def resumed_at(number: int) -> str:
    """Session before which outcomes no longer count for a version: a person resumed it then."""
    resumed = [event for event in events() if event.version == number and event.action == RESUMED]
    return resumed[-1].session if resumed else ""


def now() -> str:
    """This moment in UTC, as events are dated."""
    return clock.as_text(clock.now())
