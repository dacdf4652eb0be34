"""Is a Sharpe ratio, a choice among trials, or a difference of two models more than luck?

Sharpe ratios inside this module are per session; only ``sharpe_interval`` gives annualised ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from scipy.stats import kurtosis, norm, rankdata, skew

from pipeline.errors import InvalidSettings
from pipeline.schemas import SESSIONS_A_YEAR

MIN_TRIALS = 2
MIN_TRIAL_SESSIONS = 40
MIN_JOINT_SESSIONS = 60
MIN_BLOCK_SESSIONS = 10
"""With fewer the autocorrelation says nothing about how long a block must be."""
CACHED_VALUES = 100000
"""Bootstrap samples are measured in parts of about this size: four times faster over years."""

Values = npt.NDArray[np.float64]


def session_sharpe(values: Values) -> Values:
    """Sharpe ratio per session of each column (or of one series); NaN without variance."""
    deviation = np.where(np.ptp(values, axis=0) > 0.0, values.std(axis=0, ddof=1), np.nan)
    return np.asarray(values.mean(axis=0) / deviation)


def probability_above(
    sharpe: float, benchmark: float, sessions: int, skewness: float, kurtosis: float
) -> float:
    """Probability that the true Sharpe ratio exceeds a benchmark, from the sample's moments.

    Parameters
    ----------
    sharpe, benchmark
        Observed and compared Sharpe ratio, per session.
    sessions
        Number of returns.
    skewness, kurtosis
        Of the returns; the kurtosis of a normal variable is 3.

    Notes
    -----
    Source: Bailey and Lopez de Prado (2012), "The Sharpe Ratio Efficient Frontier",
    Journal of Risk 15, equation 11. Other than there, the variance is never less than that of
    normal returns without skill, which is 1: the skewness of a few lucky trades would make them a
    certainty. {psr}
    """
    variance = max(1.0, 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2)
    if sessions < 2:
        return math.nan
    return float(norm.cdf((sharpe - benchmark) * math.sqrt((sessions - 1) / variance)))


def probabilistic_sharpe(returns: pd.Series, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio exceeds ``benchmark`` (per session).

    Allows for skewness and fat tails of the returns, not for their autocorrelation.
    NaN where the Sharpe ratio is undefined: fewer than two returns or no variance.
    """
    values = returns.to_numpy(dtype="float64")
    if len(values) < 2 or np.ptp(values) == 0.0:
        return math.nan
    return probability_above(
        float(session_sharpe(values)),
        benchmark,
        len(values),
        float(skew(values)),
        float(kurtosis(values, fisher=False)),
    )


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """Expected highest Sharpe ratio among independent trials whose true ratio is zero.

    Parameters
    ----------
    trials
        Number of trials; the expected maximum of a single one is 0.
    variance
        Of the trials' Sharpe ratios, per session.

    Notes
    -----
    Source: Bailey and Lopez de Prado (2014), "The Deflated Sharpe Ratio", Journal of Portfolio
    Management 40, equation 1.

    >>> round(expected_maximum_sharpe(100, 0.5 / 250), 4)
    0.1132
    """
    if trials <= 1:
        return 0.0
    quantiles = norm.ppf([1.0 - 1.0 / trials, 1.0 - 1.0 / (trials * math.e)])
    return math.sqrt(variance) * float(
        (1.0 - np.euler_gamma) * quantiles[0] + np.euler_gamma * quantiles[1]
    )


def deflated_sharpe(returns: pd.Series, trial_sharpes: npt.ArrayLike) -> float:
    """Probability that the best trial's Sharpe ratio is more than the luck of the best of N.

    Parameters
    ----------
    returns
        Net returns per session of the trial that was chosen.
    trial_sharpes
        Sharpe ratio per session of every trial, the chosen one included. NaN = a trial without
        one: it counts as a trial, not in the variance.

    Returns
    -------
    float
        NaN with fewer than 2 known Sharpe ratios or 40 sessions.

    Notes
    -----
    Source: Bailey and Lopez de Prado (2014), equation 2. Trials are taken as independent, which
    deflates too much where they resemble each other.
    """
    sharpes = np.asarray(trial_sharpes, dtype="float64")
    known = sharpes[np.isfinite(sharpes)]
    if len(known) < MIN_TRIALS or len(returns) < MIN_TRIAL_SESSIONS:
        return math.nan
    luck = expected_maximum_sharpe(len(sharpes), float(known.var(ddof=1)))
    return probabilistic_sharpe(returns, luck)


def deflated_sharpe_by_looks(returns: pd.Series, looks: int) -> float:
    """Deflated Sharpe ratio of a result seen after looking at the same sessions ``looks`` times.

    The variance of the looks is that of a Sharpe ratio whose true value is zero, ``1 / (T - 1)``.
    One look equals ``probabilistic_sharpe``.
    """
    if len(returns) < 2:
        return math.nan
    luck = expected_maximum_sharpe(looks, 1.0 / (len(returns) - 1))
    return probabilistic_sharpe(returns, luck)


def sharpe_interval(
    returns: pd.Series, level: float = 0.95, *, seed: int, replications: int = 2000
) -> tuple[float, float]:
    """Confidence interval of the annualised Sharpe ratio by a stationary block bootstrap.

    Studentised with an autocorrelation-robust standard error, since plain percentiles miss the
    true ratio nearly twice as often as they claim at 60 sessions; and never narrower than that of
    independent normal returns without skill, since a few lucky trades look like certainty to any
    estimate of their own error. NaN, NaN where the Sharpe ratio itself is undefined.

    Notes
    -----
    Measured coverage of the 95 % interval, in %, over 2,000 worlds each, for a true ratio of 0
    and of 2 a year; the lower end alone misses in at most 3.9 % (2.9 % where the truth is 0):

    {table}

    Source: Ledoit and Wolf (2008), "Robust Performance Hypothesis Testing with the Sharpe Ratio",
    Journal of Empirical Finance 15; resampling by Politis and Romano (1994); block length by
    Politis and White (2004) with the correction of Patton, Politis and White (2009).
    """
    values = returns.to_numpy(dtype="float64")
    if len(values) < 2 or np.ptp(values) == 0.0:
        return math.nan, math.nan
    sharpe, error, distances = _studentised(values, _sharpe_and_error, seed, replications)
    tails = np.array([(1.0 + level) / 2.0, (1.0 - level) / 2.0])
    estimated = sharpe - error * np.quantile(distances, tails)
    least = sharpe - norm.ppf(tails) / math.sqrt(len(values))
    low, high = min(estimated[0], least[0]), max(estimated[1], least[1])
    return float(low) * math.sqrt(SESSIONS_A_YEAR), float(high) * math.sqrt(SESSIONS_A_YEAR)


def _studentised(
    values: Values,
    statistic: Callable[[Values], tuple[Values, Values]],
    seed: int,
    replications: int,
) -> tuple[Values, Values, Values]:
    """A statistic, its standard error, and the errors away from it in bootstrap samples."""
    resamples = StationaryBootstrap(_block_length(values), values, seed=np.random.default_rng(seed))
    samples = np.stack([sample for (sample,), _ in resamples.bootstrap(replications)])
    estimate, error = statistic(values)
    parts = np.array_split(samples, 1 + samples.size // CACHED_VALUES)
    estimates, errors = np.hstack([statistic(part) for part in parts])
    return estimate, error, (estimates - estimate) / errors


def _sharpe_and_error(values: Values) -> tuple[Values, Values]:
    """Sharpe ratio per session and its standard error, of a series or of each row.

    Without variance: 0, and the error of a normal series whose true ratio is 0.
    """
    varies = np.ptp(values, axis=-1, keepdims=True) > 0.0
    deviation = np.where(varies, values.std(axis=-1, ddof=1, keepdims=True), 1.0)
    mean = values.mean(axis=-1, keepdims=True)
    sharpe, scaled = np.where(varies, mean / deviation, 0.0), (values - mean) / deviation
    error = _newey_west_error(scaled - sharpe / 2.0 * (scaled**2 - 1.0))
    normal = 1.0 / math.sqrt(values.shape[-1])
    return sharpe[..., 0], np.where(varies[..., 0], error, normal)


def _mean_and_error(values: Values) -> tuple[Values, Values]:
    """Mean and its standard error, of a series of deviation 1 or of each row of its samples."""
    mean = values.mean(axis=-1, keepdims=True)
    error = _newey_west_error(values - mean)
    varies = np.ptp(values, axis=-1) > 0.0
    return mean[..., 0], np.where(varies, error, 1.0 / math.sqrt(values.shape[-1]))


def _newey_west_error(centred: Values) -> Values:
    """Standard error of the mean of centred values, along the last axis.

    Source: Newey and West (1987), with the number of lags of Newey and West (1994).
    """
    count = centred.shape[-1]
    variance = np.mean(centred**2, axis=-1)
    lags = min(math.ceil(4.0 * (count / 100.0) ** (2.0 / 9.0)), count - 1)
    for lag in range(1, lags + 1):
        products = np.einsum("...t,...t->...", centred[..., lag:], centred[..., :-lag])
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * products / count
    return np.asarray(np.sqrt(variance / count))


def _block_length(values: Values) -> int:
    if len(values) < MIN_BLOCK_SESSIONS:
        return 1
    with np.errstate(divide="ignore", invalid="ignore"):
        length = float(optimal_block_length(values)["stationary"].iloc[0])
    return max(1, math.ceil(length)) if math.isfinite(length) else 1


def pbo(
    trial_returns: npt.ArrayLike,
    blocks: int = 10,
    score: Callable[[Values], Values] = session_sharpe,
) -> float:
    """Probability of backtest overfitting: how often the best half-sample trial falls below median.

    Combinatorially symmetric cross-validation: the sessions are cut into ``blocks``; each choice
    of half of them picks its best trial, which is then ranked on the other half.

    Parameters
    ----------
    trial_returns
        Sessions x trials, in order of time. Returns, or any value per session that ``score``
        understands (the higher score is the better).
    blocks
        Even number of blocks.
    score
        Maps (sessions, trials) to one score per trial; NaN is the worst.

    Returns
    -------
    float
        In [0, 1]; about 0.5 where all trials are equally good. A rank at the median counts half.
        NaN with fewer than 2 trials or 40 sessions.

    Raises
    ------
    InvalidSettings
        ``blocks`` is odd or less than 2.

    Notes
    -----
    Source: Bailey, Borwein, Lopez de Prado and Zhu (2015), "The Probability of Backtest
    Overfitting", Journal of Computational Finance.
    """
    if blocks < 2 or blocks % 2:
        raise InvalidSettings("pbo", f"{blocks} blocks", "an even number of blocks")
    values = np.asarray(trial_returns, dtype="float64")
    if values.ndim != 2 or len(values) < MIN_TRIAL_SESSIONS or values.shape[1] < MIN_TRIALS:
        return math.nan
    chosen_on = _half_scores(values, blocks, score)
    # combinations() is lexicographic: the complement of the i-th half is the i-th from the end.
    ranked_on = rankdata(chosen_on[::-1], axis=1)
    ranks = ranked_on[np.arange(len(ranked_on)), chosen_on.argmax(axis=1)]
    median = (values.shape[1] + 1) / 2.0
    return float(np.mean(ranks < median) + 0.5 * np.mean(ranks == median))


def _half_scores(values: Values, blocks: int, score: Callable[[Values], Values]) -> Values:
    pieces = np.array_split(values, blocks)
    halves = combinations(range(blocks), blocks // 2)
    scores = np.array([score(np.concatenate([pieces[i] for i in half])) for half in halves])
    return np.where(np.isnan(scores), -np.inf, scores)


def paired_test(a: pd.Series, b: pd.Series, *, seed: int, replications: int = 2000) -> float:
    """One-sided p-value of "a is worse than b" by session, the higher value being the better.

    A small p-value says that ``a`` is significantly worse; hand in losses with their sign turned.

    Parameters
    ----------
    a, b
        Values by session; only sessions that are known in both are compared.
    seed, replications
        Of the stationary block bootstrap of the studentised mean difference.

    Returns
    -------
    float
        In (0, 1]; NaN with fewer than 60 joint sessions. Never below that of independent normal
        differences, as in ``sharpe_interval``.

    Notes
    -----
    {paired}
    """
    differences = (a - b).dropna().to_numpy(dtype="float64")
    if len(differences) < MIN_JOINT_SESSIONS:
        return math.nan
    if np.ptp(differences) == 0.0:
        return 1.0 if differences[0] >= 0.0 else 1.0 / (replications + 1)
    scaled = differences / differences.std(ddof=1)
    mean, error, distances = _studentised(scaled, _mean_and_error, seed, replications)
    estimated = (1 + np.sum(distances <= mean / error)) / (replications + 1)
    return float(max(estimated, norm.cdf(mean * math.sqrt(len(scaled)))))
