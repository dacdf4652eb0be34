"""A sweep of settings: every combination of some of them, and what is wrong with any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

from pydantic import ValidationError

from pipeline.config.faults import faults_of
from pipeline.config.sections import Strategy, Traded
from pipeline.config.settings import Settings
from pipeline.errors import Fault
from pipeline.recipe.sweep import Combination
from pipeline.trading.rules import ONE_SLIPPAGE

MAX_COMBINATIONS = 1000
OTHER_KEYS = ("backtest.bankroll", "backtest.max_positions")
STRATEGY_KEYS = {*Strategy.model_fields, ONE_SLIPPAGE} - {"name"}
POSITIONS = ("strategy.max_positions", "backtest.max_positions")
"""Two names of one number, of which the second decides."""

SWEEP = "backtest.sweep"
Changes = Mapping[str, Any]


def combinations(settings: Settings) -> list[Combination]:
    """Every combination of ``backtest.sweep``, the last key changing first."""
    base = Traded(strategy=settings.strategy, backtest=settings.backtest)
    return [
        Combination(changes, changed.rules, changed.backtest.bankroll)
        for changes in _all_changes(base)
        for changed in [_changed(base, changes)]
    ]


def faults(content: Mapping[str, Any]) -> list[Fault]:
    """Faults of the sweep in a configuration: of each value alone, else of the combinations."""
    try:
        base = Traded.model_validate({name: content[name] for name in ("strategy", "backtest")})
    except ValidationError:
        return []  # named with all others, by the settings themselves
    grid = base.backtest.grid
    wrong = [_no_key(key) for key in grid if not _may_change(key)]
    if set(POSITIONS) <= set(grid):
        wrong.append(Fault(SWEEP, f"{' and '.join(POSITIONS)} are one number", "sweep one of them"))
    count = prod(map(len, grid.values()))
    if count > MAX_COMBINATIONS:
        wrong.append(Fault(SWEEP, f"{count:,} combinations", f"at most {MAX_COMBINATIONS:,}"))
    alone = [{k: v} for k, values in grid.items() if _may_change(k) for v in values]
    wrong += [fault for changes in alone for fault in _faults(base, changes)]
    if not wrong:
        wrong = [fault for changes in _all_changes(base) for fault in _faults(base, changes)]
    return wrong


def _all_changes(base: Traded) -> Iterator[Changes]:
    grid = base.backtest.grid
    return (dict(zip(grid, values, strict=True)) for values in product(*grid.values()))


def _may_change(key: str) -> bool:
    return key in OTHER_KEYS or key.removeprefix("strategy.") in STRATEGY_KEYS


def _no_key(key: str) -> Fault:
    keys = f"every key of strategy, and {', '.join(OTHER_KEYS)}"
    return Fault(f"{SWEEP}: {key}", f"no key of a sweep; those are {keys}")


def _changed(base: Traded, changes: Changes) -> Traded:
    content = base.model_dump(by_alias=True)
    content["backtest"]["sweep"] = {}
    for key, value in changes.items():
        section, name = key.split(".")
        content[section][name] = value
    if POSITIONS[0] in changes:
        content["backtest"]["max_positions"] = changes[POSITIONS[0]]
    return Traded.model_validate(content)


def _faults(base: Traded, changes: Changes) -> list[Fault]:
    """What is wrong with these values, together."""
    try:
        _changed(base, changes)
    except ValidationError as error:
        every = faults_of(error)
        named = [fault for fault in every if fault.key != POSITIONS[1]] or every
        return [Fault(f"{SWEEP}: {fault.key}", fault.found, fault.needed) for fault in named]
    return []
