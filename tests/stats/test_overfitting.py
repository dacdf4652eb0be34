from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from pipeline.errors import InvalidSettings
from pipeline.stats import inference, overfitting
from pipeline.stats import returns as measures
from tests.soak.worlds import WORLDS, autocorrelated, trading_rarely
from tests.stats.series import normal_returns


@pytest.mark.parametrize(
    ("skewness", "kurtosis", "expected"), [(0.0, 3.0, 0.982), (-2.448, 10.164, 0.913)]
)
def test_probabilistic_sharpe_of_the_published_hedge_fund(skewness, kurtosis, expected):
    # Bailey and Lopez de Prado (2012): 24 months at 0.458 a month.
    probability = overfitting.probability_above(0.458, 0.0, 24, skewness, kurtosis)
    assert probability == pytest.approx(expected, abs=5e-4)


def test_probabilistic_sharpe_by_hand():
    # Mean 3/4, deviation 1/2, skewness -2/sqrt(3), kurtosis 7/3: z = 1.5 sqrt(3) / sqrt(3.4821).
    probability = overfitting.probabilistic_sharpe(pd.Series([0.0, 1.0, 1.0, 1.0]))
    assert probability == pytest.approx(0.9181, abs=5e-5)


def test_the_skewness_of_one_lucky_trade_makes_nothing_certain():
    # The published variance would be 0.506: z = sqrt(3)/2, not sqrt(3)/2 / 0.711.
    probability = overfitting.probabilistic_sharpe(pd.Series([0.0, 0.0, 0.0, 1.0]))
    assert probability == pytest.approx(0.8068, abs=5e-5)


@pytest.mark.parametrize("world", [*WORLDS, trading_rarely], ids=lambda world: world.__name__)
def test_noise_has_a_probabilistic_sharpe_above_95_percent_at_the_stated_rate(world):
    noise = world(np.random.default_rng(1), (1000, 60), 0.0)
    high = np.mean([overfitting.probabilistic_sharpe(pd.Series(row)) > 0.95 for row in noise])
    # Autocorrelation is not allowed for; the interval does, and gates ask for both.
    assert 0.03 <= high <= (0.08 if world is autocorrelated else 0.062)


@pytest.mark.parametrize(("trials", "expected"), [(100, 0.9004), (46, 0.9505)])
def test_deflated_sharpe_of_the_published_example(trials, expected):
    # Bailey and Lopez de Prado (2014): 2.5 a year over five years of 250 sessions.
    luck = overfitting.expected_maximum_sharpe(trials, 0.5 / 250)
    probability = overfitting.probability_above(2.5 / math.sqrt(250), luck, 1250, -3.0, 10.0)
    assert probability == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("trials", [5, 20, 100])
def test_expected_maximum_is_that_of_simulated_trials(trials):
    best = np.random.default_rng(1).normal(0.0, 0.1, (20_000, trials)).max(axis=1)
    assert overfitting.expected_maximum_sharpe(trials, 0.01) == pytest.approx(best.mean(), rel=0.04)


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), looks=st.integers(2, 500))
def test_one_look_is_probabilistic_and_each_further_look_lowers_the_answer(seed, looks):
    returns = normal_returns(seed, 60, annual_sharpe=3.0)
    once = overfitting.deflated_sharpe_by_looks(returns, 1)
    assert once == overfitting.probabilistic_sharpe(returns)
    again = overfitting.deflated_sharpe_by_looks(returns, looks)
    assert again <= overfitting.deflated_sharpe_by_looks(returns, looks - 1) <= once


def test_looks_are_deflated_by_the_variance_of_a_sharpe_that_is_truly_zero():
    returns = normal_returns(1, 61, annual_sharpe=3.0)
    luck = overfitting.expected_maximum_sharpe(5, 1 / 60)
    expected = overfitting.probabilistic_sharpe(returns, luck)
    assert overfitting.deflated_sharpe_by_looks(returns, 5) == pytest.approx(expected)


def test_deflation_uses_number_and_variance_of_the_trials():
    returns, sharpes = normal_returns(2, 250, annual_sharpe=2.0), [0.10, -0.10, math.nan]
    luck = overfitting.expected_maximum_sharpe(3, 0.02)
    expected = overfitting.probabilistic_sharpe(returns, luck)
    assert overfitting.deflated_sharpe(returns, sharpes) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("sessions", "sharpes"), [(39, [0.1, 0.2]), (40, [0.1]), (40, [0.1, math.nan])]
)
def test_too_few_trials_or_sessions_have_no_deflated_sharpe(sessions, sharpes):
    assert math.isnan(overfitting.deflated_sharpe(normal_returns(3, sessions), sharpes))


def test_the_best_of_ten_looks_at_noise_is_seen_through():
    noise = np.random.default_rng(7).normal(size=(300, 10, 60))
    passed = {1: 0, 10: 0}
    for seed, looks in enumerate(noise):
        best = pd.Series(looks[np.argmax(measures.session_sharpe(looks.T))])
        low, _ = inference.sharpe_interval(best, seed=seed, replications=200)
        for counted in passed:
            deflated = overfitting.deflated_sharpe_by_looks(best, counted)
            passed[counted] += deflated > 0.95 and low > 0.0
    assert passed[10] <= 0.05 * 300
    assert passed[1] > 0.15 * 300  # what not counting looks would let through


def test_the_best_of_many_trials_of_noise_is_seen_through():
    noise = np.random.default_rng(8).normal(size=(300, 24, 40))
    deflated = undeflated = 0
    for trials in noise:
        sharpes = measures.session_sharpe(trials.T)
        best = pd.Series(trials[np.argmax(sharpes)])
        deflated += overfitting.deflated_sharpe(best, sharpes) > 0.95
        undeflated += overfitting.probabilistic_sharpe(best) > 0.95
    assert deflated <= 0.05 * 300
    assert undeflated > 0.5 * 300


@pytest.mark.parametrize("values", [[], [0.01], [0.0] * 80, [0.003] * 80])
def test_series_without_variance_has_no_significance(values):
    returns = pd.Series(values, dtype="float64")
    assert math.isnan(overfitting.probabilistic_sharpe(returns))
    assert math.isnan(overfitting.deflated_sharpe_by_looks(returns, 3))
    assert np.isnan(inference.sharpe_interval(returns, seed=1)).all()


def published_pbo(values, blocks):
    """Word for word: a matrix of performances, submatrices, relative ranks, logits."""
    pieces = np.array_split(np.arange(len(values)), blocks)
    logits = []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([pieces[i] for i in chosen])
        outside = np.setdiff1d(np.arange(len(values)), inside)
        best = np.argmax(values[inside].mean(axis=0) / values[inside].std(axis=0, ddof=1))
        scores = values[outside].mean(axis=0) / values[outside].std(axis=0, ddof=1)
        relative = rankdata(scores)[best] / (values.shape[1] + 1)
        logits.append(math.log(relative / (1.0 - relative)))
    return np.mean(np.array(logits) < -1e-9) + 0.5 * np.mean(np.abs(logits) <= 1e-9)


@pytest.mark.parametrize(("trials", "blocks"), [(6, 4), (7, 6), (12, 8)])
def test_overfitting_equals_the_published_procedure(trials, blocks):
    values = np.random.default_rng(trials).normal(0.02, 1.0, (96, trials))
    assert overfitting.pbo(values, blocks) == pytest.approx(published_pbo(values, blocks))


def test_overfitting_is_a_coin_flip_among_equally_good_trials():
    noise = np.random.default_rng(5).normal(size=(60, 80, 10))
    assert np.mean([overfitting.pbo(trials) for trials in noise]) == pytest.approx(0.5, abs=0.1)


def test_overfitting_is_nil_where_one_trial_is_truly_best():
    trials = np.random.default_rng(6).normal(size=(200, 10))
    trials[:, 3] += 1.0
    assert overfitting.pbo(trials) < 0.01


def test_overfitting_is_certain_where_good_halves_are_followed_by_bad_ones():
    half = np.tile([0.01, 0.02], 20)
    trials = np.column_stack([np.append(half, -half), np.append(-half, half)])
    assert overfitting.pbo(trials, blocks=2) == 1.0


def test_identical_trials_are_neither_better_nor_worse_than_the_median():
    trials = np.tile(np.random.default_rng(7).normal(size=(80, 1)), 4)
    assert overfitting.pbo(trials) == 0.5


def test_overfitting_is_judged_by_the_score_that_chose():
    # One lucky session makes the first trial the best half by mean, and the other half the worst.
    lottery, steady = np.full(80, -1.0), np.ones(80)
    lottery[3] = 1000.0
    trials = np.column_stack([lottery, steady])
    assert overfitting.pbo(trials, score=lambda values: values.mean(axis=0)) == 1.0
    assert overfitting.pbo(trials, score=lambda values: np.median(values, axis=0)) == 0.0


def test_a_trial_that_never_trades_is_the_worst():
    # The better of the two that trade turns bad, but stays above the one that never trades.
    half, idle = np.tile([0.01, 0.02], 20), np.zeros(80)
    trials = np.column_stack([idle, np.append(half, -half), np.append(-half, half)])
    assert overfitting.pbo(trials, blocks=2) == 0.5


@pytest.mark.parametrize("shape", [(39, 5), (40, 1)])
def test_too_few_trials_or_sessions_have_no_overfitting_probability(shape):
    assert math.isnan(overfitting.pbo(np.random.default_rng(0).normal(size=shape)))


def test_odd_number_of_blocks_is_refused():
    with pytest.raises(InvalidSettings, match="7 blocks"):
        overfitting.pbo(np.zeros((80, 3)), blocks=7)
