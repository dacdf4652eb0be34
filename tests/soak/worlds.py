"""Series of returns whose true Sharpe ratio is known, for what significance tests promise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

Values = npt.NDArray[np.float64]

UNSEEN = 200
"""Sessions before the first one returned, until a series has forgotten how it began."""


def normal(random: np.random.Generator, shape: tuple[int, int], sharpe: float) -> Values:
    """Independent and normal."""
    return sharpe + random.normal(size=shape)


def fat_tailed(random: np.random.Generator, shape: tuple[int, int], sharpe: float) -> Values:
    """Independent, Student's t with 4 degrees of freedom: its kurtosis is infinite."""
    return sharpe + random.standard_t(4, size=shape) / math.sqrt(2.0)


def autocorrelated(
    random: np.random.Generator, shape: tuple[int, int], sharpe: float, rho: float = 0.1
) -> Values:
    """Each session keeps a part ``rho`` of the one before."""
    shocks = random.normal(size=(shape[0], shape[1] + UNSEEN)) * math.sqrt(1.0 - rho**2)
    return sharpe + lfilter([1.0], [1.0, -rho], shocks)[:, UNSEEN:]


def clustered(random: np.random.Generator, shape: tuple[int, int], sharpe: float) -> Values:
    """GARCH(1, 1) with the persistence of daily stock returns: 0.08 and 0.90."""
    shocks = random.normal(size=(shape[1] + UNSEEN, shape[0]))
    variance, values = np.ones(shape[0]), np.empty_like(shocks)
    for session, shock in enumerate(shocks):
        values[session] = np.sqrt(variance) * shock
        variance = 0.02 + 0.08 * values[session] ** 2 + 0.90 * variance
    return sharpe + values[UNSEEN:].T


def trading_at_times(
    random: np.random.Generator, shape: tuple[int, int], sharpe: float, share: float = 0.4
) -> Values:
    """Normal in a ``share`` of the sessions, chosen at random; exactly 0 without trades."""
    mean = math.sqrt(sharpe**2 * share / (share**2 - sharpe**2 * share * (1.0 - share)))
    return np.where(random.random(shape) < share, mean + random.normal(size=shape), 0.0)


def trading_rarely(random: np.random.Generator, shape: tuple[int, int], sharpe: float) -> Values:
    """Normal in a tenth of the sessions: six trades in sixty."""
    return trading_at_times(random, shape, sharpe, 0.1)


World = Callable[[np.random.Generator, tuple[int, int], float], Values]

WORLDS: tuple[World, ...] = (normal, fat_tailed, autocorrelated, clustered, trading_at_times)
"""Those in which a 95 % interval has to hold in 93 to 97 %."""
