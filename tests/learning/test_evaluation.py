from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr, ttest_1samp

from pipeline.learning.evaluation import (
    OBJECTIVES,
    baselines,
    cv_metrics,
    fold_metrics,
    hit_rate,
    mae,
    mean_and_std,
    newey_west_t,
    out_of_sample_metrics,
    r2,
    r2_relative,
    rank_ic,
    rmse,
    session_losses,
    sharpe,
    spa_pvalue,
)
from pipeline.learning.targets import Target
from tests.soak.worlds import autocorrelated

DAYS = pd.date_range("2024-01-01", periods=100)


def wide(values: object) -> pd.Series:
    table = np.asarray(values, dtype="float64")
    index = pd.MultiIndex.from_product(
        [DAYS[: len(table)], range(table.shape[1])], names=["session", "symbol"]
    )
    return pd.Series(table.ravel(), index)


RETURNS = wide([[0.01, 0.02, 0.03], [-0.02, 0.0, 0.02]])
FORECAST = wide([[0.01, 0.01, 0.01], [-0.01, 0.01, 0.01]])


def test_errors_have_their_hand_computed_values():
    # errors 0, 1, 2, -1, -1, 1 percent; squares of returns 1, 4, 9, 4, 0, 4
    assert mae(RETURNS, FORECAST) == pytest.approx(0.01)
    assert rmse(RETURNS, FORECAST) == pytest.approx(0.01 * np.sqrt(8 / 6))
    assert r2(RETURNS, FORECAST) == pytest.approx(1 - 8 / 22)
    assert r2(RETURNS, FORECAST, baseline=0.01) == pytest.approx(1 - 8 / (0 + 1 + 4 + 9 + 1 + 1))


def test_a_zero_forecast_has_no_r2_and_a_perfect_one_all_of_it():
    assert r2(RETURNS, RETURNS * 0) == 0.0
    assert r2(RETURNS, RETURNS) == 1.0
    assert np.isnan(r2(RETURNS * 0, RETURNS))


def test_relative_r2_does_not_see_the_market():
    market = wide([[0.05] * 3, [-0.09] * 3])

    assert r2_relative(RETURNS + market, FORECAST) == pytest.approx(r2_relative(RETURNS, FORECAST))
    # relative: -1 0 1, -2 0 2 against 0 0 0, -4/3 2/3 2/3 (percent)
    assert r2_relative(RETURNS, FORECAST) == pytest.approx(1 - (2 + (4 + 4 + 16) / 9) / 10)


def test_hit_rate_leaves_out_rows_without_a_sign():
    # signs agree: +, +, +, -, (return 0), +
    assert hit_rate(RETURNS, FORECAST) == 1.0
    assert hit_rate(RETURNS, wide([[0.01, -0.01, 0.01], [0.0, 0.01, -0.01]])) == 0.5
    assert np.isnan(hit_rate(RETURNS, RETURNS * 0))


def test_rank_ic_is_spearmans_rho_by_session_and_nan_for_a_constant():
    ic = rank_ic(RETURNS, FORECAST)

    assert np.isnan(ic.iloc[0])
    assert ic.iloc[1] == pytest.approx(np.sqrt(3) / 2)
    assert list(ic.index) == list(DAYS[:2])


@given(st.integers(0, 10_000), st.integers(3, 12))
@settings(max_examples=25, deadline=None)
def test_rank_ic_equals_scipy_with_ties(seed, symbols):
    random = np.random.default_rng(seed)
    returns, forecast = random.integers(0, 6, size=(2, 4, symbols)).astype(float)
    returns[:, 0], forecast[:, 0] = -1.0, -2.0  # never constant
    returns[:, 1], forecast[:, 1] = 7.0, 8.0

    ic = rank_ic(wide(returns), wide(forecast))

    expected = [spearmanr(a, b).statistic for a, b in zip(returns, forecast, strict=True)]
    np.testing.assert_allclose(ic, expected, atol=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_rank_ic_depends_on_order_alone(seed):
    random = np.random.default_rng(seed)
    returns, forecast = random.normal(size=(2, 5, 9))

    ic = rank_ic(wide(returns), wide(forecast))

    np.testing.assert_allclose(rank_ic(wide(returns), wide(np.exp(forecast))), ic)
    np.testing.assert_allclose(rank_ic(wide(-returns), wide(forecast)), -ic)
    assert ic.abs().max() <= 1 + 1e-12


def test_newey_west_has_its_hand_computed_value():
    # n = 4: ceil(1.3 * 2) = 3 values wide, weights 2/3 and 1/3
    # deviations -1.5 -0.5 0.5 1.5: gamma0 = 5/4, gamma1 = 1.25/4, gamma2 = -1.5/4
    variance = 5 / 4 + 2 * (2 / 3 * 1.25 - 1 / 3 * 1.5) / 4
    critical = 1.96 + 2.9694 * 0.75 + 0.4160 * 0.75**2 - 0.5324 * 0.75**3

    t = newey_west_t(pd.Series([1.0, 2.0, 3.0, 4.0, np.nan]))

    assert t == pytest.approx(2.5 / np.sqrt(variance / 4) * 1.96 / critical)


def test_newey_west_agrees_with_statsmodels_but_for_its_critical_value():
    statsmodels = pytest.importorskip("statsmodels.api")
    series = np.random.default_rng(3).normal(0.1, 1, 250).cumsum() / 10

    fitted = statsmodels.OLS(series, np.ones(250)).fit(cov_type="HAC", cov_kwds={"maxlags": 20})

    critical = 1.96 + 2.9694 * 0.084 + 0.4160 * 0.084**2 - 0.5324 * 0.084**3
    assert newey_west_t(pd.Series(series)) == pytest.approx(fitted.tvalues[0] * 1.96 / critical)


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("sessions", [60, 250])
def test_a_rank_ic_without_skill_has_a_t_beyond_196_in_five_percent(sessions, rho):
    scores = autocorrelated(np.random.default_rng(1), (2000, sessions), 0.0, rho)

    beyond = np.mean([abs(newey_west_t(pd.Series(row))) > 1.96 for row in scores])

    # One binomial standard error of 2,000 draws is 0.5 %. Unscaled, it would be 6 to 13 %.
    assert 0.035 <= beyond <= 0.065


@pytest.mark.parametrize("values", [[], [0.1, 0.2], [0.1] * 5])
def test_a_t_statistic_needs_values_that_vary(values):
    assert np.isnan(newey_west_t(pd.Series(values, dtype="float64")))


def test_sharpe_is_annualised_and_nan_without_variance():
    assert sharpe(pd.Series([0.01, 0.03])) == pytest.approx(0.02 / np.std([1, 3], ddof=1) * 1587.45)
    assert np.isnan(sharpe(pd.Series([0.0, 0.0, 0.0])))


def test_a_session_loss_is_the_mean_squared_error_over_its_symbols():
    np.testing.assert_allclose(session_losses(RETURNS, FORECAST), [5e-4 / 3, 3e-4 / 3])


@pytest.mark.parametrize("name", ["mae", "mae_relative", "rank_ic"])
def test_an_objective_by_session_averages_to_its_fold_metric_higher_being_better(name):
    random = np.random.default_rng(0)
    returns, forecast = wide(random.normal(size=(5, 7))), wide(random.normal(size=(5, 7)))
    objective = OBJECTIVES[name]

    scores = objective.by_session(returns, forecast, None)

    sign = -1 if objective.direction == "minimize" else 1
    metric = fold_metrics(returns, forecast)[objective.metric]
    assert sign * scores.mean() == pytest.approx(metric)


def test_the_sharpe_objective_is_the_strategys_own_returns():
    net = pd.Series([0.01, -0.02], DAYS[:2])

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
    forecast = wide([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    returns = wide([[-1.0, -2.0, -3.0], [-1.0, -3.0, -2.0]])

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
    returns, forecast = wide(random.normal(size=(30, 9))), wide(random.normal(size=(30, 9)))
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
    returns = wide(edge * signal + random.normal(size=(sessions, 20)))
    rivals = pd.DataFrame({"zero": 0.0, "mean": 0.01}, index=returns.index)
    return returns, wide(0.3 * signal), rivals


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
        returns = wide(random.normal(size=(60, 5)))
        noise = wide(random.normal(scale=0.2, size=(60, 5)))
        rivals = pd.DataFrame({"zero": -noise}, index=returns.index)  # as bad on average
        rejected += spa_pvalue(returns, noise, rivals, seed=seed) <= 0.1

    assert rejected <= 16  # binomial(100, 0.1): 98 % of runs have at most 16


def test_spa_says_what_students_test_says_where_errors_are_normal():
    random = np.random.default_rng(4)
    returns, noise = wide(random.normal(size=(100, 20))), wide(random.normal(size=(100, 20)))
    rivals = pd.DataFrame({"zero": 0.97 * noise}, index=returns.index)
    gains = session_losses(returns, rivals["zero"]) - session_losses(returns, 0.95 * noise)

    p = spa_pvalue(returns, 0.95 * noise, rivals, seed=1)

    students = ttest_1samp(gains, 0.0, alternative="greater").pvalue
    assert students <= p <= students + 0.03
