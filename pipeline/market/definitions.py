"""What a feature is: its name, formula, source, look-back, calculation and hash."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.market.cross_section import centred_ranks
from pipeline.market.fingerprints import MAKERS, fingerprint, needed
from pipeline.market.windows import Array

Kind = Literal["symbol", "session", "static"]
Values = npt.NDArray[Any]
Calculation = Callable[..., Values]
Parameter = int | str | tuple[int, int]
Series = Callable[..., Values]
"""Calculation from `Known` (and parameters) that several features share."""


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
        Results of `kept` series.
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
    kept: dict[Any, Values] = field(default_factory=dict, repr=False, compare=False)


def kept(series: Series) -> Series:
    """Calculate a series shared by several features once. Results are read-only.

    Raises
    ------
    ValueError
        The first argument of the series is not called ``known``.
    """
    _require_known(series, f"series {series.__name__}")

    @wraps(series)
    def remembered(known: Known, *parameters: Any) -> Values:
        key = (series, *parameters)
        if key not in known.kept:
            values = series(known, *parameters)
            values.flags.writeable = False
            known.kept[key] = values
        return known.kept[key]

    return remembered


def _require_known(function: Callable[..., Any], what: str) -> None:
    """One name for `Known` in every definition, whoever reads it."""
    first = next(iter(inspect.signature(function).parameters), "no argument")
    if first != "known":
        raise ValueError(
            f"{what}: the first argument of {function.__name__} is {first}; call it known, "
            "which holds all that is known at decision time"
        )


def rank_in_session(known: Known, values: Values, since: int) -> Array:
    """Centred rank among the symbols with a bar in s, from row `since` on.

    A symbol without one may have a value, a mean of its sector or of its own past. It has no rank:
    who is listed early or gone for long moves nobody.
    """
    has_bar = ~np.isnan(known.close[since:])
    return centred_ranks(np.where(has_bar, values[since:], np.nan))


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
        The value is the centred rank of the calculation's among the symbols with a bar in s.
    """

    name: str
    kind: Kind
    lookback: int
    formula: str
    source: str
    calculation: Calculation
    parameters: tuple[tuple[str, Parameter], ...] = ()
    ranked: bool = False

    def as_rank(self) -> Feature:
        """The same feature as its centred rank in the session, by a name of its own."""
        name, formula = f"rank_{self.name}", f"centred rank: {self.formula}"
        return replace(self, name=name, formula=formula, ranked=True)

    @property
    def known_at(self) -> str:
        """From when on a value for t is known."""
        if self.kind == "static":
            return "day of the symbol table"
        return "close of t-1" if self.lookback else "before the open of t"

    def __call__(self, known: Known, since: int = 0) -> Values:
        """Values of the shape that the kind says; where there are sessions, from row `since` on."""
        values = self.calculation(known, **dict(self.parameters))
        if self.ranked:
            return rank_in_session(known, values, since)
        return values if self.kind == "static" else values[since:]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the code and parameters that make the values; blind to layout and comments.

        Covers the calculation, every `pipeline.market` function it calls, directly or not, what
        makes the results it reads from `Known`, and the constants that all these name.
        """
        return fingerprint(self._functions, repr(self.parameters))

    @cached_property
    def reads(self) -> frozenset[str]:
        """Which results of `fingerprints.MAKERS` the values are made of."""
        functions = needed(self._functions)
        return frozenset(name for name, makers in MAKERS.items() if functions.issuperset(makers))

    @property
    def _functions(self) -> tuple[Callable[..., Any], ...]:
        return (self.calculation, rank_in_session) if self.ranked else (self.calculation,)


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
        **parameters: tuple[Parameter, ...],
    ) -> Callable[[Calculation], Calculation]:
        """Define one feature per combination of `parameters`; the docstring is the formula.

        `name` and docstring may hold the parameters in braces; `lookback` may be a function
        of them.

        Raises
        ------
        ValueError
            A name is defined twice, a function has no docstring, or its first argument is not
            called ``known``.
        """

        def define(calculation: Calculation) -> Calculation:
            formula = (inspect.getdoc(calculation) or "").partition("\n")[0]
            if not formula:
                raise ValueError(f"feature {name}: its function needs the formula as docstring")
            _require_known(calculation, f"feature {name}")
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
