"""The configuration of an earlier run: what it decided stays, where things lie is as here.

``logged_before.yaml`` is the ``config.yaml`` of a walk-forward that was run when every source of
bars had every key, and three other keys had other names.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.config.logged import for_refits, for_reproduction, logged_config
from pipeline.config.settings import Settings
from pipeline.errors import InvalidSettings
from pipeline.io.sources.settings import FilesData
from pipeline.paths import CONFIG

BEFORE = Path(__file__).with_name("logged_before.yaml")


@pytest.fixture
def logged() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(BEFORE.read_text())
    return content


def here(*overrides: str) -> Settings:
    return check(compose(["store.path=here/sample.db", *overrides]))


def loaded(logged: dict[str, Any], *overrides: str) -> Settings:
    return Settings.from_config(logged_config(here(*overrides), logged))


def test_the_file_is_one_of_before(logged: dict[str, Any]) -> None:
    assert "against" in logged["model"]["target"]
    assert "least_slope" in logged["model"]
    assert "session_wide_from_sessions" in logged["features"]
    assert {"path", "download", "columns", "max_withdrawn"} <= set(logged["data"])
    with pytest.raises(InvalidSettings, match="least_slope"):
        Settings.from_config(logged)


def test_a_configuration_of_before_loads_with_what_it_decided(logged: dict[str, Any]) -> None:
    logged["model"]["target"]["against"] = ["rank_beta_252"]
    logged["model"]["least_slope"] = 0.031
    logged["features"]["session_wide_from_sessions"] = 77
    same = loaded(logged, "features=classic", "model=ridge", "seed=3")
    assert same.model.target.neutralise == ("rank_beta_252",)
    assert same.model.min_slope == 0.031
    assert same.features.min_window_for_session_features == 77
    assert (same.features.name, same.seed) == ("ranked", 7)
    assert same.evaluation.is_walk_forward
    (learner,) = same.model.learners.values()
    assert learner.name == "lightgbm"
    assert dict(learner.initial) == logged["model"]["learners"]["lightgbm"]["initial"]
    space = logged["model"]["learners"]["lightgbm"]["space"]
    assert list(learner.space) == list(space)  # a search draws in this order
    assert same.data == here("data=sample").data


def test_it_makes_the_recipe_of_the_run(logged: dict[str, Any]) -> None:
    recipe = build.recipe(loaded(logged))
    assert [own.name for own in recipe.learners] == ["lightgbm"]
    assert (recipe.windows.window_days, recipe.windows.evaluation.refit_every) == (90, 42)
    assert (recipe.plan.n_trials, recipe.rules.max_positions) == (2, 10)
    assert type(recipe.splitter).__name__ == "WalkForward"


def test_what_is_handed_in_stays_as_it_is(logged: dict[str, Any]) -> None:
    before = copy.deepcopy(logged)
    for_reproduction(here(), logged, "2010-08-13", {"lightgbm": 2})
    for_refits(here(), logged)
    assert logged == before


def test_where_things_lie_and_what_the_machine_may_use_are_as_here(logged: dict[str, Any]) -> None:
    words = ["compute.workers=5", "tracking.uri=sqlite:///here.db"]
    same, now = loaded(logged, *words), here(*words)
    assert (same.store, same.compute, same.tracking) == (now.store, now.compute, now.tracking)
    assert same.store.path.name == "sample.db"
    assert "trader" not in str(same.store.path)


@pytest.mark.parametrize("key", ["path", "index_path", "symbols_path", "splits_path"])
def test_files_are_looked_for_where_they_are_now_and_read_as_they_were(
    logged: dict[str, Any], key: str
) -> None:
    files = yaml.safe_load((CONFIG / "data/files.yaml").read_text())
    logged["data"] |= {**files, "day_first": True, key: "/gone/prices"}
    now = here().changed(data={**files, "day_first": False, key: "/here/prices"})
    same = Settings.from_config(logged_config(now, logged))
    assert getattr(same.data, key) == Path("/here/prices")
    assert isinstance(same.data, FilesData)
    assert same.data.day_first is True


def test_a_key_of_another_source_with_a_value_is_refused(logged: dict[str, Any]) -> None:
    logged["data"]["day_first"] = True
    with pytest.raises(InvalidSettings, match=r"data\.day_first: only with data=files"):
        loaded(logged)


@pytest.mark.parametrize(("section", "key"), [("strategy", "borrow_bps_a_year"),
                                              ("backtest", "capacity_impact")])  # fmt: skip
def test_keys_that_a_strategy_did_not_have_yet_are_as_here(
    logged: dict[str, Any], section: str, key: str
) -> None:
    del logged[section][key]
    logged["strategy"]["slippage_bps"] = 9.0
    same = loaded(logged, f"{section}.{key}=0.5")
    assert getattr(getattr(same, section), key) == 0.5
    assert same.strategy.open_bps == same.strategy.close_bps == 9.0


# ---- a retrain done again ----


def test_a_reproduction_ends_where_the_run_ended_and_searches_as_much(
    logged: dict[str, Any],
) -> None:
    now = here("reproduce.data=current", "retrain.window_days=400")
    same = for_reproduction(now, logged, "2010-08-13", {"lightgbm": 2})
    assert str(same.retrain.end) == "2010-08-13"
    assert same.retrain.window_days == 90
    assert same.hpo.recorded_trials == {"lightgbm": 2}
    assert same.reproduce.data == "current"
    assert for_reproduction(now, logged, "2010-08-13", None).hpo.recorded_trials is None


# ---- a version's recipe refitted ----


def test_refits_are_of_the_version_s_recipe_by_the_dates_of_here(logged: dict[str, Any]) -> None:
    now = here("evaluation.refit_every=7", "backtest.end=2010-06-30", "retrain.window_days=400")
    same = for_refits(now, logged)
    assert same.evaluation.refit_every == 7
    assert same.evaluation.learning_curve == ()
    assert (same.retrain.start, str(same.retrain.end)) == (None, "2010-06-30")
    assert same.retrain.window_days == 90
    assert same.seed == 7


def test_a_start_of_the_walk_forward_of_here_does_not_cut_the_refits(
    logged: dict[str, Any],
) -> None:
    assert for_refits(here("evaluation.start=2010-06-01"), logged).evaluation.start is None


def test_refits_of_a_holdout_between_two_dates_have_a_window_as_long(
    logged: dict[str, Any],
) -> None:
    logged["retrain"] |= {"start": "2010-02-01", "end": "2010-08-31"}
    walked = for_refits(here(), logged)
    assert walked.retrain.window_days == 90  # they bound the history
    logged["evaluation"]["name"] = "holdout"
    days = 211 - 30
    assert for_refits(here(), logged).retrain.window_days == days
