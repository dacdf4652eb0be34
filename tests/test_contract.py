"""One file of names: no name twice, and none in the code that it does not know."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pipeline import contract

ROOT = Path(__file__).resolve().parents[1]
MODULES = [m for m in sorted((ROOT / "pipeline").rglob("*.py")) if m.name != "contract.py"]
GROUPS = [v for v in vars(contract).values() if isinstance(v, type)]


def values(group: type) -> list[str]:
    return [value for name, value in vars(group).items() if name.isupper()]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_no_name_stands_twice(group: type) -> None:
    assert len(set(values(group))) == len(values(group))


def texts(module: Path) -> set[str]:
    """Whole texts of a module; of one with parts filled in, none."""
    tree = ast.parse(module.read_text())
    inside = {id(p) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for p in n.values}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside
    }


FIRST_PARTS = {name.split("/")[0] for name in values(contract.Metrics)}


def test_every_metric_of_the_code_is_in_the_contract() -> None:
    used = {text for module in MODULES for text in texts(module)}
    metrics = {t for t in used if re.fullmatch(r"[a-z]+/[a-z0-9_]+", t)}
    metrics = {t for t in metrics if t.split("/")[0] in FIRST_PARTS}
    assert metrics <= set(values(contract.Metrics))


def test_every_file_that_is_logged_is_in_the_contract() -> None:
    logged = []
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if (
                isinstance(node, ast.Call)
                and re.search(r"\.log_(text|dict|figure|frame)$", ast.unparse(node.func))
                and (names := [a.value for a in node.args if isinstance(a, ast.Constant)])
            ):
                logged += names
    assert {name for name in logged if "." in str(name)} <= set(values(contract.Artifacts))
