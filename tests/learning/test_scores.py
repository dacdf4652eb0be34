from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from pipeline.learning.scores import (
    hit_rate,
    mae,
    newey_west_t,
    r2,
    r2_relative,
    rank_ic,
    rmse,
    session_losses,
    sharpe,
)
from tests.learning.rows import by_session
from tests.soak.worlds import autocorrelated

RETURNS = by_session([0.01, 0.02, 0.03], [-0.02, 0.0, 0.02])
FORECAST = by_session([0.01, 0.01, 0.01], [-0.01, 0.01, 0.01])


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
    market = by_session([0.05] * 3, [-0.09] * 3)

    assert r2_relative(RETURNS + market, FORECAST) == pytest.approx(r2_relative(RETURNS, FORECAST))
    # relative: -1 0 1, -2 0 2 against 0 0 0, -4/3 2/3 2/3 (percent)
    assert r2_relative(RETURNS, FORECAST) == pytest.approx(1 - (2 + (4 + 4 + 16) / 9) / 10)


def test_hit_rate_leaves_out_rows_without_a_sign():
    # signs agree: +, +, +, -, (return 0), +
    assert hit_rate(RETURNS, FORECAST) == 1.0
    assert hit_rate(RETURNS, by_session([0.01, -0.01, 0.01], [0.0, 0.01, -0.01])) == 0.5
    assert np.isnan(hit_rate(RETURNS, RETURNS * 0))


def test_rank_ic_is_spearmans_rho_by_session_and_nan_for_a_constant():
    ic = rank_ic(RETURNS, FORECAST)

    assert np.isnan(ic.iloc[0])
    assert ic.iloc[1] == pytest.approx(np.sqrt(3) / 2)
    assert list(ic.index) == list(RETURNS.index.levels[0])


@given(st.integers(0, 10_000), st.integers(3, 12))
@settings(max_examples=25, deadline=None)
def test_rank_ic_equals_scipy_with_ties(seed, symbols):
    random = np.random.default_rng(seed)
    returns, forecast = random.integers(0, 6, size=(2, 4, symbols)).astype(float)
    returns[:, 0], forecast[:, 0] = -1.0, -2.0  # never constant
    returns[:, 1], forecast[:, 1] = 7.0, 8.0

    ic = rank_ic(by_session(*returns), by_session(*forecast))

    expected = [spearmanr(a, b).statistic for a, b in zip(returns, forecast, strict=True)]
    np.testing.assert_allclose(ic, expected, atol=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_rank_ic_depends_on_order_alone(seed):
    random = np.random.default_rng(seed)
    returns, forecast = random.normal(size=(2, 5, 9))

    ic = rank_ic(by_session(*returns), by_session(*forecast))

    np.testing.assert_allclose(rank_ic(by_session(*returns), by_session(*np.exp(forecast))), ic)
    np.testing.assert_allclose(rank_ic(by_session(*-returns), by_session(*forecast)), -ic)
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
