"""The judgement of forecasts: each part measured on the rows it is about, by the recipe's rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.contract import Tables
from pipeline.gates.evidence import luck
from pipeline.gates.gates import Gates
from pipeline.gates.judge import Result, judge, worse_than_ridge
from pipeline.gates.looks import predictions_digest
from pipeline.gates.skill import skill_metrics
from pipeline.gates.verdict import evaluate, verdict
from pipeline.gates.version import AS_TRAINED
from pipeline.learning.dataset import Dataset
from pipeline.learning.metrics import by_group, out_of_sample_metrics, rank_ic
from pipeline.recipe.books import books
from pipeline.recipe.evaluate import OutOfSample
from pipeline.recipe.robustness import robustness
from pipeline.trading.performance import equal_weight_benchmark, summary
from tests.recipe import made
from tests.recipe.history import History, history

SESSIONS = 70
RECIPE = made.recipe(rules=made.rules(max_positions=3, slippage_bps=2.0), bankroll=20_000.0)
GATES = Gates.model_validate(
    {
        "min_sessions": 60,
        "evidence_max_age_sessions": 63,
        "beats_zero": {
            "metric": "test/r2", "operator": ">", "threshold": 0, "when_unknown": "refuse",
            "required": True,
        },
        "few_trades": {
            "metric": "backtest/trades", "operator": "<", "threshold": 1, "when_unknown": "refuse",
            "required": False,
        },
        "is_fresh": {
            "metric": "version/age_sessions", "operator": "<=", "threshold": 0,
            "when_unknown": "refuse", "required": True,
        },
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def world() -> History:
    return history(SESSIONS)


@pytest.fixture(scope="module")
def labelled(world: History) -> Dataset:
    return world.dataset(world.sessions, ["signal", "noise"])


def outcome_of(world: History, *, skill: float = 0.3, **columns: Any) -> OutOfSample:
    """Forecasts of every row, labelled or not, and those of the baselines."""
    rng = np.random.default_rng(5)
    rows = world.features
    known = world.labels["intraday_return"].reindex(rows.index).fillna(0.0)
    predicted = pd.DataFrame(
        {
            "prediction": skill * known + rng.normal(0.0, 0.002, len(rows)),
            "zero": 0.0,
            "mean": 1e-4,
            "ridge": rng.normal(0.0, 0.002, len(rows)),
            "trained_until": world.bars.sessions[0],
            **columns,
        },
        rows.index,
    )
    return OutOfSample(predicted, [], pd.DataFrame())


def judged(
    world: History,
    labelled: Dataset,
    outcome: OutOfSample,
    looks: Mapping[str, float] | None = None,
) -> Result:
    market = world.market(world.sessions, RECIPE.rules)
    return judge(RECIPE, outcome, labelled, market, GATES, looks or {})


@pytest.fixture(scope="module")
def outcome(world: History) -> OutOfSample:
    return outcome_of(world)


@pytest.fixture(scope="module")
def result(world: History, labelled: Dataset, outcome: OutOfSample) -> Result:
    return judged(world, labelled, outcome, {"a": 1.0, "b": 0.5})


def expect(result: Result, due: dict[str, float]) -> None:
    np.testing.assert_equal({name: result.metrics[name] for name in due}, due)


def test_forecasts_are_scored_on_the_rows_with_a_label_beside_the_baselines(
    result: Result, labelled: Dataset, outcome: OutOfSample
) -> None:
    rows = outcome.predicted.loc[labelled.returns.index]
    assert len(rows) < len(outcome.predicted)
    due = out_of_sample_metrics(
        labelled.returns, rows["prediction"], rows[["zero", "mean", "ridge"]], seed=RECIPE.seed
    )
    assert {"test/r2", "baseline/ridge_r2"} <= set(due)
    expect(result, due)
    assert result.rank_ic.equals(rank_ic(labelled.returns, rows["prediction"]))


def test_forecasts_of_all_rows_are_traded_by_the_recipe_s_rules_and_bankroll(
    result: Result, world: History, outcome: OutOfSample
) -> None:
    market = world.market(world.sessions, RECIPE.rules)
    due = books(RECIPE.rules, RECIPE.bankroll, outcome.predictions, market)
    pd.testing.assert_frame_equal(result.books.ledger, due.ledger, check_exact=True)
    expect(
        result, summary(due, equal_weight_benchmark(market.open, market.close, result.predictions))
    )
    assert result.metrics["backtest/trades"] > 100
    assert result.books.equity.iloc[0] == RECIPE.bankroll


def test_robustness_is_that_of_the_same_forecasts(
    result: Result, world: History, labelled: Dataset, outcome: OutOfSample
) -> None:
    market = world.market(world.sessions, RECIPE.rules)
    expect(
        result,
        robustness(RECIPE.rules, RECIPE.bankroll, labelled.returns, outcome.predictions, market),
    )


def test_luck_is_that_of_one_look_more_than_there_were(
    result: Result, world: History, labelled: Dataset
) -> None:
    expect(result, luck(result.books.net_returns, 2.5, RECIPE.seed))
    weak = outcome_of(world, skill=0.02)
    earlier = {"a": 1.0, "b": 0.5}
    first, third = judged(world, labelled, weak), judged(world, labelled, weak, earlier)
    assert (first.metrics["backtest/looks"], third.metrics["backtest/looks"]) == (1.0, 2.5)
    assert first.metrics["backtest/deflated_sharpe"] > third.metrics["backtest/deflated_sharpe"]
    assert (dict(third.looks), dict(first.looks)) == (earlier, {})


def test_what_the_universe_did_not_earn_is_measured_with_the_same_looks(
    result: Result, labelled: Dataset, outcome: OutOfSample
) -> None:
    due = skill_metrics(result.books, labelled.returns, outcome.predictions, 2.5, RECIPE.seed)
    assert {"test/timing_ic", "backtest/excess_return", "backtest/real_opens"} <= set(due)
    expect(result, due)


def test_trading_only_above_the_cost_stands_beside_what_was_traded(
    result: Result, world: History, outcome: OutOfSample
) -> None:
    market = world.market(world.sessions, RECIPE.rules)
    choosy = books(
        RECIPE.rules.changed(min_edge_bps=None), RECIPE.bankroll, outcome.predictions, market
    )
    due = summary(choosy, equal_weight_benchmark(market.open, market.close, result.predictions))
    assert result.metrics["selective/trades"] == due["backtest/trades"]
    assert result.metrics["selective/sharpe"] == due["backtest/sharpe"]
    assert 0 < result.metrics["selective/trades"] < result.metrics["backtest/trades"]


def test_a_forecast_worse_than_ridge_has_a_small_p_value(world: History, labelled: Dataset) -> None:
    returns = labelled.returns
    rows = outcome_of(world).predicted.loc[returns.index]
    good, bad = rows["prediction"], rows["ridge"] + 0.05
    assert worse_than_ridge(returns, bad, rows["ridge"], 7) < 0.01
    assert worse_than_ridge(returns, good, rows["ridge"], 7) > 0.95
    few = returns.index.get_level_values("session") < world.sessions[59]
    assert math.isnan(worse_than_ridge(returns[few], bad[few], rows["ridge"][few], 7))


def test_ridge_is_what_the_forecast_is_tested_against(world: History, labelled: Dataset) -> None:
    weak = outcome_of(world, skill=0.02)
    rows = weak.predicted.loc[labelled.returns.index]
    against_ridge, against_zero = (
        worse_than_ridge(labelled.returns, rows["prediction"], rows[name], RECIPE.seed)
        for name in ("ridge", "zero")
    )
    assert judged(world, labelled, weak).metrics["test/ridge_pvalue"] == against_ridge
    assert against_ridge != against_zero


def test_the_gates_answer_to_all_of_it(result: Result, world: History, labelled: Dataset) -> None:
    assert result.answers == evaluate({**result.metrics, **AS_TRAINED}, GATES)
    assert [answer.name for answer in result.answers] == [
        "min_sessions",
        "beats_zero",
        "few_trades",
        "is_fresh",
    ]
    assert (result.verdict, verdict(result.answers)) == ("accepted", "accepted")
    assert judged(world, labelled, outcome_of(world, skill=-0.3)).verdict == "rejected"


def test_too_few_sessions_are_not_enough_evidence(world: History, labelled: Dataset) -> None:
    some = world.sessions[:40]
    whole = outcome_of(world)
    rows = whole.predicted.index.get_level_values("session").isin(some)
    part = OutOfSample(whole.predicted[rows], [], pd.DataFrame())
    market = world.market(some, RECIPE.rules)
    found = judge(RECIPE, part, labelled.at(some), market, GATES, {})
    assert found.metrics["backtest/sessions"] == 40
    assert found.verdict == "not enough evidence"


def test_what_is_kept_are_forecasts_of_all_rows_and_the_returns_there_are(
    result: Result, labelled: Dataset, outcome: OutOfSample
) -> None:
    stored = result.stored
    assert list(stored.columns) == [
        "prediction", "intraday_return", "baseline_ridge", "baseline_mean", "trained_until",
    ]  # fmt: skip
    assert stored["prediction"].reindex(outcome.predicted.index).equals(outcome.predictions)
    assert stored["intraday_return"].dropna().sort_index().equals(labelled.returns.sort_index())
    assert stored["intraday_return"].isna().sum() == len(outcome.predicted) - len(labelled.returns)
    assert stored["trained_until"].notna().all()


def test_equal_forecasts_are_one_look_and_others_another(
    result: Result, world: History, labelled: Dataset, outcome: OutOfSample
) -> None:
    assert result.digest == predictions_digest(outcome.predictions)
    assert judged(world, labelled, outcome).digest == result.digest
    assert judged(world, labelled, outcome_of(world, skill=0.2)).digest != result.digest


def test_skill_is_told_by_year_and_by_regime(
    result: Result, world: History, labelled: Dataset, outcome: OutOfSample
) -> None:
    assert set(result.tables) == {Tables.BY_YEAR, Tables.BY_REGIME}
    scored = outcome.predictions.loc[labelled.returns.index]
    market = world.market(world.sessions, RECIPE.rules)
    due = by_group(labelled.returns, scored, market.regimes)
    table = result.tables[Tables.BY_REGIME].set_index("regime")
    pd.testing.assert_frame_equal(table, due, check_names=False, check_exact=True)
    assert set(table.index) == {"RANGING", "HIGH_VOL"}
    assert result.tables[Tables.BY_YEAR]["year"].tolist() == ["2023"]


def test_shorter_windows_add_their_curve(world: History, labelled: Dataset) -> None:
    shorter = outcome_of(world).predictions * 0.5
    found = judged(world, labelled, outcome_of(world, window_50=shorter))
    curve = found.tables[Tables.LEARNING_CURVE]
    assert curve["window_percent"].tolist() == [50, 100]
    assert curve["rank_ic"].iloc[0] == pytest.approx(curve["rank_ic"].iloc[1])
