"""How much of a Sharpe ratio is the luck of having chosen: PSR, DSR and PBO.

Sharpe ratios inside this module are per session. Returns have shape (sessions,).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr, ndtri  # scipy.stats takes half a second to import

from pipeline.errors import InvalidSettings
from pipeline.stats.returns import Values, session_sharpe

MIN_TRIALS = 2
MIN_TRIAL_SESSIONS = 40


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
    certainty. With that, and the lower end of ``sharpe_interval`` above 0, noise passes both in at
    most 5 % of the worlds of ``tests/soak/test_coverage.py``, at the first of its looks and as the
    best of ten.
    """
    variance = max(1.0, 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2)
    if sessions < 2:
        return math.nan
    return float(ndtr((sharpe - benchmark) * math.sqrt((sessions - 1) / variance)))


def probabilistic_sharpe(returns: pd.Series, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio exceeds ``benchmark`` (per session).

    Allows for skewness and fat tails of the returns, not for their autocorrelation.
    NaN where the Sharpe ratio is undefined: fewer than two returns or no variance.

    Parameters
    ----------
    returns
        Fractions by session.
    """
    from scipy.stats import kurtosis, skew

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


def expected_maximum_sharpe(trials: float, variance: float) -> float:
    """Expected highest Sharpe ratio among independent trials whose true ratio is zero.

    Parameters
    ----------
    trials
        Number of trials; the expected maximum of a single one is 0. A part of a trial beyond the
        first counts as that part of the second.
    variance
        Of the trials' Sharpe ratios, per session.

    Notes
    -----
    Source: Bailey and Lopez de Prado (2014), "The Deflated Sharpe Ratio", Journal of Portfolio
    Management 40, equation 1.

    >>> round(expected_maximum_sharpe(100, 0.5 / 250), 4)
    0.1132
    """
    if trials < 2:
        return max(trials - 1.0, 0.0) * expected_maximum_sharpe(2.0, variance)
    quantiles = ndtri([1.0 - 1.0 / trials, 1.0 - 1.0 / (trials * math.e)])
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


def deflated_sharpe_by_looks(returns: pd.Series, looks: float) -> float:
    """Deflated Sharpe ratio of a result seen after looking at the same sessions ``looks`` times.

    The variance of the looks is that of a Sharpe ratio whose true value is zero, ``1 / (T - 1)``.
    One look equals ``probabilistic_sharpe``.

    Parameters
    ----------
    returns
        Fractions by session.
    """
    if len(returns) < 2:
        return math.nan
    luck = expected_maximum_sharpe(looks, 1.0 / (len(returns) - 1))
    return probabilistic_sharpe(returns, luck)


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
    from scipy.stats import rankdata

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
