"""From settings to what the rooms work with."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.selection import Selection


def settings(*overrides: str) -> Settings:
    return check(compose(list(overrides)))


@pytest.mark.parametrize(
    ("overrides", "selection"),
    [
        ([], Selection()),
        (["date=2010-03-01"], Selection(pd.Timestamp("2010-03-01"), pd.Timestamp("2010-03-01"))),
        (["start_date=2010-03-01"], Selection(pd.Timestamp("2010-03-01"))),
        (["end_date=2010-03-01"], Selection(last=pd.Timestamp("2010-03-01"))),
        (["exchange=NYSE"], Selection(exchange="NYSE")),
        (["symbols='AAPL, MSFT'"], Selection(symbols=("AAPL", "MSFT"))),
    ],
)
def test_a_day_is_both_ends_of_a_range(overrides: list[str], selection: Selection) -> None:
    assert build.selection(settings(*overrides)) == selection


def test_symbols_are_written_as_the_source_writes_them(tmp_path: Path) -> None:
    listed = tmp_path / "mine.csv"
    listed.write_text("symbol,sector\nbrk.b,Financials\nNA,\n")
    where = f"universe.path={listed}"
    live = settings("data=yfinance", where, "symbols=[brk.b]")
    assert build.members(live) == ("BRK-B", "NA")
    assert build.named_symbols(live) == ("BRK-B",)
    abroad = settings("data=yfinance", where, "data.exchange_calendar=XLON")
    assert build.members(abroad) == ("BRK.B", "NA")
    sample = settings().changed(universe=live.universe, symbols=("brk.b",))
    assert build.members(sample) == ("BRK-B", "NA")
    assert build.named_symbols(sample) == ("BRK-B",)
    assert build.members(settings()) is None
    assert build.named_symbols(settings()) is None


def test_the_backtest_s_number_of_positions_is_the_rules() -> None:
    chosen = settings("backtest.max_positions=3", "strategy.open_bps=2")
    assert build.rules(chosen).max_positions == 3
    assert build.rules(chosen).open_bps == 2
    assert build.rules(settings("strategy.max_positions=4")).max_positions == 4


def test_windows_keep_the_gap_and_the_sessions_that_the_folds_need() -> None:
    chosen = settings("cv.embargo_sessions=3", "cv.folds=5", "retrain.window_days=120")
    plan = build.window_plan(chosen)
    assert plan.gap_sessions == chosen.cv.gap_sessions == 3
    assert plan.min_sessions == chosen.cv.needed_sessions
    assert (plan.window.window_days, plan.evaluation.name) == (120, "holdout")
    assert build.window_plan(settings("evaluation=walk_forward")).evaluation.is_walk_forward


def test_features_are_learned_from_as_the_window_allows() -> None:
    chosen = settings("features=classic", "retrain.window_days=90")
    features, recipe = build.feature_set(chosen), build.recipe(chosen)
    session = {f.name for f in features.features if f.kind == "session"}
    assert session
    assert set(recipe.features) == set(features.hashes) - session
    wide = settings("features=classic", "retrain.window_days=400")
    assert set(build.recipe(wide).features) == set(features.hashes)


def test_a_recipe_is_made_of_the_sections_that_decide_it() -> None:
    chosen = settings("model=ensemble", "backtest.bankroll=5000", "seed=3", "hpo.n_trials=2")
    recipe = build.recipe(chosen)
    assert [own.name for own in recipe.learners] == list(chosen.model.learners)
    assert (recipe.name, recipe.bankroll, recipe.seed) == ("ensemble", 5000, 3)
    assert (recipe.target, recipe.splitter, recipe.plan) == (
        chosen.model.target, chosen.cv, chosen.hpo,
    )  # fmt: skip
    assert (recipe.weights, recipe.min_slope) == (chosen.model.weights, chosen.model.min_slope)
    assert recipe.rules == build.rules(chosen)
    assert recipe.rows == build.feature_set(chosen).rows
