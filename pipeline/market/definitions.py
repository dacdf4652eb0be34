"""What a feature is: its name, formula, source, look-back, calculation and hash."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, wraps
from itertools import product
from types import FunctionType, ModuleType
from typing import Any, Literal

import numpy.typing as npt
import pandas as pd

from pipeline.market.cross_section import centred_ranks
from pipeline.market.windows import Array

Kind = Literal["symbol", "session", "static"]
Values = npt.NDArray[Any]
Calculation = Callable[..., Values]
Series = Callable[..., Values]
"""Calculation from `Known` (and parameters) that several features share."""

KEPT_AT_MOST = 48
"""Shared intermediate results in memory at a time, each as large as one field of the bars: with
a hundred float32 features about as much as the result itself."""


@dataclass(frozen=True)
class Known:
    """What is known at decision time, one row per session ``s`` whose close is the last one known.

    Row k belongs to the snapshot of ``targets[k]``, the session after ``sessions[k]``. Arrays are
    float64, C-contiguous, sessions x symbols, symbols sorted; NaN where a bar does not exist.

    Attributes
    ----------
    open, high, low, close
        Currency per share.
    volume
        Shares.
    indicators
        As of the close of s, by the names of `pipeline.schemas.INDICATORS`.
    market_return
        Close-to-close return of the market, shape ``(sessions,)``.
    regimes
        Result of `pipeline.market.regimes.regimes` for `targets`; a session that it lacks is NaN.
    symbols
        Columns exchange and sector, one row per symbol, as of the day the table was made.
    sessions, targets
        The sessions s and t.
    short_sessions
        Sessions known in advance to close early; None where nobody knows.
    kept
        Results of `kept` series, the least recently used first.
    """

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    indicators: Mapping[str, Array]
    market_return: Array
    regimes: pd.DataFrame
    symbols: pd.DataFrame
    sessions: pd.DatetimeIndex
    targets: pd.DatetimeIndex
    short_sessions: pd.DatetimeIndex | None = None
    kept: OrderedDict[Any, Values] = field(default_factory=OrderedDict, repr=False, compare=False)


def kept(series: Series) -> Series:
    """Calculate a series shared by several features once, and keep it while it is in use.

    What is dropped is calculated anew, to the same bits. Results are read-only.
    """

    @wraps(series)
    def remembered(known: Known, *parameters: Any) -> Values:
        key = (series, *parameters)
        if key not in known.kept:
            values = series(known, *parameters)
            values.flags.writeable = False
            known.kept[key] = values
            while len(known.kept) > KEPT_AT_MOST:
                known.kept.popitem(last=False)
        known.kept.move_to_end(key)
        return known.kept[key]

    return remembered


@dataclass(frozen=True)
class Feature:
    """One column of a snapshot, defined once.

    Attributes
    ----------
    name
        Column name.
    kind
        ``"symbol"``: sessions x symbols; ``"session"``: one value a session for all symbols;
        ``"static"``: one attribute a symbol, as of the day its table was made.
    lookback
        Sessions up to t-1 that a value for t is made of; 0 where it needs no bars.
    formula
        In one line; s is the last session before t.
    source
        Where the idea comes from: author, year.
    calculation
        Called with `Known` and the parameters.
    parameters
        Pairs of name and value, in the order of the signature.
    ranked
        The value is the centred rank of the calculation's in its session.
    """

    name: str
    kind: Kind
    lookback: int
    formula: str
    source: str
    calculation: Calculation
    parameters: tuple[tuple[str, int | str], ...] = ()
    ranked: bool = False

    def as_rank(self) -> Feature:
        """The same feature as its centred rank in the session, by a name of its own."""
        name, formula = f"rank_{self.name}", f"centred rank in the session: {self.formula}"
        return replace(self, name=name, formula=formula, ranked=True)

    @property
    def known_at(self) -> str:
        """From when on a value for t is known."""
        if self.kind == "static":
            return "day of the symbol table"
        return "close of t-1" if self.lookback else "before the open of t"

    def __call__(self, known: Known) -> Values:
        """Values of the shape that the kind says."""
        values = self.calculation(known, **dict(self.parameters))
        return centred_ranks(values) if self.ranked else values

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the code and parameters that make the values; blind to layout and comments.

        Covers the calculation, every `pipeline.market` function it calls, directly or not, and
        the constants that these name. Not covered: how `Known` itself was filled.
        """
        code = _code(self.calculation) | (_code(centred_ranks) if self.ranked else frozenset())
        parts = [*sorted(code), repr(self.parameters)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Definitions:
    """Features in the order in which they were defined, each name once."""

    def __init__(self, *inherited: Feature) -> None:
        self._features: dict[str, Feature] = {}
        for feature in inherited:
            self._add(feature)

    def __iter__(self) -> Iterator[Feature]:
        return iter(self._features.values())

    def feature(
        self,
        name: str,
        *,
        lookback: int | Callable[..., int],
        source: str,
        kind: Kind = "symbol",
        **parameters: tuple[int | str, ...],
    ) -> Callable[[Calculation], Calculation]:
        """Define one feature per combination of `parameters`; the docstring is the formula.

        `name` and docstring may hold the parameters in braces; `lookback` may be a function
        of them.

        Raises
        ------
        ValueError
            A name is defined twice, or a function has no docstring.
        """

        def define(calculation: Calculation) -> Calculation:
            formula = (inspect.getdoc(calculation) or "").partition("\n")[0]
            if not formula:
                raise ValueError(f"feature {name}: its function needs the formula as docstring")
            for values in product(*parameters.values()):
                chosen = dict(zip(parameters, values, strict=True))
                self._add(
                    Feature(
                        name=name.format(**chosen),
                        kind=kind,
                        lookback=lookback(**chosen) if callable(lookback) else lookback,
                        formula=formula.format(**chosen),
                        source=source,
                        calculation=calculation,
                        parameters=tuple(chosen.items()),
                    )
                )
            return calculation

        return define

    def _add(self, feature: Feature) -> None:
        if feature.name in self._features:
            raise ValueError(f"feature {feature.name} is defined twice")
        self._features[feature.name] = feature


@cache
def _code(function: FunctionType) -> frozenset[str]:
    """Bare code of a function, of the market functions it calls, and the constants they name."""
    found: dict[FunctionType, str] = {}
    constants: set[str] = set()
    waiting = [function]
    while waiting:
        current = inspect.unwrap(waiting.pop())
        if current in found:
            continue
        definition = _bare_definition(current)
        found[current] = ast.unparse(definition)
        for name, value in _named(definition, current.__globals__):
            if isinstance(value, FunctionType) and value.__module__.startswith("pipeline.market"):
                waiting.append(value)
            elif isinstance(value, int | float | str | tuple):
                constants.add(f"{name} = {value!r}")
    return frozenset(found.values()) | constants


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


def _named(definition: ast.FunctionDef, scope: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Module-level objects that a function refers to, by name or as ``module.name``."""
    nodes = list(ast.walk(definition))
    local = {node.arg for node in nodes if isinstance(node, ast.arg)}
    local |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in scope and node.id not in local:
            yield node.id, scope[node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = scope.get(node.value.id)
            if isinstance(module, ModuleType) and module.__name__.startswith("pipeline.market"):
                yield node.attr, getattr(module, node.attr)
