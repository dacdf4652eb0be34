"""Is a mean, a Sharpe ratio, or a difference of two models more than luck?

Series are values by session, of shape (sessions,). Two lag rules are in use, each where it was
measured to hold. A t-statistic that is read on its own (`newey_west_t`: rank IC) takes a long
window and the wider critical values of fixed-b asymptotics. A standard error that only
studentises a bootstrap (`plug_in_error`: Sharpe interval, paired test) takes the plug-in number
of lags, since the resampling corrects what it misses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri  # scipy.stats takes half a second to import

from pipeline.stats.returns import Values, sessions_a_year

MIN_JOINT_SESSIONS = 60
MIN_SPA_SESSIONS = 60
MIN_BLOCK_SESSIONS = 10
"""With fewer the autocorrelation says nothing about how long a block must be."""
CACHED_VALUES = 100000
"""Bootstrap samples are measured in parts of about this size: four times faster over years."""


def fixed_b_width(count: int) -> int:
    """Width of the Bartlett window of `newey_west_t`: 1.3 sqrt(n) values."""
    return min(math.ceil(1.3 * math.sqrt(count)), count)


def plug_in_lags(count: int) -> int:
    """Lags of `plug_in_error`: Newey and West (1994), without prewhitening."""
    return min(math.ceil(4.0 * (count / 100.0) ** (2.0 / 9.0)), count - 1)


def newey_west_t(series: pd.Series) -> float:
    """t-statistic of the mean with Newey and West's (1987) standard error.

    Scaled so that 1.96 bounds 95 % of what chance gives: plain ones overstate, the more so the
    fewer the values. NaN values left out; NaN with fewer than 3 values or without variance.

    Parameters
    ----------
    series
        In order of time, equally spaced; any unit.

    Notes
    -----
    Bartlett weights over 1.3 sqrt(n) values, as Lazarus, Lewis, Stock and Watson (2018), "HAR
    Inference: Recommendations for Practice", Journal of Business and Economic Statistics 36;
    critical value of Kiefer and Vogelsang (2005), "A New Asymptotic Theory for
    Heteroskedasticity-Autocorrelation Robust Tests", Econometric Theory 21. Measured on
    1,500 worlds without a mean: |t| above 1.96 in 5 % of 21, 60 and 250 independent values, in
    6, 5 and 4 % at an autocorrelation of 0.1, and in 9, 6 and 6 % at 0.3.
    """
    values = series.dropna().to_numpy(dtype="float64")
    count = len(values)
    if count < 3 or np.ptp(values) == 0:
        return np.nan
    centred = values - values.mean()
    width = fixed_b_width(count)
    variance = centred @ centred / count
    for lag in range(1, width):
        variance += 2 * (1 - lag / width) * (centred[lag:] @ centred[:-lag]) / count
    if variance <= 0:
        return np.nan
    share = width / count
    critical = 1.96 + 2.9694 * share + 0.4160 * share**2 - 0.5324 * share**3
    return float(values.mean() / np.sqrt(variance / count) * 1.96 / critical)


def plug_in_error(centred: Values) -> Values:
    """Newey and West's (1987) standard error of a mean, with the lags of Newey and West (1994).

    Parameters
    ----------
    centred
        Values less their mean, of shape (..., sessions).

    Returns
    -------
    ndarray
        Of shape (...).
    """
    count = centred.shape[-1]
    variance = np.mean(centred**2, axis=-1)
    lags = plug_in_lags(count)
    for lag in range(1, lags + 1):
        products = np.einsum("...t,...t->...", centred[..., lag:], centred[..., :-lag])
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * products / count
    return np.asarray(np.sqrt(variance / count))


def sharpe_interval(
    returns: pd.Series, level: float = 0.95, *, seed: int, replications: int = 2000
) -> tuple[float, float]:
    """Confidence interval of the annualised Sharpe ratio by a stationary block bootstrap.

    Studentised with an autocorrelation-robust standard error, since plain percentiles miss the
    true ratio nearly twice as often as they claim at 60 sessions; and never narrower than that of
    independent normal returns without skill, since a few lucky trades look like certainty to any
    estimate of their own error. NaN, NaN where the Sharpe ratio itself is undefined.

    Parameters
    ----------
    returns
        Fractions by session, in order.
    level
        Of confidence, between 0 and 1.

    Notes
    -----
    The 95 % interval holds the truth in 93 to 97 % of 2,000 worlds each of normal, fat-tailed,
    autocorrelated and clustered returns, and of trades in 40 % of the sessions, over 60, 250 and
    2,000 sessions, for a true ratio of 0 and of 2 a year: ``tests/soak/test_coverage.py`` counts
    them. The lower end alone misses in at most 3.9 % (2.9 % where the truth is 0).

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
    lowest = sharpe - ndtri(tails) / math.sqrt(len(values))
    low, high = min(estimated[0], lowest[0]), max(estimated[1], lowest[1])
    a_year = math.sqrt(sessions_a_year(returns.index))
    return float(low) * a_year, float(high) * a_year


def _studentised(
    values: Values,
    statistic: Callable[[Values], tuple[Values, Values]],
    seed: int,
    replications: int,
) -> tuple[Values, Values, Values]:
    """A statistic, its standard error, and the errors away from it in bootstrap samples."""
    from arch.bootstrap import StationaryBootstrap  # takes a second to import

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
    error = plug_in_error(scaled - sharpe / 2.0 * (scaled**2 - 1.0))
    normal = 1.0 / math.sqrt(values.shape[-1])
    return sharpe[..., 0], np.where(varies[..., 0], error, normal)


def _mean_and_error(values: Values) -> tuple[Values, Values]:
    """Mean and its standard error, of a series of deviation 1 or of each row of its samples."""
    mean = values.mean(axis=-1, keepdims=True)
    error = plug_in_error(values - mean)
    varies = np.ptp(values, axis=-1) > 0.0
    return mean[..., 0], np.where(varies, error, 1.0 / math.sqrt(values.shape[-1]))


def _block_length(values: Values) -> int:
    if len(values) < MIN_BLOCK_SESSIONS:
        return 1
    from arch.bootstrap import optimal_block_length

    with np.errstate(divide="ignore", invalid="ignore"):
        length = float(optimal_block_length(values)["stationary"].iloc[0])
    return max(1, math.ceil(length)) if math.isfinite(length) else 1


def paired_test(
    a: pd.Series,
    b: pd.Series,
    *,
    seed: int,
    replications: int = 2000,
    min_sessions: int = MIN_JOINT_SESSIONS,
) -> float:
    """One-sided p-value of "a is worse than b" by session, the higher value being the better.

    A small p-value says that ``a`` is significantly worse; hand in losses with their sign turned.

    Parameters
    ----------
    a, b
        Values by session; only sessions that are known in both are compared.
    seed, replications
        Of the stationary block bootstrap of the studentised mean difference.
    min_sessions
        Joint sessions, by default 60; below that the p-value is rough.

    Returns
    -------
    float
        In (0, 1]; NaN with fewer joint sessions. Never below that of independent normal
        differences, as in ``sharpe_interval``.

    Notes
    -----
    Equals are distinguished in at most 5 % of 2,000 worlds each of those that ``sharpe_interval``
    names and of trades in a tenth of the sessions, over 60 and 250 sessions:
    ``tests/soak/test_coverage.py`` counts them.
    """
    differences = (a - b).dropna().to_numpy(dtype="float64")
    if len(differences) < min_sessions:
        return math.nan
    if np.ptp(differences) == 0.0:
        return 1.0 if differences[0] >= 0.0 else 1.0 / (replications + 1)
    scaled = differences / differences.std(ddof=1)
    mean, error, distances = _studentised(scaled, _mean_and_error, seed, replications)
    estimated = (1 + np.sum(distances <= mean / error)) / (replications + 1)
    return float(max(estimated, ndtr(mean * math.sqrt(len(scaled)))))


def spa_pvalue(baselines: Mapping[str, pd.Series], losses: pd.Series, *, seed: int) -> float:
    """p-value that a model beats every baseline, by its loss a session.

    The largest of Hansen's (2005) SPA p-values against one baseline each: small only if all
    of them are beaten. Never below that of Student's t-test, since the bootstrap finds too much in
    few sessions.

    Parameters
    ----------
    baselines
        Loss of each baseline by session, on the sessions of ``losses``.
    losses
        Loss of the model by session; the lower the better.

    Returns
    -------
    float
        In [0, 1]; NaN under ``MIN_SPA_SESSIONS``.

    Notes
    -----
    Source: Hansen (2005), "A Test for Superior Predictive Ability", Journal of Business and
    Economic Statistics 23.
    """
    if len(losses) < MIN_SPA_SESSIONS:
        return math.nan
    return max(_spa(theirs.to_numpy(), losses.to_numpy(), seed) for theirs in baselines.values())


def _spa(baseline: np.ndarray, model: np.ndarray, seed: int) -> float:
    from arch.bootstrap import SPA, optimal_block_length
    from scipy.stats import ttest_1samp

    gain = baseline - model
    if np.ptp(gain) == 0:
        return 1.0  # nothing to test: the model is the baseline
    block = max(1, round(float(optimal_block_length(gain)["stationary"].iloc[0])))
    test = SPA(baseline, model[:, None], block_size=block, reps=1000, seed=seed)
    test.compute()
    students = ttest_1samp(gain, 0.0, alternative="greater").pvalue
    return float(max(test.pvalues["consistent"], students))


def sharpe_error(session_sharpes: Values, sessions: float) -> Values:
    """Standard error of Sharpe ratios, all per session, of independent returns.

    Source: Lo (2002), "The Statistics of Sharpe Ratios", Financial Analysts Journal 58,
    equation 9: sqrt((1 + SR^2 / 2) / T).

    Parameters
    ----------
    session_sharpes
        Ratios per session, any shape.
    sessions
        Behind each.

    Examples
    --------
    >>> float(sharpe_error(np.array([0.2]), 102)[0])
    0.1
    """
    return np.asarray(np.sqrt((1.0 + session_sharpes**2 / 2.0) / sessions))


def annual_sharpe_error(sessions: float, sessions_a_year: int) -> float:
    """Standard error of an annual Sharpe ratio near 0: the root of the years observed, inverted.

    >>> [round(annual_sharpe_error(*years), 9) for years in ((63, 252), (365, 365))]
    [2.0, 1.0]
    """
    return math.sqrt(sessions_a_year) * float(sharpe_error(np.zeros(1), sessions)[0])
