"""What crosses from one module to another says in its docstring which errors it raises."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))
ENTRY_POINTS = "stages"
"""Called by the command line alone, which shows whatever they raise."""

Function = ast.FunctionDef
Named = dict[str, Function]


def functions(tree: ast.Module) -> Named:
    """Functions of a module, and methods of its classes as ``Class.method``."""
    found = {node.name: node for node in tree.body if isinstance(node, Function)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, Function)]
            found |= {f"{node.name}.{method.name}": method for method in methods}
    return found


def inside(function: Function) -> Iterator[ast.AST]:
    """Nodes of a function, without those of functions and classes defined in it."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def raised(function: Function) -> set[str]:
    """What a function raises itself, but for errors of Python: these are a caller's mistakes."""
    found = {n.exc for n in inside(function) if isinstance(n, ast.Raise)} - {None}
    names = {ast.unparse(e.func if isinstance(e, ast.Call) else e) for e in found if e}
    return {name for name in names if not hasattr(builtins, name) and not name.startswith("_")}


def called(name: str, function: Function) -> set[str]:
    """Private functions of its own module, and methods of its own class, that a function calls."""
    owner = name.rpartition(".")[0]
    calls = {ast.unparse(n.func) for n in inside(function) if isinstance(n, ast.Call)}
    own = {call.replace("self.", f"{owner}.", 1) for call in calls}
    return {call for call in own if call.rpartition(".")[2].startswith("_")}


def raising(known: Named) -> set[str]:
    """Functions that raise an error of the pipeline, themselves or by private ones they call."""
    found = {name for name, function in known.items() if raised(function)}
    while True:
        more = {name for name, function in known.items() if called(name, function) & found}
        if more <= found:
            return found
        found |= more


def silent(tree: ast.Module) -> list[str]:
    """Public functions and methods whose docstring does not say what they raise."""
    known = functions(tree)
    documented = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    missing = []
    for name in sorted(raising(known)):
        owner, _, own = name.rpartition(".")
        if own == "__init__":
            node: ast.FunctionDef | ast.ClassDef = documented[owner]
        elif own.startswith("_") or owner.startswith("_"):
            continue
        else:
            node = known[name]
        if "Raises\n------\n" not in (ast.get_docstring(node) or ""):
            missing.append(name)
    return missing


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_what_a_public_function_raises_stands_in_its_docstring(module: Path) -> None:
    if ENTRY_POINTS not in module.parts:
        assert silent(ast.parse(module.read_text())) == []


FILLED_IN = "features_"
"""Modules of features, whose docstrings are formulas that the decorator fills in."""


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_no_docstring_holds_a_part_that_nobody_fills_in(module: Path) -> None:
    if module.name.startswith(FILLED_IN):
        return
    documented = ast.Module | ast.ClassDef | Function
    nodes = [
        node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, documented)
    ]
    lines = "\n".join(ast.get_docstring(node) or "" for node in nodes).splitlines()
    prose = [re.sub("`+[^`]*`+", "", line) for line in lines if ">>>" not in line]
    assert [line for line in prose if re.search(r"\{[a-z_]+\}", line)] == []


def test_a_silent_function_is_found() -> None:
    text = '''
def direct():
    raise NotReady("a", "b", "c")

def detour():
    _check()

def said():
    """What it does.

    Raises
    ------
    NotReady
        Always.
    """
    _check()

def callers_mistake():
    raise ValueError("by Python")

def _check():
    raise not_ready("a")

class Thing:
    def __init__(self):
        self._look()

    def method(self):
        return self._look()

    def _look(self):
        raise Refused
'''
    assert silent(ast.parse(text)) == ["Thing.__init__", "Thing.method", "detour", "direct"]
