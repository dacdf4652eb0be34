"""Errors in four parts, with faults and commands as objects."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

from pipeline.commands import Command
from pipeline.errors import Fault, InvalidSettings, NotReady, PipelineError

MODULES = sorted((Path(__file__).resolve().parents[1] / "pipeline").rglob("*.py"))


def test_an_error_says_who_what_is_needed_and_what_to_run() -> None:
    error = NotReady("retrain", "no bars", "prices", Command("ingest"))
    assert str(error) == "retrain: no bars\n  needed: prices\n  next:   mlflow run . -e ingest"
    assert "next:" not in str(NotReady("retrain", "no bars", "prices"))


def test_several_commands_run_one_after_the_other_that_ended_well() -> None:
    error = PipelineError("x", "y", "z", ("mv a b", Command("retrain"), Command("promote")))
    expected = "mv a b && mlflow run . -e retrain && mlflow run . -e promote"
    assert error.next_command == expected
    assert error.next[1] == Command("retrain")


def test_faults_are_objects_once_each_and_in_order() -> None:
    faults = [Fault("b", "got 1", "2; or 3"), Fault("a", "missing"), Fault("b", "got 1", "2; or 3")]
    error = InvalidSettings("gates", needed="better ones", faults=faults)
    assert error.faults == (faults[0], faults[1])
    assert error.found == "b: got 1; 2; or 3; a: missing"


def test_a_single_fault_need_not_be_made_an_object() -> None:
    error = InvalidSettings("data", "nothing", "a path")
    assert error.faults == (Fault("", "nothing", "a path"),)


def test_a_fault_moves_into_a_section() -> None:
    assert str(Fault("min", "got 1").under("gates")) == "gates.min: got 1"
    assert str(Fault("", "got 1").under("gates")) == "gates: got 1"


def test_an_error_comes_whole_out_of_another_process() -> None:
    error = InvalidSettings("x", faults=[Fault("a", "b")], next=Command("status", "seed=1"))
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.faults, again.next) == (str(error), error.faults, error.next)


@pytest.mark.parametrize("part", ["found", "needed", "next_command"])
def test_no_part_of_an_error_is_split_again(part: str) -> None:
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("split", "splitlines"):
                assert not ast.unparse(node.value).endswith(f".{part}"), f"{module}:{node.lineno}"
