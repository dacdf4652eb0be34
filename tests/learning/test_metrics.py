from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from pipeline.learning.metrics import (
    cv_metrics,
    hit_rate,
    mae,
    mean_and_std,
    out_of_sample_metrics,
    r2,
    r2_relative,
    rank_ic,
    rmse,
    session_losses,
    spa_relative_pvalue,
)
from tests.learning.rows import by_session

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


def test_a_session_loss_is_the_mean_squared_error_over_its_symbols():
    np.testing.assert_allclose(session_losses(RETURNS, FORECAST), [5e-4 / 3, 3e-4 / 3])


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
        "test/spa_relative_pvalue",
        "baseline/ridge_rank_ic",
        *rival_names,
    }
    assert metrics["baseline/zero_r2"] == 0.0
    assert metrics["baseline/ridge_rank_ic"] == pytest.approx(-metrics["test/rank_ic"])
    assert metrics["test/r2_vs_train_mean"] == pytest.approx(r2(returns, forecast, 0.1))


@pytest.mark.parametrize(("ic", "low", "high"), [(0.05, 0.0, 0.01), (0.0, 0.2, 1.0)])
def test_skill_across_symbols_is_seen_through_the_markets_level(ic, low, high):
    random = np.random.default_rng(5)
    signal, shape = random.normal(size=(250, 100)), (250, 100)
    market = 0.01 * random.normal(size=(250, 1))
    returns = market + 0.02 * (ic * signal + random.normal(size=shape))
    forecast = 0.02 * 0.05 * signal + 0.001
    days = pd.bdate_range("2024-01-01", periods=250, name="session")
    names = pd.Index([f"S{n}" for n in range(100)], name="symbol")
    tall = [pd.DataFrame(values, days, names).stack() for values in (returns, forecast)]
    assert low <= spa_relative_pvalue(*tall, seed=1) <= high
