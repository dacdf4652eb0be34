"""What a recipe's hash ties together, and what a retrain says where rows do not suit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.errors import NotReady, TooFewSessions
from pipeline.learning.dataset import Dataset
from pipeline.recipe.recipe import Recipe
from pipeline.schemas import SESSION, SYMBOL
from tests.learning import made as learning
from tests.recipe import made

RIDGE = learning.learner(name="ridge", initial={"alpha": 1.0})
TREES = learning.learner(learning.TREES, name="trees", initial={"n_estimators": 5})
SPACE = {"alpha": {"type": "float", "low": 0.1, "high": 10.0}}


def of(*overrides: str) -> Recipe:
    return build.recipe(check(compose(list(overrides))))


# ---- the hash ----


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"plan": made.plan(recorded_trials={"ridge": 4})},
        {"windows": made.windows(evaluation=made.evaluation(name="walk_forward"))},
        {"windows": made.windows(window=made.window(holdout_days=60))},
        {"features": {"noise": "2" * 12, "signal": "1" * 12}},
    ],
    ids=str,
)
def test_what_decides_no_model_changes_no_hash(changes: dict[str, Any]) -> None:
    assert made.recipe(**changes).hash == made.recipe().hash


CHANGES: list[dict[str, Any]] = [
    {"features": {"signal": "1" * 12}},
    {"features": {"signal": "1" * 12, "noise": "3" * 12}},
    {"rows": made.selected_rows(min_history=41)},
    {"rows": made.selected_rows(min_price=1)},
    {"target": learning.target(winsorise=0.02)},
    {"target": learning.target(neutralise=("noise",))},
    {"target": learning.target(ranked=True)},
    {"learners": (TREES,)},
    {"learners": (RIDGE, TREES)},
    {"learners": (TREES, RIDGE)},
    {"learners": (RIDGE.changed(name="another"),)},
    {"learners": (RIDGE.changed(initial={"alpha": 2.0}),)},
    {"learners": (RIDGE.changed(space=SPACE),)},
    {"learners": (RIDGE.changed(scale=True),)},
    {"learners": (RIDGE.changed(recent_sessions=9),)},
    {"weights": "stacked"},
    {"min_slope": 0.1},
    {"splitter": learning.walk_forward(folds=3, fold_sessions=5)},
    {"splitter": learning.combinatorial(groups=4)},
    {"plan": made.plan(n_trials=3)},
    {"plan": made.plan(objective="rank_ic")},
    {"plan": made.plan(sampler="tpe")},
    {"plan": made.plan(timeout_minutes=1)},
    {"windows": made.windows(window=made.window(window_days=180))},
    {"windows": made.windows(window=made.window(expanding=True))},
    {"rules": made.rules(commission_bps=1.0)},
    {"rules": made.rules(max_positions=3)},
    {"rules": made.rules(regime_positions={"HIGH_VOL": 1})},
    {"seed": 8},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_what_decides_the_model_changes_the_hash(changes: dict[str, Any]) -> None:
    assert made.recipe(**changes).hash != made.recipe().hash


def test_no_two_recipes_share_a_hash() -> None:
    hashes = {made.recipe(**changes).hash for changes in CHANGES}
    assert len(hashes) == len(CHANGES)
    assert all(len(one) == 12 and int(one, 16) >= 0 for one in hashes)


def test_a_learner_s_name_is_a_seed_of_its_search() -> None:
    """So it is a part of what decides the model; see ``learning.search.proposals``."""
    named = [own["name"] for own in made.recipe(learners=(RIDGE, TREES)).content["learners"]]
    assert named == ["ridge", "trees"]


TIMED = ["model=ridge", "hpo.timeout_minutes=1.5"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["compute.workers=7"],
        ["store.path=elsewhere/prices.db"],
        ["store.snapshots=elsewhere"],
        ["tracking.uri=sqlite:///elsewhere.db"],
        ["strategy.name=mine"],
        ["model.name=mine"],
        ["universe.name=mine"],
        ["hpo.recorded_trials={ridge: 4}"],
        ["retrain.refresh=false"],
        ["evaluation=walk_forward"],
        ["gates=targets"],
        ["audit.permutations=1"],
    ],
    ids=str,
)
def test_settings_of_the_machine_and_names_change_no_hash(overrides: list[str]) -> None:
    assert of(*TIMED, *overrides).hash == of(*TIMED).hash


@pytest.mark.parametrize(
    "overrides",
    [
        ["features=classic"],
        ["features.min_history=50"],
        ["model.target.winsorise=0.05"],
        ["model.learners.ridge.initial.alpha=1000"],
        ["model=lightgbm"],
        ["hpo.n_trials=3"],
        ["cv.folds=3"],
        ["cv=combinatorial"],
        ["strategy.open_bps=3"],
        ["strategy.close_bps=3"],
        ["strategy.max_gross=0.5"],
        ["backtest.max_positions=3"],
        ["retrain.window_days=120"],
        ["retrain.start=2010-02-01", "retrain.end=2010-08-31"],
        ["seed=8"],
    ],
    ids=str,
)
def test_settings_of_the_model_change_the_hash(overrides: list[str]) -> None:
    assert of(*TIMED, *overrides).hash != of(*TIMED).hash


def test_session_features_that_are_learned_from_and_limits_they_read_change_the_hash() -> None:
    without = of("features=classic")
    words = ["features=classic", "features.min_window_for_session_features=1"]
    assert of(*words).hash != without.hash
    assert of(*words, "regimes.trending_strength=24").hash != of(*words).hash


def test_both_ends_given_are_the_same_recipe_as_the_window_they_make() -> None:
    given = of("retrain.start=2010-02-01", "retrain.end=2010-08-31")
    days = (pd.Timestamp("2010-08-31") - pd.Timestamp("2010-02-01")).days - 30
    assert given.hash == of(f"retrain.window_days={days}").hash


def test_a_search_repeated_trial_by_trial_has_no_time_budget() -> None:
    first, again = (of(*TIMED, *more).plan for more in ([], ["hpo.recorded_trials={ridge: 4}"]))
    assert (first.timeout_seconds, first.trials("ridge")) == (90, 8)
    assert (again.timeout_seconds, again.trials("ridge")) == (None, 4)


# ---- rows ----


def rows(symbols: int, columns: Sequence[str], sessions: int = 3) -> Dataset:
    days = pd.bdate_range("2024-01-01", periods=sessions, name=SESSION, unit="us")
    names = pd.Index([f"S{k}" for k in range(symbols)], name=SYMBOL)
    keys = pd.MultiIndex.from_product([days, names])
    return Dataset(
        features=pd.DataFrame(0.0, keys, columns),
        returns=pd.Series(np.zeros(len(keys)), keys),
        dropped={},
    )


def cautions(
    symbols: int, columns: list[str], *overrides: str, unadjusted: Sequence[str] = ()
) -> str:
    return "\n".join(of(*overrides).cautions(rows(symbols, columns), unadjusted))


AGAINST = ["rank_beta_252", "rank_realised_volatility_63"]


def test_many_symbols_and_all_columns_need_no_caution() -> None:
    assert cautions(30, AGAINST) == ""


def test_columns_that_the_features_lack_are_named() -> None:
    said = cautions(30, AGAINST[:1], "features=extended", "model=ranked")

    assert "rank_realised_volatility_63" in said
    assert "not among the features" in said
    assert "rank_beta_252" not in said


@pytest.mark.parametrize(("override", "said"), [("model=ranked", True), ("model=ensemble", False)])
def test_the_order_of_few_symbols_is_advised_against(override: str, said: bool) -> None:
    advice = "29: for fewer than 30 choose features=classic"

    assert (advice in cautions(29, AGAINST, override)) is said


@pytest.mark.parametrize(
    ("columns", "override", "said"),
    [
        (AGAINST, "hpo.objective=mae", True),
        (AGAINST, "model=lightgbm", False),
        ([*AGAINST, "rsi", "macd"], "hpo.objective=mae", False),
    ],
)
def test_a_search_by_an_error_in_return_is_advised_against_on_ranks(
    columns: list[str], override: str, said: bool
) -> None:
    assert (
        "hpo.objective=mae: 2 of 2 features are ranks" in cautions(30, columns, override)
    ) is said


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("features.min_price=5", "features.min_price"),
        ("strategy.commission_per_share=0.005", "strategy.commission_per_share"),
    ],
)
def test_limits_and_costs_by_the_price_are_doubted_where_splits_are_unknown(override, named):
    said = cautions(30, AGAINST, override, unadjusted=list("ABCDEF"))
    assert f"{named}: the source does not tell all splits of 6 symbols (A, B, C, D, E, ...)" in said
    assert cautions(30, AGAINST, override) == ""


def test_a_window_with_too_few_sessions_for_the_folds_is_refused_with_numbers() -> None:
    recipe = made.recipe()
    needed = recipe.splitter.needed_sessions
    recipe.require_rows("retrain", "development", rows(2, ["signal"], needed))
    with pytest.raises(TooFewSessions) as caught:
        recipe.require_rows("audit", "development", rows(2, ["signal"], needed - 1))
    assert caught.value.who == "audit"
    assert f"development has {needed - 1} sessions and {2 * (needed - 1)} rows" in str(caught.value)
    assert f"{needed} sessions: {recipe.splitter.needs}" in str(caught.value)


@pytest.mark.parametrize(
    ("target", "symbols", "enough"),
    [
        ({"relative": "market"}, 1, False),
        ({"relative": "sector"}, 1, False),
        ({"relative": "none", "ranked": True}, 1, False),
        ({"relative": "none"}, 1, True),
        ({"relative": "market"}, 2, True),
    ],
)
def test_one_symbol_is_refused_where_the_target_is_what_sets_symbols_apart(
    target: dict[str, Any], symbols: int, enough: bool
) -> None:
    recipe = made.recipe(target=learning.target(**target))
    given = rows(symbols, ["signal"], recipe.splitter.needed_sessions)
    if enough:
        recipe.require_rows("retrain", "development", given)
        return
    with pytest.raises(NotReady, match="development has one symbol a session") as caught:
        recipe.require_rows("retrain", "development", given)
    assert "model.target.relative=none" in str(caught.value)


def test_a_recipe_is_a_value() -> None:
    recipe = made.recipe()
    assert recipe == made.recipe()
    assert replace(recipe, seed=8) != recipe
    assert recipe.columns == ["signal", "noise"]
