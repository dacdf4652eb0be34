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

TEXTS = {"anew", "set aside", "sets aside"}
"""Looked for in all that is written: comments, docstrings, messages."""

MODULES = [m for m in sorted((ROOT / "pipeline").rglob("*.py")) if HASHED not in m.parents]


def names(tree: ast.Module) -> Iterator[str]:
    """Of all that a module defines: functions, classes, arguments, variables, attributes."""
    for node in ast.walk(tree):
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
        assert [phrase for phrase in TEXTS if re.search(rf"\b{phrase}\b", text)] == []


def test_words_are_found_in_names_of_every_kind() -> None:
    text = "class ToldNews: ...\ndef set_aside(wanted): x.asked = LEAST_SHARE = 1"
    found = [name for name in names(ast.parse(text)) if words(name) & set(INSTEAD)]
    assert sorted(found) == ["LEAST_SHARE", "ToldNews", "asked", "set_aside", "wanted"]
