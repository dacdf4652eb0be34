"""Tests that may be looked at every evening: bets against a claim, whose wealth is the evidence.

A claim says that the mean of a series (rank IC, net return) is at least, or at most, some level. A
bettor stakes a fraction of its wealth on each session turning out against it. Where the claim holds
nobody can expect to gain, so the wealth reaches ``c`` with a probability of at most ``1/c``, ever,
however often one looks (Ville's inequality): the wealth is an e-process. Several fractions are
played side by side and their wealth averaged, so that none has to be the right one.

A model may be good for years and then die. ``detector`` therefore starts a new bettor every
`RESTART_SESSIONS` and adds up the wealth of all, each with the part of a year that it stands for:
where the claim holds, the sum reaches ``c`` within ``n`` years with a probability of at most
``n/c``.

What is bet on is the distance from the level in standard deviations, clipped to `CLIP`. For that
the claim has to hold given the past, and the series to be symmetric about its mean; no variance
has to be known or to stay: a wrong one costs power and no validity.

Sources: Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting",
Journal of the Royal Statistical Society B 86; Shin, Ramdas and Rinaldo (2024), "E-detectors", New
England Journal of Statistics in Data Science 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.stats.returns import Values, sessions_a_year

CLIP = 3.0
"""Standard deviations beyond which a session counts no more; times a fraction it stays below 1."""

FRACTIONS = np.array([0.1, 0.2, 0.3])
"""Of the wealth staked on one standard deviation. The best one for a mean that lies d of them
beyond the level is d: 0.3 for an IC of 0.03 that is gone, where its deviation is 0.1."""

RESTART_SESSIONS = 21

Dates = pd.Index | pd.Series

UNKNOWN = pd.RangeIndex(0)
"""Sessions without dates: of a market that rests at weekends."""

LIFE_SESSIONS = 126
"""Newest sessions that may show that a model is better than nothing: not only the stretch that
speaks against it, which was chosen for speaking so."""


@dataclass(frozen=True)
class Promise:
    """What out-of-sample evidence showed of a series before the model went live.

    Attributes
    ----------
    mean, deviation
        Of its values by session.
    sessions
        How many there were.
    """

    mean: float
    deviation: float
    sessions: int

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return float(self.deviation / np.sqrt(self.sessions)) if self.sessions else np.nan

    @property
    def is_known(self) -> bool:
        """Whether there is a deviation to measure by."""
        return self.sessions >= 2 and self.deviation > 0.0

    def level(self, slack: float, min_sessions: int) -> float:
        """The lowest mean that it promises: some standard errors below, and never below nothing.

        Of too few sessions no promise is made: then 0.
        """
        if not self.is_known or self.sessions < min_sessions:
            return 0.0
        return max(self.mean - slack * self.error, 0.0)

    def levels(self, values: Values, slack: float, min_sessions: int) -> Values:
        """By session, the level of a bettor that starts there: known before the session.

        What the evidence promises; or more, where evidence and life so far together say more. A
        promise that short evidence made too small is corrected by what was delivered; one that is
        not kept is never lowered.

        Parameters
        ----------
        values
            Of the life, shape (..., sessions); NaN: none.
        """
        promised = self.level(slack, min_sessions)
        if not self.is_known or self.sessions < min_sessions:
            return np.full(values.shape, promised)
        seen = np.nan_to_num(values)
        counts = np.isfinite(values).cumsum(axis=-1) - np.isfinite(values) + self.sessions
        means = (seen.cumsum(axis=-1) - seen + self.sessions * self.mean) / counts
        raised: Values = np.maximum(means - slack * self.deviation / np.sqrt(counts), promised)
        return raised


class Detection(NamedTuple):
    """Evidence by session against "as good as promised"; arrays of shape (..., sessions).

    Attributes
    ----------
    wealth_against_promise
        Wealth of the bettors, see ``detector``.
    since
        Number of the session from which the strongest of them bets.
    better_than_nothing
        Wealth of a bettor on a mean above 0, from that session on, or from `LIFE_SESSIONS` before.
    """

    wealth_against_promise: Values
    since: Values
    better_than_nothing: Values


def below(values: Values, level: float | Values, deviation: float) -> Values:
    """Standard deviations by which each value lies below a level; NaN counts as on it."""
    return np.nan_to_num((level - values) / deviation)


def wealth(scores: Values) -> Values:
    """Wealth after each session of bets that started with 1 before the first.

    Parameters
    ----------
    scores
        Distances from the level against the claim, shape (..., sessions).
    """
    return np.exp(_log_growth(scores)).mean(axis=-1)


def detector(
    scores: Values,
    positive: Values,
    raised: Values | None = None,
    sessions: Dates = UNKNOWN,
) -> Detection:
    """Bettors that start every `RESTART_SESSIONS`, added up.

    Parameters
    ----------
    scores
        Distances below what was promised, shape (..., sessions); NaN: no value.
    positive
        Distances above 0, alike.
    raised
        By how much more was promised to the bettor that starts on a session, in the same unit, as
        known before it; None: the same to all.
    sessions
        Their dates, which show how many sessions a year of the market has.
    """
    a_year = sessions_a_year(pd.Index(sessions))
    more = np.zeros(scores.shape) if raised is None else raised
    above = _log_growth(positive)
    total, since = np.zeros(scores.shape), np.zeros(scores.shape)
    strongest = np.full(scores.shape, -np.inf)
    starts = range(0, scores.shape[-1], RESTART_SESSIONS)
    for start in starts:
        since_start = wealth(scores[..., start:] + more[..., start : start + 1])
        total[..., start:] += since_start * RESTART_SESSIONS / a_year
        leads = since_start > strongest[..., start:]
        strongest[..., start:] = np.where(leads, since_start, strongest[..., start:])
        since[..., start:] = np.where(leads, start, since[..., start:])
    earliest = np.maximum(np.arange(scores.shape[-1]) - LIFE_SESSIONS, 0)
    of_life = np.minimum(since, earliest) // RESTART_SESSIONS
    alive = np.ones(scores.shape)
    for number, start in enumerate(starts):
        chosen = of_life[..., start:] == number
        alive[..., start:] = np.where(chosen, _from(above, start), alive[..., start:])
    return Detection(total, since, alive)


def _log_growth(scores: Values) -> Values:
    """Logarithm of the wealth of each fraction after each session, shape (..., sessions, bets)."""
    clipped = np.clip(np.nan_to_num(scores), -CLIP, CLIP)[..., None]  # NaN: nothing is staked
    return np.log1p(FRACTIONS * clipped).cumsum(axis=-2)


def _from(grown: Values, start: int) -> Values:
    """Mean wealth of the bets from a session on, which start with 1 before it."""
    before = grown[..., start - 1 : start, :] if start else 0.0
    return np.exp(grown[..., start:, :] - before).mean(axis=-1)
