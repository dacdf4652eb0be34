"""The hash of a recipe: what changes a forecast or an order changes it, and nothing else does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.errors import InvalidSettings
from pipeline.io.evaluation_journal import EvaluationJournal
from pipeline.learning.dataset import Dataset
from pipeline.learning.models import predictions
from pipeline.learning.pool import Threads
from pipeline.learning.windows import Step
from pipeline.recipe.fit import fitted
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.search import searched
from pipeline.trading.backtest import backtest
from tests.trading.markets import random_case

BASE = ("model=ridge", "hpo=quick")


@cache
def settings_of(*overrides: str) -> Settings:
    return check(compose([*BASE, *overrides]))


@cache
def recipe(*overrides: str) -> Recipe:
    return build.recipe(settings_of(*overrides))


DECIDES = [
    "seed=8", "model=lightgbm", "model.target.winsorise=0.05", "model.weights=equal",
    "model.min_slope=0.5", "model.objective=mae", "hpo.n_trials=3", "hpo.max_rows=100",
    "cv.folds=3", "cv.fold_sessions=9", "cv.embargo_sessions=2", "features=classic",
    "features.min_price=7", "retrain.window_days=91", "retrain.window_days=89",
    "retrain.expanding=true", "evaluation.refit_every=20", "evaluation.search_every=100",
    "backtest.max_positions=9", "backtest.bankroll=5000", "strategy=long_short",
    "regimes.high_vix=20", "regimes.trending_strength=30", "regimes.volatility_window=60",
    "data.market_index=UNIVERSE", "data.exchange_calendar=XLON",
]  # fmt: skip

DECIDES_NOTHING = [
    "compute.workers=7", "store.path=/tmp/other.db", "store.lock_timeout_seconds=1",
    "tracking.experiment_name=other", "tracking.uri=sqlite:///o.db", "status.json=true",
    "signals.max_stale_fraction=0.5", "gates=targets", "gates.min_sessions=1", "ui.port=1234",
    "test.arguments=x", "promote.version=3", "audit.sessions=3", "evaluation=walk_forward",
    "evaluation.learning_curve=[0.3]", "retrain.refresh=false", "backtest.capacity=[1e6]",
    "model.name=other", "strategy.name=other", "features.list=true", "universe=sp500",
]  # fmt: skip


@pytest.mark.parametrize("override", DECIDES)
def test_what_decides_a_forecast_or_an_order_is_in_the_hash(override: str) -> None:
    assert recipe(override).hash != recipe().hash


@pytest.mark.parametrize("override", DECIDES_NOTHING)
def test_what_decides_neither_is_not(override: str) -> None:
    if override == "universe=sp500":
        pytest.importorskip("yfinance")
    assert recipe(override).hash == recipe().hash


def test_dividends_are_in_the_hash_of_files() -> None:
    files = ("data=files", "data.path=prices")
    assert recipe(*files).hash != recipe(*files, "data.adjust_dividends=true").hash


def test_no_two_windows_share_a_hash() -> None:
    hashes = {recipe(f"retrain.window_days={days}").hash for days in range(84, 96)}
    assert len(hashes) == 12


FRACTIONAL = "strategy.whole_shares=false"


@pytest.mark.parametrize(
    ("rules", "matters"),
    [
        ((), True),
        ((FRACTIONAL,), False),
        ((FRACTIONAL, "strategy.commission_minimum=1"), True),
        ((FRACTIONAL, "strategy.impact=0.5"), True),
        ((FRACTIONAL, "strategy.max_participation=0.01"), True),
    ],
)
def test_the_bankroll_counts_where_it_changes_the_parts_that_are_bought(rules, matters) -> None:
    small, large = (recipe(*rules, f"backtest.bankroll={money}").hash for money in (1e4, 1e6))
    assert (small != large) == matters


def test_regimes_count_where_they_cap_positions() -> None:
    capped, other = recipe(), recipe("regimes.high_vix=20")
    free = recipe("strategy.regime_positions={}")
    assert free.rules.regime_positions == {}
    assert capped.content["regimes"] != other.content["regimes"]
    assert free.content["regimes"] is None


RULES = [
    "backtest.max_positions=2", "backtest.bankroll=3333", "strategy.rank_by=net_edge",
    "strategy.rank_by=edge_over_volatility", "strategy.min_edge_bps=40",
    "strategy.min_dollar_volume=1000000", "strategy.max_sector_positions=1",
    "strategy.regime_positions={HIGH_VOL: 1}", "strategy.weights=edge",
    "strategy.weights=volatility", "strategy.max_position_fraction=0.1",
    "strategy.max_participation=0.001", "strategy.whole_shares=false", "strategy.hedge=dollar",
    "strategy.hedge=beta", "strategy.limit_bps=50", "strategy.stop_atr=0.5",
    "strategy.target_atr=0.5", "strategy.commission_bps=9", "strategy.commission_per_share=0.1",
    "strategy.commission_minimum=5", "strategy.open_bps=20", "strategy.close_bps=20",
    "strategy.max_gross=0.05", "strategy.spread_fraction=0.5",
    "strategy.impact=0.5", "strategy=long_short", "compute.workers=3", "strategy.name=other",
]  # fmt: skip


@cache
def ledger(*overrides: str) -> pd.DataFrame:
    """Of five cases traded under these overrides."""
    settings = settings_of(*overrides)
    rules, bankroll = build.rules(settings), settings.backtest.bankroll
    books = [backtest(*random_case(seed).both, rules, bankroll) for seed in range(5)]
    return pd.concat([book.ledger for book in books], ignore_index=True)


@pytest.mark.parametrize("override", RULES)
def test_an_override_that_changes_an_order_or_a_fill_changes_the_hash(override: str) -> None:
    common = "strategy.min_dollar_volume=0"
    hashes = {recipe(common).hash, recipe(common, override).hash}
    assert ledger(common).equals(ledger(common, override)) or len(hashes) == 2
    assert (len(hashes) == 1) == override.startswith(("compute", "strategy.name"))


def panel(sessions: int = 90, symbols: int = 12) -> Dataset:
    random = np.random.default_rng(3)
    days = pd.bdate_range("2024-01-01", periods=sessions, name="session").as_unit("us")
    names = pd.Index([f"S{n:02d}" for n in range(symbols)], name="symbol")
    rows = pd.MultiIndex.from_product([days, names])
    features = pd.DataFrame(random.normal(size=(len(rows), 3)), rows, list("abc"))
    returns = 0.004 * features["a"] + 0.02 * random.standard_t(4, len(rows))
    return Dataset(features.astype("float32"), returns)


def forecast(chosen: Recipe, folder: Path, workers: int) -> pd.Series:
    """By the model that a search on all but the last ten sessions ends with."""
    data = panel()
    days = data.sessions
    step = Step(development=days[:-10], predicted=days[-10:], search=True)
    development = data.at(step.development)
    with EvaluationJournal(folder / chosen.hash, "run").search(step) as studies:
        found = searched(
            chosen, development, studies, clock=time.perf_counter, pool=Threads(workers),
            strategy_returns=lambda p: p.groupby(level="session").mean(),
        )  # fmt: skip
    model = fitted(chosen, found.params, development, found.weights)
    return predictions(model, data.at(step.predicted).features)


LEARNT = [
    "seed=8", "model.target.winsorise=0.2", "model.target.relative=none", "model.weights=equal",
    "model.min_slope=0.9", "model.objective=rank_ic", "hpo.n_trials=5", "hpo.max_rows=100",
    "hpo.sampler=random", "cv.folds=2", "cv.fold_sessions=14", "cv.embargo_sessions=4",
    "cv.train_sessions=20", "compute.workers=2", "tracking.experiment_name=other",
]  # fmt: skip


def learnt(folder: Path, *overrides: str) -> tuple[str, pd.Series]:
    """Hash of the recipe of these overrides, and what it forecasts."""
    settings = settings_of(*overrides)
    chosen = replace(build.recipe(settings), features=dict.fromkeys("abc", "made"))
    return chosen.hash, forecast(chosen, folder, settings.compute.workers)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, pd.Series]:
    return learnt(tmp_path_factory.mktemp("unchanged"))


@pytest.mark.parametrize("override", LEARNT)
def test_an_override_that_changes_a_forecast_changes_the_hash(
    override: str, unchanged: tuple[str, pd.Series], tmp_path: Path
) -> None:
    changed = learnt(tmp_path, override)
    assert unchanged[1].equals(changed[1]) or unchanged[0] != changed[0]


SECTIONS = ("seed", "features", "cv", "model", "hpo", "evaluation", "regimes", "retrain",
            "strategy", "backtest", "data", "decision")  # fmt: skip
OUTSIDE = {
    "features.list": "printing",
    "features.overwrite": "how a stage runs",
    "features.min_window_for_session_features": "counts by the features it leaves",
    "retrain.holdout_days": "what is judged, not what decides",
    "retrain.refresh": "how a stage runs",
    "strategy.max_positions": "where backtest.max_positions comes from",
    "backtest.capacity_impact": "other bankrolls than the recipe's",
    "backtest.capacity_participation": "other bankrolls than the recipe's",
    "backtest.capacity_auction_part": "other bankrolls than the recipe's",
}
"""Numbers of these sections that are none of the recipe's, and why."""


def leaves(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield from leaves(value, (*path, name))
    else:
        yield path, content


def others(value: Any) -> list[Any]:
    """Numbers near a number; nothing for words, which are tried above."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, max(value - 1, 0)]
    return [value * 1.5 or 0.5, value / 2] if isinstance(value, float) else []


def with_value(settings: Settings, path: tuple[str, ...], value: Any) -> str | None:
    """Hash of the recipe with one number changed; None where that is no valid value."""
    content = deepcopy(settings.content)
    place = content
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    try:
        return build.recipe(Settings.from_config(content)).hash
    except InvalidSettings:
        return None


@pytest.mark.parametrize(
    "words",
    [BASE, ("model=lightgbm", "strategy=long_short"), ("experiment=open", "strategy=auctions")],
)
def test_every_number_of_the_recipes_sections_is_in_the_hash_or_said_to_be_none_of_it(
    words: tuple[str, ...],
) -> None:
    settings = check(compose(list(words)))
    hash_ = build.recipe(settings).hash
    outside, tried = set(), 0
    for path, value in leaves({name: settings.content[name] for name in SECTIONS}):
        hashes = [with_value(settings, path, other) for other in others(value) if other != value]
        valid = [each for each in hashes if each is not None]
        tried += bool(valid)
        if valid and hash_ in valid:
            outside.add(".".join(path))
    assert tried > 50
    assert outside == set(OUTSIDE)
