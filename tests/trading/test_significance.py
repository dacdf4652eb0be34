from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidSettings
from pipeline.trading import performance, significance


def normal_returns(seed: int, sessions: int, annual_sharpe: float = 0.0) -> pd.Series:
    rng = np.random.default_rng(seed)
    return pd.Series(rng.normal(annual_sharpe / math.sqrt(252) * 0.01, 0.01, sessions))


@pytest.mark.parametrize(
    ("skewness", "kurtosis", "expected"), [(0.0, 3.0, 0.982), (-2.448, 10.164, 0.913)]
)
def test_probabilistic_sharpe_of_the_published_hedge_fund(skewness, kurtosis, expected):
    # Bailey and Lopez de Prado (2012): 24 months at 0.458 a month.
    probability = significance.probability_above(0.458, 0.0, 24, skewness, kurtosis)
    assert probability == pytest.approx(expected, abs=5e-4)


def test_probabilistic_sharpe_by_hand():
    # Mean 1/4, deviation 1/2, skewness 2/sqrt(3), kurtosis 7/3: z = sqrt(3)/2 / 0.71133.
    probability = significance.probabilistic_sharpe(pd.Series([0.0, 0.0, 0.0, 1.0]))
    assert probability == pytest.approx(0.8883, abs=5e-5)


@pytest.mark.parametrize(("trials", "expected"), [(100, 0.9004), (46, 0.9505)])
def test_deflated_sharpe_of_the_published_example(trials, expected):
    # Bailey and Lopez de Prado (2014): 2.5 a year over five years of 250 sessions.
    luck = significance.expected_maximum_sharpe(trials, 0.5 / 250)
    probability = significance.probability_above(2.5 / math.sqrt(250), luck, 1250, -3.0, 10.0)
    assert probability == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("trials", [5, 20, 100])
def test_expected_maximum_is_that_of_simulated_trials(trials):
    best = np.random.default_rng(1).normal(0.0, 0.1, (20_000, trials)).max(axis=1)
    assert significance.expected_maximum_sharpe(trials, 0.01) == pytest.approx(
        best.mean(), rel=0.04
    )


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), looks=st.integers(2, 500))
def test_one_look_is_probabilistic_and_each_further_look_lowers_the_answer(seed, looks):
    returns = normal_returns(seed, 60, annual_sharpe=3.0)
    once = significance.deflated_sharpe_by_looks(returns, 1)
    assert once == significance.probabilistic_sharpe(returns)
    again = significance.deflated_sharpe_by_looks(returns, looks)
    assert again <= significance.deflated_sharpe_by_looks(returns, looks - 1) <= once


def test_looks_are_deflated_by_the_variance_of_a_sharpe_that_is_truly_zero():
    returns = normal_returns(1, 61, annual_sharpe=3.0)
    luck = significance.expected_maximum_sharpe(5, 1 / 60)
    expected = significance.probabilistic_sharpe(returns, luck)
    assert significance.deflated_sharpe_by_looks(returns, 5) == pytest.approx(expected)


def test_deflation_uses_number_and_variance_of_the_trials():
    returns, sharpes = normal_returns(2, 250, annual_sharpe=2.0), [0.10, -0.10, math.nan]
    luck = significance.expected_maximum_sharpe(3, 0.02)
    expected = significance.probabilistic_sharpe(returns, luck)
    assert significance.deflated_sharpe(returns, sharpes) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("sessions", "sharpes"), [(39, [0.1, 0.2]), (40, [0.1]), (40, [0.1, math.nan])]
)
def test_too_few_trials_or_sessions_have_no_deflated_sharpe(sessions, sharpes):
    assert math.isnan(significance.deflated_sharpe(normal_returns(3, sessions), sharpes))


@pytest.mark.parametrize("values", [[], [0.01], [0.0] * 80, [0.003] * 80])
def test_series_without_variance_has_no_significance(values):
    returns = pd.Series(values, dtype="float64")
    assert math.isnan(significance.probabilistic_sharpe(returns))
    assert math.isnan(significance.deflated_sharpe_by_looks(returns, 3))
    assert np.isnan(significance.sharpe_interval(returns, seed=1)).all()


def test_interval_covers_the_true_sharpe_at_its_stated_rate():
    true, covered, missed_above = 1.5, 0, 0
    for seed in range(300):
        low, high = significance.sharpe_interval(
            normal_returns(seed, 60, true), seed=seed, replications=200
        )
        covered += low <= true <= high
        missed_above += low > true
    # Binomial standard error of 300 draws at 95 %: 1.3 %.
    assert 0.92 <= covered / 300 <= 0.98
    assert missed_above / 300 <= 0.055


def test_interval_is_repeatable_contains_the_estimate_and_narrows_with_data():
    returns = normal_returns(4, 500, annual_sharpe=1.0)
    low, high = significance.sharpe_interval(returns, seed=7)
    assert (low, high) == significance.sharpe_interval(returns, seed=7)
    assert low < performance.sharpe(returns) < high
    short_low, short_high = significance.sharpe_interval(returns[:100], seed=7)
    assert high - low < (short_high - short_low) / 1.8
    narrow_low, narrow_high = significance.sharpe_interval(returns, level=0.5, seed=7)
    assert low < narrow_low < narrow_high < high


def test_interval_of_a_strategy_that_trades_once_reaches_below_zero():
    returns = pd.Series([0.0] * 59 + [0.05])
    low, _ = significance.sharpe_interval(returns, seed=1)
    assert low <= 0.0


def test_overfitting_is_a_coin_flip_among_equally_good_trials():
    noise = np.random.default_rng(5).normal(size=(60, 80, 10))
    assert np.mean([significance.pbo(trials) for trials in noise]) == pytest.approx(0.5, abs=0.1)


def test_overfitting_is_nil_where_one_trial_is_truly_best():
    trials = np.random.default_rng(6).normal(size=(200, 10))
    trials[:, 3] += 1.0
    assert significance.pbo(trials) < 0.01


def test_overfitting_is_certain_where_good_halves_are_followed_by_bad_ones():
    half = np.tile([0.01, 0.02], 20)
    trials = np.column_stack([np.append(half, -half), np.append(-half, half)])
    assert significance.pbo(trials, blocks=2) == 1.0


def test_identical_trials_are_neither_better_nor_worse_than_the_median():
    trials = np.tile(np.random.default_rng(7).normal(size=(80, 1)), 4)
    assert significance.pbo(trials) == 0.5


def test_overfitting_is_judged_by_the_score_that_chose():
    # One lucky session makes the first trial the best half by mean, and the other half the worst.
    lottery, steady = np.full(80, -1.0), np.ones(80)
    lottery[3] = 1000.0
    trials = np.column_stack([lottery, steady])
    assert significance.pbo(trials, score=lambda values: values.mean(axis=0)) == 1.0
    assert significance.pbo(trials, score=lambda values: np.median(values, axis=0)) == 0.0


def test_a_trial_that_never_trades_is_the_worst():
    # The better of the two that trade turns bad, but stays above the one that never trades.
    half, idle = np.tile([0.01, 0.02], 20), np.zeros(80)
    trials = np.column_stack([idle, np.append(half, -half), np.append(-half, half)])
    assert significance.pbo(trials, blocks=2) == 0.5


@pytest.mark.parametrize("shape", [(39, 5), (40, 1)])
def test_too_few_trials_or_sessions_have_no_overfitting_probability(shape):
    assert math.isnan(significance.pbo(np.random.default_rng(0).normal(size=shape)))


def test_odd_number_of_blocks_is_refused():
    with pytest.raises(InvalidSettings, match="7 blocks"):
        significance.pbo(np.zeros((80, 3)), blocks=7)


def test_paired_test_finds_the_worse_of_two_and_only_that():
    better = normal_returns(10, 250)
    worse = better - 0.002 + normal_returns(11, 250) * 0.1
    assert significance.paired_test(worse, better, seed=1) < 0.01
    assert significance.paired_test(better, worse, seed=1) > 0.99
    assert significance.paired_test(better, better, seed=1) == 1.0
    assert significance.paired_test(better - 0.001, better, seed=1) < 0.05


def test_paired_test_rejects_equals_at_about_its_level():
    rejected = [
        significance.paired_test(
            normal_returns(seed, 100),
            normal_returns(10_000 + seed, 100),
            seed=seed,
            replications=200,
        )
        <= 0.05
        for seed in range(300)
    ]
    assert 0.02 <= np.mean(rejected) <= 0.09


def test_paired_test_needs_sixty_sessions_known_in_both():
    a, b = normal_returns(12, 70), normal_returns(13, 70)
    assert not math.isnan(significance.paired_test(a[:60], b, seed=1))
    assert math.isnan(significance.paired_test(a[:60], b[1:], seed=1))
    assert math.isnan(significance.paired_test(a[:60].where(a.index[:60] > 0), b, seed=1))
