from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_rel
from statsmodels.stats.sandwich_covariance import S_hac_simple

from pipeline.learning.metrics import session_losses
from pipeline.stats import inference
from pipeline.stats import returns as measures
from tests.learning.rows import by_session
from tests.soak.worlds import WORLDS, autocorrelated, clustered, fat_tailed, trading_rarely
from tests.stats.series import normal_returns, spa


def test_the_interval_holds_at_its_stated_rate_in_sixty_sessions_of_any_kind():
    below, above, truth = [], [], 1.5
    for world in WORLDS:
        drawn = world(np.random.default_rng(5), (200, 60), truth / math.sqrt(252))
        for seed, row in enumerate(drawn):
            low, high = inference.sharpe_interval(pd.Series(row), seed=seed, replications=200)
            below.append(low > truth)
            above.append(high < truth)
    # Plain percentiles would hold in 91 %.
    assert 0.93 <= 1.0 - np.mean(below) - np.mean(above) <= 0.97
    assert max(np.mean(below), np.mean(above)) <= 0.035


def test_the_lower_bound_holds_where_six_of_sixty_sessions_trade():
    drawn = trading_rarely(np.random.default_rng(6), (400, 60), 0.0)
    drawn = drawn[np.ptp(drawn, axis=1) > 0.0]
    bounds = [
        inference.sharpe_interval(pd.Series(row), seed=seed, replications=200)
        for seed, row in enumerate(drawn)
    ]
    # The studentised bootstrap alone misses in 12 % on each side.
    assert np.mean([low > 0.0 for low, _ in bounds]) <= 0.04
    assert np.mean([high < 0.0 for _, high in bounds]) <= 0.04


def test_a_long_normal_series_has_the_interval_of_the_textbook():
    # Lo (2002): the standard error of a Sharpe ratio is sqrt((1 + S^2 / 2) / T).
    returns = normal_returns(8, 4000, annual_sharpe=1.5)
    once = float(measures.session_sharpe(returns.to_numpy()))
    half = 1.96 * math.sqrt((1.0 + once**2 / 2.0) / 4000 * 252)
    low, high = inference.sharpe_interval(returns, seed=1)
    annual = measures.sharpe(returns)
    assert low == pytest.approx(annual - half, abs=0.06 * half)
    assert high == pytest.approx(annual + half, abs=0.06 * half)


@pytest.mark.parametrize("world", [autocorrelated, clustered, fat_tailed])
def test_the_standard_error_is_that_of_the_delta_method_with_statsmodels_covariance(world):
    values = world(np.random.default_rng(3), (1, 300), 0.1)[0]
    mean, square = values.mean(), np.mean(values**2)
    deviation = math.sqrt(square - mean**2)
    moments = np.column_stack([values - mean, values**2 - square])
    lags = math.ceil(4.0 * 3.0 ** (2.0 / 9.0))
    covariance = S_hac_simple(moments, nlags=lags) / len(values)
    gradient = np.array([square / deviation**3, -mean / 2.0 / deviation**3])
    expected = math.sqrt(gradient @ covariance @ gradient / len(values))

    sharpe, error = inference._sharpe_and_error(values)

    assert sharpe == pytest.approx(mean / values.std(ddof=1))
    assert error == pytest.approx(expected, rel=0.005)  # theirs divides by T, ours by T - 1


@pytest.mark.parametrize("sessions", range(2, 12))
def test_the_interval_of_a_few_sessions_is_wide_and_no_fault(sessions):
    low, high = inference.sharpe_interval(normal_returns(9, sessions, 2.0), seed=1)
    assert high - low >= 2 * 1.95 * math.sqrt(252 / sessions)


def test_interval_is_repeatable_contains_the_estimate_and_narrows_with_data():
    returns = normal_returns(4, 500, annual_sharpe=1.0)
    low, high = inference.sharpe_interval(returns, seed=7)
    assert (low, high) == inference.sharpe_interval(returns, seed=7)
    assert low < measures.sharpe(returns) < high
    short_low, short_high = inference.sharpe_interval(returns[:100], seed=7)
    assert high - low < (short_high - short_low) / 1.8
    narrow_low, narrow_high = inference.sharpe_interval(returns, level=0.5, seed=7)
    assert low < narrow_low < narrow_high < high


def test_interval_of_a_strategy_that_trades_once_reaches_below_zero():
    returns = pd.Series([0.0] * 59 + [0.05])
    low, _ = inference.sharpe_interval(returns, seed=1)
    assert low <= 0.0


def test_paired_test_finds_the_worse_of_two_and_only_that():
    better = normal_returns(10, 250)
    worse = better - 0.002 + normal_returns(11, 250) * 0.1
    assert inference.paired_test(worse, better, seed=1) < 0.01
    assert inference.paired_test(better, worse, seed=1) > 0.99
    assert inference.paired_test(better, better, seed=1) == 1.0
    assert inference.paired_test(better - 0.001, better, seed=1) < 0.05


@pytest.mark.parametrize("world", [*WORLDS, trading_rarely], ids=lambda world: world.__name__)
def test_paired_test_tells_equals_apart_no_more_often_than_its_level(world):
    drawn = world(np.random.default_rng(9), (200, 60), 0.0)
    rejected = [
        inference.paired_test(pd.Series(row), pd.Series(np.zeros(60)), seed=seed, replications=200)
        <= 0.05
        for seed, row in enumerate(drawn)
    ]
    assert np.mean(rejected) <= 0.05 + 2.0 * math.sqrt(0.05 * 0.95 / 200)


def test_paired_test_agrees_with_students_where_differences_are_normal():
    a, b = normal_returns(14, 500, annual_sharpe=0.3), normal_returns(15, 500, annual_sharpe=0.6)
    students = ttest_rel(a, b, alternative="less").pvalue
    assert inference.paired_test(a, b, seed=1) == pytest.approx(students, abs=0.03)


@given(scale=st.floats(1e-6, 1e6))
@settings(max_examples=10, deadline=None)
def test_paired_test_knows_no_units(scale):
    a, b = normal_returns(16, 80), normal_returns(17, 80)
    once = inference.paired_test(a, b, seed=2, replications=200)
    assert inference.paired_test(scale * a, scale * b, seed=2, replications=200) == once


def test_paired_test_needs_sixty_sessions_known_in_both():
    a, b = normal_returns(12, 70), normal_returns(13, 70)
    assert not math.isnan(inference.paired_test(a[:60], b, seed=1))
    assert math.isnan(inference.paired_test(a[:60], b[1:], seed=1))
    assert math.isnan(inference.paired_test(a[:60].where(a.index[:60] > 0), b, seed=1))


def test_newey_west_has_its_hand_computed_value():
    # n = 4: ceil(1.3 * 2) = 3 values wide, weights 2/3 and 1/3
    # deviations -1.5 -0.5 0.5 1.5: gamma0 = 5/4, gamma1 = 1.25/4, gamma2 = -1.5/4
    variance = 5 / 4 + 2 * (2 / 3 * 1.25 - 1 / 3 * 1.5) / 4
    critical = 1.96 + 2.9694 * 0.75 + 0.4160 * 0.75**2 - 0.5324 * 0.75**3

    t = inference.newey_west_t(pd.Series([1.0, 2.0, 3.0, 4.0, np.nan]))

    assert t == pytest.approx(2.5 / np.sqrt(variance / 4) * 1.96 / critical)


def test_newey_west_agrees_with_statsmodels_but_for_its_critical_value():
    statsmodels = pytest.importorskip("statsmodels.api")
    series = np.random.default_rng(3).normal(0.1, 1, 250).cumsum() / 10

    fitted = statsmodels.OLS(series, np.ones(250)).fit(cov_type="HAC", cov_kwds={"maxlags": 20})

    critical = 1.96 + 2.9694 * 0.084 + 0.4160 * 0.084**2 - 0.5324 * 0.084**3
    assert inference.newey_west_t(pd.Series(series)) == pytest.approx(
        fitted.tvalues[0] * 1.96 / critical
    )


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("sessions", [60, 250])
def test_a_rank_ic_without_skill_has_a_t_beyond_196_in_five_percent(sessions, rho):
    scores = autocorrelated(np.random.default_rng(1), (2000, sessions), 0.0, rho)

    beyond = np.mean([abs(inference.newey_west_t(pd.Series(row))) > 1.96 for row in scores])

    # One binomial standard error of 2,000 draws is 0.5 %. Unscaled, it would be 6 to 13 %.
    assert 0.035 <= beyond <= 0.065


@pytest.mark.parametrize("values", [[], [0.1, 0.2], [0.1] * 5])
def test_a_t_statistic_needs_values_that_vary(values):
    assert np.isnan(inference.newey_west_t(pd.Series(values, dtype="float64")))


def spa_case(edge: float, sessions: int = 60) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    random = np.random.default_rng(5)
    signal = random.normal(size=(sessions, 20))
    returns = by_session(*edge * signal + random.normal(size=(sessions, 20)))
    rivals = pd.DataFrame({"zero": 0.0, "mean": 0.01}, index=returns.index)
    return returns, by_session(*0.3 * signal), rivals


def test_spa_is_small_for_a_model_that_beats_all_baselines_and_large_for_one_that_does_not():
    assert spa(*spa_case(edge=0.3), seed=0) < 0.01
    assert spa(*spa_case(edge=-0.3), seed=0) > 0.5


def test_spa_is_large_where_one_baseline_is_as_good():
    returns, forecast, rivals = spa_case(edge=0.3)

    assert spa(returns, forecast, rivals.assign(ridge=forecast), seed=0) == 1.0


def test_spa_says_nothing_about_few_sessions():
    assert np.isnan(spa(*spa_case(edge=0.3, sessions=59), seed=0))


def test_spa_rejects_equal_forecasts_no_more_often_than_its_level():
    random = np.random.default_rng(0)
    rejected = 0
    for seed in range(100):
        returns = by_session(*random.normal(size=(60, 5)))
        noise = by_session(*random.normal(scale=0.2, size=(60, 5)))
        rivals = pd.DataFrame({"zero": -noise}, index=returns.index)  # as bad on average
        rejected += spa(returns, noise, rivals, seed=seed) <= 0.1

    assert rejected <= 16  # binomial(100, 0.1): 98 % of runs have at most 16


def test_spa_says_what_students_test_says_where_errors_are_normal():
    random = np.random.default_rng(4)
    returns, noise = (
        by_session(*random.normal(size=(100, 20))),
        by_session(*random.normal(size=(100, 20))),
    )
    rivals = pd.DataFrame({"zero": 0.97 * noise}, index=returns.index)
    gains = session_losses(returns, rivals["zero"]) - session_losses(returns, 0.95 * noise)

    p = spa(returns, 0.95 * noise, rivals, seed=1)

    students = ttest_1samp(gains, 0.0, alternative="greater").pvalue
    assert students <= p <= students + 0.03
