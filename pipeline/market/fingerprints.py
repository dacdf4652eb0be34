"""Fingerprints of code: whether what makes a value is still what it was.

Blind to layout, comments, docstrings and annotations; a changed constant, or a changed function
behind the one in question, is a change.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

import pandas as pd

from pipeline.market.cross_section import market_return
from pipeline.market.indicators import indicators
from pipeline.market.regimes import index_moves, regimes, universe_moves

MARKET = "pipeline.market"
Functions = tuple[Callable[..., Any], ...]

MAKERS: Mapping[str, Functions] = {
    "indicators": (indicators,),
    "regimes": (regimes, index_moves, universe_moves),
    "market_return": (market_return,),
}
"""What makes the results that features read ready-made, by their name in `definitions.Known`."""


def fingerprint(functions: Functions, *texts: str) -> str:
    """SHA-256 of the code of functions, of all they need, and of texts.

    >>> fingerprint((indicators,)) == fingerprint((indicators,), "14")
    False
    """
    parts = [_code(function) for function in needed(functions)]
    lines = {line for part in parts for line in (part.text, *part.constants)}
    return hashlib.sha256("\n".join([*sorted(lines), *texts]).encode()).hexdigest()


@cache
def needed(functions: Functions) -> frozenset[Callable[..., Any]]:
    """These functions and those of the market, or of their own package, that they need."""
    found: set[Callable[..., Any]] = set()
    waiting = list(functions)
    while waiting:
        current = inspect.unwrap(waiting.pop())
        if current not in found:
            found.add(current)
            waiting += _code(current).needs
    return frozenset(found)


@dataclass(frozen=True)
class _Code:
    """A function's bare code, the constants it names, and the functions it needs."""

    text: str
    constants: frozenset[str]
    needs: Functions


@cache
def _code(function: Any) -> _Code:
    definition = _bare_definition(function)
    constants, needs = set(), list(_makers(definition))
    for name, value in _named(definition, function):
        if isinstance(value, FunctionType) and _is_covered(value.__module__, function):
            needs.append(value)
        elif isinstance(value, int | float | str | tuple | pd.Timedelta):
            constants.add(f"{name} = {value!r}")
    return _Code(ast.unparse(definition), frozenset(constants), tuple(needs))


def _makers(definition: ast.FunctionDef) -> Iterator[Callable[..., Any]]:
    """What makes the ready-made results that a function reads, whatever it calls its `Known`.

    An attribute of the same name of anything else counts too: a hash that covers more than it
    must is no harm, one that covers less is.
    """
    for node in ast.walk(definition):
        if isinstance(node, ast.Attribute):
            yield from MAKERS.get(node.attr, ())


def _bare_definition(function: FunctionType) -> ast.FunctionDef:
    """Syntax tree without what does not change the values."""
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list, definition.returns = [], None
    if ast.get_docstring(definition) is not None:
        definition.body = definition.body[1:] or [ast.Pass()]
    for node in ast.walk(definition):
        if isinstance(node, ast.arg):
            node.annotation = None
    return definition


def _is_covered(module: str, function: FunctionType) -> bool:
    """Whether a module's code counts: of the market, or of the package that a function is of."""
    package = function.__module__.partition(".")[0]
    return module.startswith(MARKET) or (
        package != MARKET.partition(".")[0] and f"{module}.".startswith(f"{package}.")
    )


def _named(definition: ast.FunctionDef, function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Module-level objects that a function refers to, by name or as ``module.name``."""
    scope = function.__globals__
    nodes = list(ast.walk(definition))
    local = {node.arg for node in nodes if isinstance(node, ast.arg)}
    local |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in scope and node.id not in local:
            yield node.id, scope[node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = scope.get(node.value.id)
            if isinstance(module, ModuleType) and _is_covered(module.__name__, function):
                yield node.attr, getattr(module, node.attr)
