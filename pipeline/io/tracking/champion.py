"""Moves of `champion`: one at a time, recorded so that a kill between two steps changes no truth.

The alias alone decides what is deployed. A move is noted down as meant, made, recorded in the
model's history and on the version, and the note taken away. Whoever looks next finishes what a kill
left: the alias says whether the move was made. An alias that is elsewhere than the history says was
moved by hand, which is recorded with the time it was seen.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from mlflow import MlflowClient

from pipeline.commands import Command
from pipeline.contract import Aliases, LifeTags, Tags
from pipeline.errors import NotReady, Refused
from pipeline.io.tracking import life, registered, registry
from pipeline.monitor.history import Event
from pipeline.report.model_page import model_page

log = logging.getLogger("pipeline.tracking")

MAX_RECORDED_MOVES = 20
TAG_CHARACTERS = 4800
"""A tag's value may hold 5,000."""

BY_HAND = "by hand"


@dataclass(frozen=True)
class Move:
    """One move of `champion`; version None: the alias was taken away."""

    version: int | None
    previous: int | None
    reason: str
    forced: bool
    by: str
    at: str
    action: str
    evidence: str = ""

    @property
    def event(self) -> Event:
        """The move as a part of the model's history."""
        return Event(
            self.at, self.action, self.version, self.previous, self.reason, self.by, self.forced,
            self.evidence,
        )  # fmt: skip


def history() -> list[Move]:
    """Recorded moves of `champion`, oldest first."""
    return _recorded(life.model_tags())[0]


def moved_by_hand() -> bool:
    """Whether `champion` is where promote or rollback did not put it."""
    moves, held = history(), _held()
    last = moves[-1] if moves else None
    return held != (last and last.version) or (last is not None and last.action == BY_HAND)


def settle(who: str) -> list[Move]:
    """Finish what a kill left, and record a move by hand; gives the moves, oldest first.

    Takes the lock only where there is something to write.
    """
    tags = life.model_tags()
    moves, is_damaged = _recorded(tags)
    last = moves[-1].version if moves else None
    is_whole = not moves or any(life.is_same(moves[-1].event, e) for e in life.of_tags(tags))
    if not is_damaged and is_whole and LifeTags.CHAMPION_INTENT not in tags and last == _held():
        return moves
    with registry.alone(who):
        return _settle()


def move_champion(
    version: int,
    *,
    action: str,
    reason: str,
    forced: bool,
    by: str,
    tags: Mapping[str, str] | None = None,
    compared_with: int | None = None,
    evidence: str = "",
) -> Move:
    """Move `champion`, with its reason on the version and in the model's history.

    Parameters
    ----------
    tags
        More tags of the version.
    compared_with
        The champion that the version was judged against; None: there was none.
    evidence
        Id of the run that the decision rests on.

    Raises
    ------
    Refused
        Another version became champion meanwhile.
    """
    with registry.alone(action):
        _settle()
        held = _held()
        if held not in (compared_with, version) and action == "promote":
            raise Refused(
                action,
                f"champion was moved to version {held} while version {version} was compared with "
                + (f"version {compared_with}" if compared_with else "none"),
                f"a comparison with version {held}",
                Command(action, f"promote.version={version}"),
            )
        return _move(
            version, action=action, reason=reason, forced=forced, by=by, tags=tags or {},
            evidence=evidence,
        )  # fmt: skip


def roll_back(reason: str | None, by: str) -> Move:
    """Give `champion` back to who held it before.

    Raises
    ------
    NotReady
        Nobody did, or no version that still exists.
    """
    with registry.alone("rollback"):
        moves, held = _settle(), _held()
        existing = {int(version.version): version for version in registry.versions()}
        previous = predecessor(moves, held, set(existing))
        if previous is None:
            found = f"version {held} is the first champion" if held else "there was no champion"
            raise NotReady(
                "rollback", found, "a champion before it, that still exists",
                Command("promote", "promote.version=N"),
            )  # fmt: skip
        why = reason or (f"rollback from version {held}" if held else "the alias was taken away")
        return _move(
            previous, action="rollback", reason=why, forced=False, by=by, tags={},
            evidence=existing[previous].tags.get(LifeTags.EVIDENCE, ""),  # it promises what it did
        )  # fmt: skip


def predecessor(moves: Sequence[Move], held: int | None, existing: set[int]) -> int | None:
    """Who held `champion` before the version that holds it now came to it."""
    came = [i for i, m in enumerate(moves) if m.version == held and m.action != "rollback"]
    place = came[-1] if came and held is not None else len(moves)
    before = [move.version for move in moves[:place]]
    if place < len(moves):
        before.insert(0, moves[place].previous)  # where older moves are no longer kept
    listed = [version for version in before if version != held and version in existing]
    return listed[-1] if listed else None


def _move(
    version: int, *, action: str, reason: str, forced: bool, by: str, tags: Mapping[str, str],
    evidence: str = "",
) -> Move:  # fmt: skip
    client = MlflowClient()
    move = Move(
        version=version,
        previous=_held(),
        reason=reason[:200],
        forced=forced,
        by=by,
        at=life.now(),
        action=action,
        evidence=evidence,
    )
    for key, value in tags.items():  # true of the version wherever the alias is
        client.set_model_version_tag(registered.name(), str(version), key, value)
    client.set_registered_model_tag(
        registered.name(), LifeTags.CHAMPION_INTENT, json.dumps(asdict(move))
    )
    client.set_registered_model_alias(registered.name(), Aliases.CHAMPION, str(version))
    _settle()
    return move


def _settle() -> list[Move]:
    """See `settle`; for who holds the lock."""
    client, tags = MlflowClient(), life.model_tags()
    moves, is_damaged = _recorded(tags)
    meant, held = tags.get(LifeTags.CHAMPION_INTENT), _held()
    recorded = len(moves)
    move = _move_of(meant) if meant else None
    is_made = move is not None and move.version == held
    if move is not None and is_made and moves[-1:] != [move]:
        moves.append(move)
    last = moves[-1].version if moves else None
    if held != last:
        moves.append(
            Move(
                held,
                last,
                f"seen at {life.now()}, made before",
                False,
                "unknown",
                life.now(),
                BY_HAND,
            )
        )
        log.warning(
            "%s was moved by hand from %s to %s", Aliases.CHAMPION, last or "none", held or "none"
        )
    if is_damaged:
        log.warning("the history of %s is damaged: made again from its versions", registered.name())
    if is_damaged or len(moves) > recorded:
        client.set_registered_model_tag(registered.name(), Tags.CHAMPION_HISTORY, _as_text(moves))
    is_new = life.add(each.event for each in moves)
    if is_new or meant is not None:  # also where a kill came before
        refresh_page()
    if move is not None and is_made:
        for key, value in asdict(move).items():
            tag = f"{Tags.CHAMPION}{key}"
            client.set_model_version_tag(registered.name(), str(move.version), tag, str(value))
    if meant is not None:
        client.delete_registered_model_tag(registered.name(), LifeTags.CHAMPION_INTENT)
    return moves


def refresh_page() -> None:
    """Write the aliases and the history on the model's page; after each event of its life."""
    client, name = MlflowClient(), registered.name()
    model = client.get_registered_model(name)
    numbers = {alias: int(version) for alias, version in model.aliases.items()}
    versions = {alias: numbers.get(alias) for alias in (Aliases.CHAMPION, Aliases.CHALLENGER)}
    client.update_registered_model(name, model_page(name, versions, life.of_tags(model.tags)))


def _as_text(moves: Sequence[Move]) -> str:
    """The newest moves, as many as a tag can hold."""
    newest = [asdict(move) for move in moves[-MAX_RECORDED_MOVES:]]
    while len(text := json.dumps(newest)) > TAG_CHARACTERS:
        newest = newest[1:]
    return text


def _recorded(tags: Mapping[str, str]) -> tuple[list[Move], bool]:
    """Moves of a history, and whether it is damaged: then they are those of the versions' tags."""
    try:
        listed = json.loads(tags.get(Tags.CHAMPION_HISTORY, "[]"))
        return [_checked(move) for move in listed], False
    except (ValueError, TypeError):
        return _of_versions(), True


def _move_of(text: str) -> Move | None:
    try:
        return _checked(json.loads(text))
    except (ValueError, TypeError):
        return None


def _checked(content: Mapping[str, object]) -> Move:
    move = Move(**content)  # type: ignore[arg-type]
    numbers = (move.version, move.previous)
    if not all(number is None or type(number) is int for number in numbers):
        raise ValueError(f"{numbers} are no versions")
    return move


def _of_versions() -> list[Move]:
    """The last move to each version, by the versions' own tags, oldest first."""
    moves = []
    for version in registry.versions():
        tagged = {
            key.removeprefix(Tags.CHAMPION): value
            for key, value in version.tags.items()
            if key.startswith(Tags.CHAMPION)
        }
        with suppress(KeyError, ValueError):
            previous = None if tagged["previous"] == "None" else int(tagged["previous"])
            moves.append(
                Move(
                    int(version.version), previous, tagged["reason"], tagged["forced"] == "True",
                    tagged["by"], tagged["at"], tagged["action"], tagged.get("evidence", ""),
                )
            )  # fmt: skip
    return sorted(moves, key=lambda move: (move.at, move.version))


def _held() -> int | None:
    version = registry.holder(Aliases.CHAMPION)
    return int(version.version) if version else None
