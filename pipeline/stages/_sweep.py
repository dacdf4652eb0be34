"""A sweep: the same predictions traded under every combination of some settings.

Each combination is a nested run. It looks at no new session and chooses nothing, so it is no look;
but who picks the best one has searched, which ``sweep/deflated_sharpe`` tells.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from pydantic import ValidationError

from pipeline.errors import InvalidSettings
from pipeline.io import tracking
from pipeline.io.store import Store
from pipeline.settings import Settings, Strategy, Traded, faults_of
from pipeline.stages import _sweep_report, _trading
from pipeline.stages._recipe import rules
from pipeline.trading.backtest import Backtest
from pipeline.trading.performance import sharpe, summary
from pipeline.trading.significance import deflated_sharpe, session_sharpe

CHILD = "sweep child"
"""Tag ``stage`` of the nested runs."""

MOST_SETTINGS = 1000
OTHER_KEYS = ("backtest.bankroll", "backtest.max_positions")
STRATEGY_KEYS = set(Strategy.model_fields) - {"name"}
POSITIONS = ("strategy.max_positions", "backtest.max_positions")
"""Two names of one number, of which the second decides."""

Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """One combination: the keys that are swept with their values, and the settings they make."""

    changes: Changes
    settings: Settings

    @property
    def name(self) -> str:
        """The values in words."""
        return ", ".join(
            f"{key.split('.')[-1]} {_sweep_report.label(v)}" for key, v in self.changes.items()
        )


def settings_of(settings: Settings) -> list[Setting]:
    """Every combination, the last key changing first."""
    base = Traded(strategy=settings.strategy, backtest=settings.backtest)
    return [
        Setting(changes, settings.model_copy(update=dict(_changed(base, changes))))
        for changes in _combinations(base)
    ]


def faults(content: Mapping[str, Any]) -> list[str]:
    """Faults of the sweep in a configuration: of each value alone, else of the combinations."""
    try:
        base = Traded.model_validate({name: content[name] for name in ("strategy", "backtest")})
    except ValidationError:
        return []  # told with all others, by the settings themselves
    grid = base.backtest.grid
    found = [f"{key}: {_no_key()}" for key in grid if not _may_change(key)]
    if set(POSITIONS) <= set(grid):
        found.append(f"{' and '.join(POSITIONS)} are one number: sweep one of them")
    count = prod(map(len, grid.values()))
    if count > MOST_SETTINGS:
        found.append(f"{count:,} combinations; at most {MOST_SETTINGS:,}")
    alone = [{k: v} for k, values in grid.items() if _may_change(k) for v in values]
    found += [fault for changes in alone for fault in _faults(base, changes)]
    if not found:
        found = [fault for changes in _combinations(base) for fault in _faults(base, changes)]
    return [f"backtest.sweep: {fault}" for fault in found]


def write(
    settings: Settings,
    store: Store,
    predicted: pd.Series,
    traded: _trading.Market,
) -> pd.DataFrame:
    """Trade all combinations; log a nested run of each, their table and their picture.

    Returns
    -------
    pd.DataFrame
        One row a combination: the swept keys, metrics, and the id of its run.
    """
    several, benchmark = settings_of(settings), _trading.benchmark(traded)
    parent, rows = tracking.current_run_id(), dict[int, dict[str, Any]]()
    returns: dict[int, pd.Series] = {}
    with tracking.timed("sweep"):
        began = time.perf_counter()
        for number, result in books(settings, several, store, predicted, traded):
            metrics = summary(result, benchmark)
            ended = time.perf_counter()
            run_id = _record(several[number], parent, metrics, ended - began)
            rows[number] = {**several[number].changes, **_measured(metrics), "run_id": run_id}
            returns[number] = result.net_returns
            began = time.perf_counter()
    table = pd.DataFrame([rows[number] for number in range(len(several))])
    mlflow.log_metrics(_luck(list(returns.values())))
    tracking.log_table(_sweep_report.written(table), "sweep")
    mlflow.log_figure(_sweep_report.picture(table, settings.backtest.grid), "sweep.png")
    return table


def _combinations(base: Traded) -> Iterator[Changes]:
    grid = base.backtest.grid
    return (dict(zip(grid, values, strict=True)) for values in product(*grid.values()))


def _may_change(key: str) -> bool:
    return key in OTHER_KEYS or key.removeprefix("strategy.") in STRATEGY_KEYS


def _no_key() -> str:
    return f"no key of a sweep; those are every key of strategy, and {', '.join(OTHER_KEYS)}"


def _changed(base: Traded, changes: Changes) -> Traded:
    content = base.model_dump(by_alias=True)
    content["backtest"]["sweep"] = {}
    for key, value in changes.items():
        section, name = key.split(".")
        content[section][name] = value
    if POSITIONS[0] in changes:
        content["backtest"]["max_positions"] = changes[POSITIONS[0]]
    return Traded.model_validate(content)


def _faults(base: Traded, changes: Changes) -> list[str]:
    """What is wrong with these values, together."""
    try:
        rules(_changed(base, changes))
    except ValidationError as error:
        found = [f for f in faults_of(error) if not f.startswith(POSITIONS[1])]
        return found or faults_of(error)
    except InvalidSettings as error:
        said = ", ".join(f"{key}={_sweep_report.label(v)}" for key, v in changes.items())
        return [f"{said}: {fault}" for fault in error.found.split("; ")]
    return []


def books(
    settings: Settings,
    several: Sequence[Setting],
    store: Store,
    predicted: pd.Series,
    traded: _trading.Market,
) -> Iterator[tuple[int, Backtest]]:
    """The number of each setting and its books; settings that hedge alike share one market.

    Parameters
    ----------
    traded
        The market of ``settings``, which serves all that hedge as they do, or not at all.
    """
    groups: dict[str | None, list[int]] = {}
    for number, setting in enumerate(several):
        groups.setdefault(_trading.hedged_by(setting.settings), []).append(number)
    for hedge, numbers in groups.items():
        own = [several[number].settings for number in numbers]
        fits = hedge in (None, _trading.hedged_by(settings))
        market = traded if fits else _trading.market(own[0], store, traded.sessions)
        yield from zip(numbers, _trading.several_books(own, predicted, market), strict=True)


def _record(setting: Setting, parent: str, metrics: Mapping[str, float], seconds: float) -> str:
    return tracking.log_child(
        setting.name,
        parent=parent,
        params=setting.changes,
        metrics=metrics,
        tags={"stage": CHILD, "verdict": "done"},
        seconds=seconds,
    )


def _measured(metrics: Mapping[str, float]) -> dict[str, float]:
    """Names without ``backtest/``; what all settings share is left out."""
    own = {name: value for name, value in metrics.items() if name.startswith("backtest/")}
    return {name.removeprefix("backtest/"): value for name, value in own.items()}


def _luck(returns: Sequence[pd.Series]) -> dict[str, float]:
    """What the best of the settings is worth, since it is the best of so many."""
    sharpes = np.array([session_sharpe(own.to_numpy(np.float64)) for own in returns])
    found = {"sweep/settings": float(len(returns))}
    if np.isfinite(sharpes).any():
        best = returns[int(np.nanargmax(sharpes))]
        found["sweep/best_sharpe"] = sharpe(best)
        found["sweep/deflated_sharpe"] = deflated_sharpe(best, sharpes)
    return found
