"""Overnight against intraday returns: the tug of war between two kinds of traders.

In the formulas of all extended families s is the last session before t, a mean over n takes the
values there are among the n sessions up to s, at least min(n, 40) of them, and "standing" is the
rank in the session of a value over the symbol's volatility, net of its sector's mean.
"""

from __future__ import annotations

import numpy as np

from pipeline.market import history
from pipeline.market.cross_section import ranks
from pipeline.market.definitions import Definitions, Known
from pipeline.market.series import (
    intraday,
    intraday_ranks,
    market_overnight,
    over_sector,
    overnight,
    overnight_ranks,
    standing,
    volatility,
)
from pipeline.market.windows import Array, ratio

definitions = Definitions()
feature = definitions.feature

LOU = "Lou, Polk & Skouras (2019), A tug of war: overnight versus intraday expected returns"
HORIZONS = (21, 63, 126, 252, 504)


@feature("overnight_rank_{n}", n=HORIZONS, lookback=lambda n: n + 1, source=LOU)
def overnight_rank(known: Known, n: int) -> Array:
    """mean over {n} of the session rank of the overnight return"""
    return history.mean(known, n, overnight_ranks)


@feature("intraday_rank_{n}", n=HORIZONS, lookback=lambda n: n, source=LOU)
def intraday_rank(known: Known, n: int) -> Array:
    """mean over {n} of the session rank of the intraday return"""
    return history.mean(known, n, intraday_ranks)


@feature("tug_of_war_{n}", n=(63, 252), lookback=lambda n: n + 1, source=LOU)
def tug_of_war(known: Known, n: int) -> Array:
    """rank of overnight_rank_{n} - intraday_rank_{n}, net of the sector's mean"""
    lead = history.mean(known, n, overnight_ranks) - history.mean(known, n, intraday_ranks)
    return ranks(over_sector(known, lead))


@feature("overnight_residual_1", lookback=253, source=LOU)
def overnight_residual(known: Known) -> Array:
    """rank of (overnight - overnight beta over 252 * market's) net of the sector's mean"""
    beta = history.slope(known, 252, overnight, market_overnight)
    return ranks(over_sector(known, overnight(known) - beta * market_overnight(known)))


@feature("overnight_standing_{n}", n=(1, 5, 21), lookback=64, source=LOU)
def overnight_standing(known: Known, n: int) -> Array:
    """standing of the mean overnight return over {n}"""
    return standing(known, history.mean(known, n, overnight))


@feature("intraday_standing_{n}", n=(1, 5, 21), lookback=64, source=LOU)
def intraday_standing(known: Known, n: int) -> Array:
    """standing of the mean intraday return over {n}"""
    return standing(known, history.mean(known, n, intraday))


@feature("overnight_share_{n}", n=(21,), lookback=lambda n: n + 1, source=LOU)
def overnight_share(known: Known, n: int) -> Array:
    """mean square of overnight / (of overnight + of intraday returns) over {n}"""
    night = history.mean(known, n, history.square, overnight)
    return ratio(night, night + history.mean(known, n, history.square, intraday))


@feature(
    "overnight_intraday_correlation_{n}",
    n=(252,),
    lookback=lambda n: n + 1,
    source="Berkman, Koch, Tuttle & Zhang (2012), Paying attention",
)
def overnight_intraday_correlation(known: Known, n: int) -> Array:
    """correlation of overnight and following intraday return over {n}"""
    return history.correlation(known, n, overnight, intraday)


# Gaps at the open


@feature("gap_size", lookback=64, source="own definition")
def gap_size(known: Known) -> Array:
    """overnight return of s / root mean square of overnight returns over 63"""
    return ratio(overnight(known), history.root_mean_square(known, 63, overnight))


@feature("gap_share_63", lookback=64, source="own definition")
def gap_share(known: Known) -> Array:
    """share of the last 63 sessions whose overnight return outdid the intraday one"""
    return history.mean(known, 63, gap_outdid)


def gap_outdid(known: Known) -> Array:
    """1 where the open moved further from the close before than the session from its open."""
    night, day = overnight(known), intraday(known)
    return np.where(np.isnan(night + day), np.nan, np.abs(night) > np.abs(day))


@feature("since_gap", lookback=126, source="own definition")
def since_gap(known: Known) -> Array:
    """sessions since an overnight return beyond 3 volatilities / 63, at most 1"""
    rows = np.arange(len(known.close), dtype=np.float64)[:, None]
    last = history.peak(known, 63, gap_row)
    return np.where(np.isnan(last), np.nan, np.minimum((rows - last) / 63, 1.0))


def gap_row(known: Known) -> Array:
    """Row number of a large gap, -infinity of another session; only their distance matters."""
    size = ratio(np.abs(overnight(known)), volatility(known))
    rows = np.arange(len(size), dtype=np.float64)[:, None]
    return np.where(np.isnan(size), np.nan, np.where(size > 3, rows, -np.inf))
