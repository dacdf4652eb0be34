"""Moves of `champion`: recorded, whatever is killed between two steps and whoever moves by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from pipeline.contract import LifeTags, Tags
from pipeline.errors import NotReady, Refused
from pipeline.io.tracking import champion, registry
from pipeline.io.tracking.champion import Move, predecessor
from pipeline.schemas import MODEL_NAME

STEPS = (
    "set_registered_model_tag",
    "set_registered_model_alias",
    "set_model_version_tag",
    "delete_registered_model_tag",
)


@pytest.fixture(autouse=True)
def versions(store: MlflowClient) -> list[str]:
    """Run ids of four registered versions."""
    store.create_registered_model(MODEL_NAME)
    made = [store.create_run("0").info.run_id for _ in range(4)]
    for run_id in made:
        store.create_model_version(MODEL_NAME, f"file:///nowhere/{run_id}", run_id)
    return made


def move(version: int, **changes) -> Move:
    held = registry.holder("champion")
    given = {"action": "promote", "reason": "why", "forced": False, "by": "me"}
    given["compared_with"] = int(held.version) if held else None
    return champion.move_champion(version, **(given | changes))


def recorded() -> list[tuple[int | None, int | None, str]]:
    return [(m.version, m.previous, m.action) for m in champion.history()]


def by_hand(store: MlflowClient, version: int) -> None:
    store.set_registered_model_alias(MODEL_NAME, "champion", str(version))


def test_moves_are_kept_on_the_model_and_the_last_one_on_the_version(store: MlflowClient) -> None:
    move(1)
    move(3, tags={"gates.passed": "x"})
    assert recorded() == [(1, None, "promote"), (3, 1, "promote")]
    tags = store.get_model_version(MODEL_NAME, "3").tags
    assert (tags["champion.previous"], tags["champion.reason"]) == ("1", "why")
    assert tags["gates.passed"] == "x"
    assert LifeTags.CHAMPION_INTENT not in store.get_registered_model(MODEL_NAME).tags


@pytest.mark.parametrize("action", ["promote", "rollback"])
def test_a_kill_before_any_step_leaves_the_truth(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """Who holds the alias is in the history after the next look, and nobody else."""
    move(1)
    move(2)
    steps = 0
    while True:
        steps += 1
        if _killed_at(steps, monkeypatch, action):
            settled = champion.settle("status")
            held = int(registry.holder("champion").version)
            assert settled[-1].version == held
            assert [m.version for m in settled] == [1, 2, *([held] if held != 2 else [])]
            assert settled[-1].action == (action if held != 2 else "promote")
            assert store.get_model_version(MODEL_NAME, str(held)).tags["champion.reason"] == "why"
            assert champion.settle("status") == settled
            if held != 2:  # as it was, for the next step
                by_hand(store, 2)
                told = json.dumps([vars(m) for m in settled[:2]])
                store.set_registered_model_tag(MODEL_NAME, Tags.CHAMPION_HISTORY, told)
        else:
            break
    assert steps > 10  # intent, alias, history, seven tags of the version, the intent's end


def _killed_at(number: int, monkeypatch: pytest.MonkeyPatch, action: str) -> bool:
    """Whether a move of 2 to 3, or back to 1, was broken off before its step of this number."""
    done = 0

    def counted(original):
        def call(*arguments, **named):
            nonlocal done
            done += 1
            if done == number:
                raise KeyboardInterrupt
            return original(*arguments, **named)

        return call

    with monkeypatch.context() as patched:
        for name in STEPS:
            patched.setattr(MlflowClient, name, counted(getattr(MlflowClient, name)))
        try:
            move(3) if action == "promote" else champion.roll_back("why", "me")
        except KeyboardInterrupt:
            return True
    return False


def test_a_move_by_hand_counts_at_once_and_is_recorded_when_seen(store: MlflowClient) -> None:
    assert not champion.moved_by_hand()
    move(1)
    assert not champion.moved_by_hand()
    by_hand(store, 2)
    assert champion.moved_by_hand()
    seen = champion.settle("status")[-1]
    assert (seen.version, seen.previous, seen.action) == (2, 1, "by hand")
    assert f"seen at {seen.at[:13]}" in seen.reason
    assert champion.settle("status")[-1] == seen
    assert champion.moved_by_hand()


def test_rollback_after_a_move_by_hand_returns_to_who_held_the_alias(store: MlflowClient) -> None:
    move(1)
    move(2)
    by_hand(store, 4)
    assert champion.roll_back(None, "me").version == 2
    assert recorded()[-2:] == [(4, 2, "by hand"), (2, 4, "rollback")]


def test_rollback_leaves_a_version_the_evidence_that_it_was_promoted_on(
    store: MlflowClient,
) -> None:
    move(1, evidence="first")
    move(2, evidence="second")
    assert champion.roll_back(None, "me").evidence == "first"
    assert store.get_model_version(MODEL_NAME, "1").tags["champion.evidence"] == "first"


def test_the_models_page_tells_of_every_move(store: MlflowClient) -> None:
    move(1)
    by_hand(store, 2)
    champion.settle("status")
    page = store.get_registered_model(MODEL_NAME).description
    assert page.index("| by hand |") < page.index("| promote |")


def test_rollback_restores_an_alias_that_was_taken_away_or_lost_its_version(
    store: MlflowClient,
) -> None:
    move(1)
    move(2)
    store.delete_registered_model_alias(MODEL_NAME, "champion")
    assert champion.roll_back(None, "me").version == 2
    store.delete_model_version(MODEL_NAME, "2")
    assert champion.roll_back(None, "me").version == 1


def test_rollback_without_anybody_before_says_so() -> None:
    move(1)
    with pytest.raises(NotReady, match="version 1 is the first champion"):
        champion.roll_back(None, "me")


def test_a_promotion_is_refused_where_another_came_between() -> None:
    move(1)
    move(2)
    with pytest.raises(Refused, match="moved to version 2 while version 3 was compared"):
        move(3, compared_with=1)
    assert str(registry.holder("champion").version) == "2"


@pytest.mark.soak
def test_promotions_at_once_make_one_champion_and_a_history_without_gaps(
    store: MlflowClient,
) -> None:
    script = (
        "import sys, mlflow; from pipeline.io.tracking import champion;"
        "champion.move_champion(int(sys.argv[1]), action='rollback', reason='', forced=False,"
        " by='me')"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", script, str(version)], env=os.environ)
        for version in (1, 2, 3)
    ]
    assert [process.wait(240) for process in started] == [0, 0, 0]
    moves = champion.history()
    assert sorted(m.version for m in moves) == [1, 2, 3]
    assert [m.previous for m in moves] == [None, *(m.version for m in moves[:-1])]
    assert int(registry.holder("champion").version) == moves[-1].version


@pytest.mark.parametrize("text", ["[{", '[{"version": 1}]', '[{"version": "x"}]', "7"])
def test_a_damaged_history_is_made_again_from_the_versions(
    store: MlflowClient, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    move(1)
    move(2)
    store.set_registered_model_tag(MODEL_NAME, Tags.CHAMPION_HISTORY, text)
    caplog.set_level("WARNING", "pipeline")
    assert [m.version for m in champion.settle("status")] == [1, 2]
    assert "damaged" in caplog.text
    assert recorded() == [(1, None, "promote"), (2, 1, "promote")]


def test_long_reasons_do_not_break_a_move() -> None:
    for number in range(12):
        move(1 + number % 2, reason="\u00e9" * 300)
    moves = champion.history()
    assert moves[-1].version == 2
    assert 3 <= len(moves) <= champion.MAX_RECORDED_MOVES


def made(*steps: tuple[int | None, str]) -> list[Move]:
    before = [None, *(version for version, _ in steps[:-1])]
    return [
        Move(version, old, "", False, "me", "", action)
        for (version, action), old in zip(steps, before, strict=True)
    ]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(1, "promote")], None),
        ([(1, "promote"), (2, "promote"), (3, "promote")], 2),
        ([(1, "promote"), (2, "promote"), (3, "promote"), (2, "rollback")], 1),
        ([(1, "promote"), (2, "promote"), (1, "rollback")], None),
        ([(1, "promote"), (2, "promote"), (1, "rollback"), (3, "promote")], 1),
        ([(1, "promote"), (None, "by hand"), (2, "promote")], 1),
        ([(1, "promote"), (9, "promote"), (2, "promote")], 1),
    ],
)
def test_who_held_it_before_by_hand_worked_out(steps, expected) -> None:
    moves = made(*steps)
    assert predecessor(moves, moves[-1].version, {1, 2, 3}) == expected
