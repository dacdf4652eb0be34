"""Names in the code are the words of the field; docs/concepts.md explains those of this project."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HASHED = ROOT / "pipeline" / "market"
"""Names there are part of the hashes of features: one that changes strands every trained model."""

STORED = "contract"
"""Constants there are called as what MLflow and the store hold is."""

INSTEAD = {
    "told": "recorded, reported", "said": "stated, logged", "asked": "requested",
    "wanted": "requested, expected", "anew": "again", "aside": "quarantined", "least": "min",
    "most": "max", "strangers": "other symbols", "torn": "split session",
    "eve": "previous session", "rivals": "baselines, peers", "spoiled": "corrupted",
    "dealt": "permuted", "fate": "classify", "news": "delta",
}  # fmt: skip
"""Word -> what to say instead; the words are looked for in names."""

VAGUE = {"own", "kept", "found"}
"""Say of nothing what it is, where they are all of a name; as a part of one they may help."""

ERROR_PART, OF_ERRORS = "found", "errors.py"
"""What an error says was found is called so, and is a text."""

TEXTS = {"anew", "set aside", "sets aside", "told"}
"""Looked for in all that is written: comments, docstrings, messages. In quotes they are stored."""

MODULES = [m for m in sorted((ROOT / "pipeline").rglob("*.py")) if HASHED not in m.parents]


def names(tree: ast.Module) -> Iterator[str]:
    """Of all that a module defines: functions, classes, arguments, variables, attributes."""
    for node in ast.walk(tree):
        yield from names_of(node)


def names_of(node: ast.AST) -> Iterator[str]:
    """What one node defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr


def words(name: str) -> set[str]:
    """Parts of a name, in small letters."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return set(re.sub("at_(most|least)", "", parts).split("_"))


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_names_are_standard_words(module: Path) -> None:
    text = module.read_text()
    assert not words(module.stem) & set(INSTEAD)
    if module.parent.name != STORED:
        assert [name for name in names(ast.parse(text)) if words(name) & set(INSTEAD)] == []
        assert module.name == OF_ERRORS or vague(ast.parse(text)) == []
        assert [p for p in TEXTS if re.search(rf"(?<!\")\b{p}\b", text)] == []


def vague(tree: ast.Module) -> list[str]:
    """Names that say of nothing what it is, with their lines."""
    texts = {id(node) for node in ast.walk(tree) if is_text_of_an_error(node)}
    texts |= {id(child) for node in ast.walk(tree) if id(node) in texts for child in parts(node)}
    found = []
    for node in ast.walk(tree):
        for name in names_of(node):
            if name.strip("_").lower() in VAGUE and id(node) not in texts:
                found.append(f"{name}:{getattr(node, 'lineno', 0)}")
    return found


def is_text_of_an_error(node: ast.AST) -> bool:
    """Whether a node gives a text to the name of an error's part."""
    if isinstance(node, ast.arg):
        return node.arg == ERROR_PART and ast.unparse(node.annotation or node) == "str"
    if isinstance(node, ast.AnnAssign):  # a field
        return ast.unparse(node.annotation) == "str"
    if isinstance(node, ast.For):  # of a table of errors
        return "needed" in ast.unparse(node.target)
    return isinstance(node, ast.Assign) and is_text(node.value)


def is_text(value: ast.expr) -> bool:
    if isinstance(value, ast.IfExp):
        return is_text(value.body) and is_text(value.orelse)
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str)
    return isinstance(value, ast.JoinedStr) or ast.unparse(value).endswith(f".{ERROR_PART}")


def parts(node: ast.AST) -> list[ast.AST]:
    """Nodes that are assigned to."""
    if isinstance(node, ast.Assign):
        return [each for target in node.targets for each in ast.walk(target)]
    if isinstance(node, ast.For | ast.AnnAssign):
        return list(ast.walk(node.target))
    return []


def test_words_are_found_in_names_of_every_kind() -> None:
    text = "class ToldNews: ...\ndef set_aside(wanted): x.asked = LEAST_SHARE = 1"
    found = [name for name in names(ast.parse(text)) if words(name) & set(INSTEAD)]
    assert sorted(found) == ["LEAST_SHARE", "ToldNews", "asked", "set_aside", "wanted"]


def test_a_vague_name_is_found_and_the_text_of_an_error_is_none() -> None:
    text = "own = 1\nfound = []\nfor kept in x: ...\ndef f(found: int): found = 'text'"
    assert sorted(vague(ast.parse(text))) == ["found:2", "found:4", "kept:3", "own:1"]
