from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from pipeline.learning.evaluation import (
    OBJECTIVES,
    baselines,
    cv_metrics,
    fold_metrics,
    mean_and_std,
    out_of_sample_metrics,
    spa_pvalue,
)
from pipeline.learning.scores import r2, session_losses, sharpe
from pipeline.learning.targets import Target
from tests.learning.rows import by_session

RETURNS = by_session([0.01, 0.02, 0.03], [-0.02, 0.0, 0.02])
FORECAST = by_session([0.01, 0.01, 0.01], [-0.01, 0.01, 0.01])


@pytest.mark.parametrize("name", ["mae", "mae_relative", "rank_ic"])
def test_an_objective_by_session_averages_to_its_fold_metric_higher_being_better(name):
    random = np.random.default_rng(0)
    returns, forecast = (
        by_session(*random.normal(size=(5, 7))),
        by_session(*random.normal(size=(5, 7))),
    )
    objective = OBJECTIVES[name]

    scores = objective.by_session(returns, forecast, None)

    sign = -1 if objective.direction == "minimize" else 1
    metric = fold_metrics(returns, forecast)[objective.metric]
    assert sign * scores.mean() == pytest.approx(metric)


def test_the_sharpe_objective_is_the_strategys_own_returns():
    net = pd.Series([0.01, -0.02], RETURNS.index.levels[0])

    assert OBJECTIVES["sharpe_net"].by_session(RETURNS, FORECAST, net) is net
    assert fold_metrics(RETURNS, FORECAST, net)["sharpe_net"] == sharpe(net)
    with pytest.raises(ValueError, match="strategy_returns"):
        OBJECTIVES["sharpe_net"].by_session(RETURNS, FORECAST, None)


def test_fold_metrics_are_averaged_and_a_missing_one_is_not_hidden():
    table = mean_and_std([{"r2": 0.1, "rank_ic": 0.2}, {"r2": 0.3, "rank_ic": np.nan}])

    assert table["r2_mean"] == pytest.approx(0.2)
    assert table["r2_std"] == pytest.approx(0.1 * np.sqrt(2))
    assert np.isnan(table["rank_ic_mean"])


CONTRACT = {f"cv/{m}_{s}" for m in ("r2", "mae", "rank_ic") for s in ("mean", "std")}


def test_cv_metrics_are_means_over_folds_under_the_contracts_names():
    metrics = cv_metrics(RETURNS, FORECAST, np.repeat([0, 1], 3))

    assert set(metrics) >= CONTRACT
    assert metrics["cv/r2_mean"] == pytest.approx(((1 - 5 / 14) + (1 - 3 / 8)) / 2)
    assert metrics["cv/mae_mean"] == pytest.approx(0.01)


def test_weights_of_zero_hide_no_rank_ic():
    forecast = by_session([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    returns = by_session([-1.0, -2.0, -3.0], [-1.0, -3.0, -2.0])

    metrics = cv_metrics(returns, forecast * 0, np.repeat([0, 1], 3), ordered=forecast)

    assert metrics["cv/r2_mean"] == 0.0
    assert metrics["cv/rank_ic_mean"] == pytest.approx((-1 - 0.5) / 2)


def test_baselines_know_the_training_rows_only(make_dataset):
    dataset = make_dataset(sessions=20)
    train, test = dataset.at(dataset.sessions[:15]), dataset.at(dataset.sessions[15:])

    before = baselines(train, test.features, Target())
    test.returns[:] = 9.0
    after = baselines(train, test.features, Target())

    pd.testing.assert_frame_equal(before, after)
    assert list(before) == ["zero", "mean", "ridge"]
    assert (before["zero"] == 0).all()
    assert before["mean"].iloc[0] == pytest.approx(train.returns.mean())
    assert before["ridge"].corr(test.features["signal"]) > 0.9


def test_out_of_sample_metrics_carry_the_contracts_names():
    random = np.random.default_rng(2)
    returns, forecast = (
        by_session(*random.normal(size=(30, 9))),
        by_session(*random.normal(size=(30, 9))),
    )
    rivals = pd.DataFrame({"zero": 0.0, "mean": 0.1, "ridge": -forecast}, index=returns.index)

    metrics = out_of_sample_metrics(returns, forecast, rivals, seed=0)

    tests = "r2 r2_vs_train_mean r2_relative mae rmse rank_ic rank_ic_ir rank_ic_t hit_rate"
    rival_names = [f"baseline/{b}_{m}" for b in rivals for m in ("r2", "mae")]
    assert set(metrics) == {
        *(f"test/{name}" for name in tests.split()),
        "test/spa_pvalue",
        "baseline/ridge_rank_ic",
        *rival_names,
    }
    assert metrics["baseline/zero_r2"] == 0.0
    assert metrics["baseline/ridge_rank_ic"] == pytest.approx(-metrics["test/rank_ic"])
    assert metrics["test/r2_vs_train_mean"] == pytest.approx(r2(returns, forecast, 0.1))


def spa_case(edge: float, sessions: int = 60) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    random = np.random.default_rng(5)
    signal = random.normal(size=(sessions, 20))
    returns = by_session(*edge * signal + random.normal(size=(sessions, 20)))
    rivals = pd.DataFrame({"zero": 0.0, "mean": 0.01}, index=returns.index)
    return returns, by_session(*0.3 * signal), rivals


def test_spa_is_small_for_a_model_that_beats_all_baselines_and_large_for_one_that_does_not():
    assert spa_pvalue(*spa_case(edge=0.3), seed=0) < 0.01
    assert spa_pvalue(*spa_case(edge=-0.3), seed=0) > 0.5


def test_spa_is_large_where_one_baseline_is_as_good():
    returns, forecast, rivals = spa_case(edge=0.3)

    assert spa_pvalue(returns, forecast, rivals.assign(ridge=forecast), seed=0) == 1.0


def test_spa_says_nothing_about_few_sessions():
    assert np.isnan(spa_pvalue(*spa_case(edge=0.3, sessions=59), seed=0))


def test_spa_rejects_equal_forecasts_no_more_often_than_its_level():
    random = np.random.default_rng(0)
    rejected = 0
    for seed in range(100):
        returns = by_session(*random.normal(size=(60, 5)))
        noise = by_session(*random.normal(scale=0.2, size=(60, 5)))
        rivals = pd.DataFrame({"zero": -noise}, index=returns.index)  # as bad on average
        rejected += spa_pvalue(returns, noise, rivals, seed=seed) <= 0.1

    assert rejected <= 16  # binomial(100, 0.1): 98 % of runs have at most 16


def test_spa_says_what_students_test_says_where_errors_are_normal():
    random = np.random.default_rng(4)
    returns, noise = (
        by_session(*random.normal(size=(100, 20))),
        by_session(*random.normal(size=(100, 20))),
    )
    rivals = pd.DataFrame({"zero": 0.97 * noise}, index=returns.index)
    gains = session_losses(returns, rivals["zero"]) - session_losses(returns, 0.95 * noise)

    p = spa_pvalue(returns, 0.95 * noise, rivals, seed=1)

    students = ttest_1samp(gains, 0.0, alternative="greater").pvalue
    assert students <= p <= students + 0.03
