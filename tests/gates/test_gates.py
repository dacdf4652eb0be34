"""Gates are what conf/gates/ says, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.errors import InvalidSettings
from pipeline.gates.gates import Gate, Gates

WRITTEN: dict[str, Any] = {
    "metric": "test/r2",
    "operator": ">",
    "threshold": 0.0,
    "when_unknown": "refuse",
    "required": True,
}
LIMITS = {"min_sessions": 60, "evidence_max_age_sessions": 63}


def places(error: ValidationError) -> set[str]:
    return {".".join(map(str, detail["loc"])) for detail in error.errors()}


@pytest.mark.parametrize(
    "changes",
    [
        {"operator": "=>"},
        {"when_unknown": "maybe"},
        {"threshold": "0.5"},
        {"threshold": None},
        {"threshold": float("nan")},
        {"threshold": float("inf")},
        {"required": "no"},
        {"required": 1},
        {"metric": ""},
        {"metric": 3},
        {"unless": ""},
        {"colour": "red"},
    ],
    ids=str,
)
def test_impossible_value_of_a_gate_is_refused_by_its_key(changes):
    with pytest.raises(ValidationError) as refused:
        Gate.model_validate(WRITTEN | changes)
    assert places(refused.value) == set(changes)


@pytest.mark.parametrize("key", sorted(WRITTEN))
def test_every_key_of_a_gate_but_unless_must_be_given(key):
    with pytest.raises(ValidationError) as refused:
        Gate.model_validate({name: value for name, value in WRITTEN.items() if name != key})
    assert places(refused.value) == {key}


def test_every_fault_of_all_gates_is_named():
    wrong = WRITTEN | {"operator": "=>", "when_unknown": "maybe", "threshold": "high", "colour": 1}
    del wrong["metric"]
    with pytest.raises(ValidationError) as refused:
        Gates.model_validate({"evidence_max_age_sessions": -1, "a": wrong, "b": 3, "c": WRITTEN})
    assert places(refused.value) == {
        "min_sessions", "evidence_max_age_sessions",
        "a.metric", "a.operator", "a.when_unknown", "a.threshold", "a.colour", "b",
    }  # fmt: skip


def test_gates_are_frozen():
    gates = Gates.model_validate({**LIMITS, "beats_zero": WRITTEN})
    with pytest.raises(ValidationError, match="frozen"):
        gates.min_sessions = 1
    with pytest.raises(ValidationError, match="frozen"):
        gates.named["beats_zero"].threshold = -1.0
    with pytest.raises(ValidationError, match="frozen"):
        gates.another = gates.named["beats_zero"]


@pytest.mark.parametrize(
    "unless", [{}, {"unless": None}, {"unless": "audit/passed"}], ids=["absent", "null", "given"]
)
def test_gates_give_back_the_mapping_they_were_made_of(unless):
    written = {"z": WRITTEN | {"threshold": 1}, **LIMITS, "a": WRITTEN | unless}
    gates = Gates.model_validate(written)
    assert gates.model_dump(mode="json", by_alias=True) == written
    assert list(gates.named) == ["z", "a"]


@pytest.mark.parametrize("overrides", [[], ["gates=targets"]], ids=["strict", "targets"])
def test_settings_of_a_run_are_read_again_as_they_were(overrides):
    settings = check(compose(overrides))
    content = settings.model_dump(mode="json", by_alias=True)
    again = Settings.from_config(content)
    assert again.gates == settings.gates
    assert list(again.gates.named) == list(settings.gates.named)
    assert again.model_dump(mode="json", by_alias=True) == content


def test_faults_of_gates_stand_among_all_others_each_with_its_key():
    with pytest.raises(InvalidSettings) as refused:
        check(
            compose([
                "seed=-1",
                "gates.beats_zero.operator=about",
                "gates.beats_train_mean.operator=about",
                "~gates.deflated_sharpe.metric",
                "~gates.deflated_sharpe.required",
                "+gates.note=3",
                "gates.min_sessions=few",
            ])
        )  # fmt: skip
    for fault in (
        "7 faults", "seed: got -1;", "gates.beats_zero.operator: got 'about';",
        "gates.beats_train_mean.operator: got 'about';", "gates.deflated_sharpe.metric: ",
        "gates.deflated_sharpe.required: ", "gates.note: got 3;", "gates.min_sessions: got 'few';",
    ):  # fmt: skip
        assert fault in refused.value.found
