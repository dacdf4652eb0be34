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
    Journal of Risk 15, equation 11.
    """
    variance = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if not variance > 0.0 or sessions < 2:
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

    The wider of two intervals on each side: the studentised one with an autocorrelation-robust
    standard error, since plain percentiles miss the true ratio about twice as often as they claim
    at 60 sessions; and the percentiles, since the studentised one takes a single lucky trade for
    certainty. NaN, NaN where the Sharpe ratio itself is undefined.

    Notes
    -----
    Source: Ledoit and Wolf (2008), "Robust Performance Hypothesis Testing with the Sharpe Ratio",
    Journal of Empirical Finance 15; resampling by Politis and Romano (1994); block length by
    Politis and White (2004) with the correction of Patton, Politis and White (2009).
    """
    values = returns.to_numpy(dtype="float64")
    if len(values) < 2 or np.ptp(values) == 0.0:
        return math.nan, math.nan
    sharpe, error = _sharpe_and_error(values)
    replicates = _replicates(values, _sharpe_and_error, seed, replications)
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    distances = (replicates[:, 0] - sharpe) / replicates[:, 1]
    studentised = sharpe - error * np.quantile(distances, tails)[::-1]
    percentiles = np.quantile(replicates[:, 0], tails)
    low, high = min(studentised[0], percentiles[0]), max(studentised[1], percentiles[1])
    return float(low) * math.sqrt(SESSIONS_A_YEAR), float(high) * math.sqrt(SESSIONS_A_YEAR)


def _sharpe_and_error(values: Values) -> Values:
    """Sharpe ratio per session and its Newey-West standard error times sqrt(T).

    Without variance: 0, and 1, which is the error of a normal series whose true ratio is 0.
    """
    deviation = values.std()
    if not deviation > 0.0:
        return np.array([0.0, 1.0])
    sharpe, scaled = values.mean() / deviation, (values - values.mean()) / deviation
    influence = scaled - sharpe / 2.0 * (scaled**2 - 1.0)
    lags = math.ceil(4.0 * (len(values) / 100.0) ** (2.0 / 9.0))
    variance = np.mean(influence**2)
    for lag in range(1, min(lags, len(values) - 1) + 1):
        covariance = influence[lag:] @ influence[:-lag] / len(values)
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * covariance
    return np.array([sharpe, math.sqrt(variance) if variance > 0.0 else 1.0])


def _replicates(
    values: Values, statistic: Callable[[Values], Values], seed: int, replications: int
) -> Values:
    """The statistic on stationary bootstrap samples of a series, replications x values."""
    resamples = StationaryBootstrap(_block_length(values), values, seed=np.random.default_rng(seed))
    return np.asarray(resamples.apply(statistic, replications))


def _block_length(values: Values) -> int:
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
        Of the stationary block bootstrap of the mean difference, centred on zero.

    Returns
    -------
    float
        In (0, 1]; NaN with fewer than 60 joint sessions.
    """
    differences = (a - b).dropna().to_numpy(dtype="float64")
    if len(differences) < MIN_JOINT_SESSIONS:
        return math.nan
    if np.ptp(differences) == 0.0:
        return 1.0 if differences[0] >= 0.0 else 1.0 / (replications + 1)
    mean = differences.mean()
    means = _replicates(differences, np.mean, seed, replications)
    return float((1 + np.sum(means - mean <= mean)) / (replications + 1))
