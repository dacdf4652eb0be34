"""What crosses from one module to another says which errors it raises, and what its tables are."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from functools import cache
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


HASHED = "market"
"""Sources there are part of the hashes of features: a change strands every trained model."""

TABLE = re.compile(r"\b(DataFrame|Series|ndarray|NDArray|Values)\b")
SHAPE = re.compile(r"\b(sessions?|symbols?|columns?|rows?|index|one|by)\b", re.IGNORECASE)


def room(module: Path) -> str:
    parts = module.relative_to(ROOT / "pipeline").parts
    return "tracking" if parts[:2] == ("io", "tracking") else parts[0].removesuffix(".py")


def dotted(module: Path) -> str:
    return ".".join(module.relative_to(ROOT).with_suffix("").parts)


def uses(tree: ast.Module) -> set[tuple[str, str]]:
    """Module and name of what is imported, and of what is taken from an imported module."""
    imported = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    taken = {
        (".".join(imported[node.value.id]), node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in imported
    }
    return taken | set(imported.values())


@cache
def crossing() -> dict[str, set[str]]:
    """Names of each module that other rooms use."""
    rooms = {dotted(module): room(module) for module in MODULES}
    crosses: dict[str, set[str]] = {}
    for module in MODULES:
        for where, name in uses(ast.parse(module.read_text())):
            if rooms.get(where, room(module)) != room(module):
                crosses.setdefault(where, set()).add(name)
    return crosses


def undescribed(function: Function) -> list[str]:
    """Tables that a function takes or gives back, of which its docstring says nothing."""
    text = ast.get_docstring(function) or ""
    headed = re.split(r"^(\w+)\n-{3,}\n", text, flags=re.MULTILINE)
    prose, sections = headed[0], dict(zip(headed[1::2], headed[2::2], strict=True))
    entries = re.findall(r"^(\w[\w, ]*)\n    ", sections.get("Parameters", ""), re.MULTILINE)
    described = {name.strip() for entry in entries for name in entry.split(",")}
    described |= set(re.findall(r"`(\w+)`", prose))
    given = {
        each.arg
        for each in (*function.args.args, *function.args.kwonlyargs)
        if each.annotation and TABLE.search(ast.unparse(each.annotation))
    }
    returned = function.returns and TABLE.search(ast.unparse(function.returns))
    is_said = sections.keys() & {"Returns", "Yields"} or SHAPE.search(prose)
    return [*sorted(given - described), *(["returned"] if returned and not is_said else [])]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_tables_that_cross_from_room_to_room_are_described(module: Path) -> None:
    if room(module) == HASHED:
        return
    known = functions(ast.parse(module.read_text()))
    used = {name: known[name] for name in crossing().get(dotted(module), set()) & known.keys()}
    public = {name: each for name, each in used.items() if not name.startswith("_")}
    assert {name: bad for name, each in public.items() if (bad := undescribed(each))} == {}


def test_an_undescribed_table_is_found() -> None:
    text = '''
def silent(returns: pd.Series, count: int) -> pd.DataFrame:
    """What it does."""

def described(returns: pd.Series) -> pd.DataFrame:
    """One row a session.

    Parameters
    ----------
    returns
        Fractions by session.
    """

def in_prose(returns: pd.Series) -> float:
    """Of `returns`, fractions by session."""
'''
    known = functions(ast.parse(text))
    assert undescribed(known["silent"]) == ["returns", "returned"]
    assert undescribed(known["described"]) == undescribed(known["in_prose"]) == []


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
