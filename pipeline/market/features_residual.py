"""What a symbol did beyond its market and its sector, in units of its own volatility.

A residual is the overnight or intraday return of a session minus beta times the market's, over
the root mean square of the symbol's returns of that kind over 63 sessions, minus the sector's
mean, at most 5 either way. Most of a day's move is common to all symbols; what is left over
shows the tug of war and the seasons of a single symbol more clearly.
"""

from __future__ import annotations

import numpy as np

from pipeline.market import history
from pipeline.market.cross_section import universe_mean
from pipeline.market.definitions import Definitions, Known, Series, kept
from pipeline.market.features_momentum import HIGH, lowness
from pipeline.market.features_seasonal import HESTON, KELOHARJU, weekday_mean
from pipeline.market.features_volume import CAMPBELL
from pipeline.market.series import (
    intraday,
    market,
    over_sector,
    overnight,
    repeated,
    returns,
    volatility,
    volume,
)
from pipeline.market.windows import Array, past, ratio

definitions = Definitions()
feature = definitions.feature

LOU = "Lou, Polk & Skouras (2019), A tug of war: overnight versus intraday expected returns"
BALI = "Bali, Cakici & Whitelaw (2011), Maxing out"
DAYS = (1, 2, 3, 4, 5)
RINGS = ((2, 5), (6, 10), (11, 21), (22, 63), (64, 126), (127, 252), (253, 504), (505, 1008))
SPANS = (*RINGS, (1, 21), (1, 63), (1, 252), (1, 504))
BOUND = 5.0


@kept
def intraday_residuals(known: Known) -> Array:
    """Residual of the intraday return."""
    return residuals(known, intraday)


@kept
def overnight_residuals(known: Known) -> Array:
    """Residual of the overnight return."""
    return residuals(known, overnight)


def residuals(known: Known, series: Series) -> Array:
    """Beyond market and sector, over the symbol's own volatility."""
    values = series(known)
    beta = history.slope(known, 252, returns, market)
    beta[np.isnan(beta)] = 1.0
    own = values - beta * repeated(known, universe_mean(values))
    scaled = np.clip(ratio(own, history.root_mean_square(known, 63, series)), -BOUND, BOUND)
    return over_sector(known, scaled)


@kept
def return_residuals(known: Known) -> Array:
    """Residual of the return from close to close."""
    return residuals(known, returns)


def over_span(known: Known, span: tuple[int, int], series: Series) -> Array:
    """Mean from the first to the last session of a span, counted back from t."""
    first, last = span
    return past(history.mean(known, last - first + 1, series), first - 1)


# One session, and a span of sessions


@feature("scaled_intraday_residual_{k}", k=DAYS, lookback=lambda k: 252 + k, source=LOU)
def intraday_residual(known: Known, k: int) -> Array:
    """intraday residual of the session {k} before t"""
    return past(intraday_residuals(known), k - 1)


@feature("scaled_overnight_residual_{k}", k=DAYS, lookback=lambda k: 252 + k, source=LOU)
def overnight_residual(known: Known, k: int) -> Array:
    """overnight residual of the session {k} before t"""
    return past(overnight_residuals(known), k - 1)


@feature(
    "scaled_intraday_residual_{span[0]}_{span[1]}", span=SPANS,
    lookback=lambda span: 252 + span[1], source=LOU,
)  # fmt: skip
def intraday_residual_span(known: Known, span: tuple[int, int]) -> Array:
    """mean intraday residual of the sessions {span[0]} to {span[1]} before t"""
    return over_span(known, span, intraday_residuals)


@feature(
    "scaled_overnight_residual_{span[0]}_{span[1]}", span=SPANS,
    lookback=lambda span: 252 + span[1], source=LOU,
)  # fmt: skip
def overnight_residual_span(known: Known, span: tuple[int, int]) -> Array:
    """mean overnight residual of the sessions {span[0]} to {span[1]} before t"""
    return over_span(known, span, overnight_residuals)


# Extremes


@feature("highest_overnight_residual_21", lookback=273, source=BALI)
def highest_overnight_residual(known: Known) -> Array:
    """highest overnight residual over 21"""
    return history.peak(known, 21, overnight_residuals)


@feature("lowest_overnight_residual_21", lookback=273, source=BALI)
def lowest_overnight_residual(known: Known) -> Array:
    """lowest overnight residual over 21"""
    return -history.peak(known, 21, negated, overnight_residuals)


@feature("highest_return_residual_21", lookback=273, source=BALI)
def highest_return_residual(known: Known) -> Array:
    """highest residual of a return over 21"""
    return history.peak(known, 21, return_residuals)


@feature("lowest_return_residual_21", lookback=273, source=BALI)
def lowest_return_residual(known: Known) -> Array:
    """lowest residual of a return over 21"""
    return -history.peak(known, 21, negated, return_residuals)


def negated(known: Known, series: Series) -> Array:
    """Minus the series."""
    return -series(known)


@feature("distance_from_low_{n}", n=(63, 252, 756), lookback=lambda n: max(n, 64), source=HIGH)
def distance_from_low(known: Known, n: int) -> Array:
    """ln(close(s) / lowest low over {n}) / volatility over 63"""
    lowest = -history.peak(known, n, lowness)
    return ratio(np.log(ratio(known.close, lowest)), volatility(known))


# Seasons


@feature(
    "weekday_residual_{weeks}", weeks=(13, 26, 52, 104, 208),
    lookback=lambda weeks: 252 + 5 * weeks, source=KELOHARJU,
)  # fmt: skip
def weekday_residual(known: Known, weeks: int) -> Array:
    """mean intraday residual on t's weekday in the {weeks} weeks before t"""
    return weekday_mean(known, weeks, intraday_residuals)


@feature(
    "weekday_overnight_residual_{weeks}", weeks=(26, 104),
    lookback=lambda weeks: 252 + 5 * weeks, source=KELOHARJU,
)  # fmt: skip
def weekday_overnight_residual(known: Known, weeks: int) -> Array:
    """mean overnight residual on t's weekday in the {weeks} weeks before t"""
    return weekday_mean(known, weeks, overnight_residuals)


@feature(
    "scaled_intraday_residual_quarters_{n}",
    n=(4, 8),
    lookback=lambda n: 254 + 63 * n,
    source=HESTON,
)
def intraday_residual_quarters(known: Known, n: int) -> Array:
    """mean intraday residual around 63, 126, ... sessions before t, {n} quarters, 2 either side"""
    return ago(known, 63, n, 2, intraday_residuals)


@feature(
    "scaled_overnight_residual_quarters_{n}",
    n=(4, 8),
    lookback=lambda n: 254 + 63 * n,
    source=HESTON,
)
def overnight_residual_quarters(known: Known, n: int) -> Array:
    """mean overnight residual around 63, 126, ... sessions before t, {n} quarters, 2 either side"""
    return ago(known, 63, n, 2, overnight_residuals)


@feature(
    "scaled_intraday_residual_year_ago_{width}", width=(2, 10), lookback=lambda width: 756 + width,
    source=HESTON,
)  # fmt: skip
def intraday_residual_year_ago(known: Known, width: int) -> Array:
    """mean intraday residual around 252 and 504 sessions before t, {width} either side"""
    return ago(known, 252, 2, width, intraday_residuals)


@feature(
    "scaled_overnight_residual_year_ago_{width}", width=(2, 10), lookback=lambda width: 756 + width,
    source=HESTON,
)  # fmt: skip
def overnight_residual_year_ago(known: Known, width: int) -> Array:
    """mean overnight residual around 252 and 504 sessions before t, {width} either side"""
    return ago(known, 252, 2, width, overnight_residuals)


def ago(known: Known, period: int, times: int, width: int, series: Series) -> Array:
    """Mean of the sessions around one, two, ... periods before t, as far as there are any."""
    around = history.mean(known, 2 * width + 1, series)
    sums, number = np.zeros_like(around), np.zeros_like(around)
    for k in range(1, times + 1):
        earlier = past(around, period * k - width - 1)
        present = ~np.isnan(earlier)
        sums[present] += earlier[present]
        number += present
    return np.where(number == 0, np.nan, sums / np.maximum(number, 1))


# With volume, and with what followed


@feature("residual_on_volume_{n}", n=(1, 21, 63), lookback=lambda n: 252 + n, source=CAMPBELL)
def residual_on_volume(known: Known, n: int) -> Array:
    """mean over {n} of intraday residual * ln(volume / mean over 63), that at most 2 either way"""
    return history.mean(known, n, residuals_on_volume)


@kept
def residuals_on_volume(known: Known) -> Array:
    """Intraday residual * volume shock."""
    relative = ratio(known.volume, history.mean(known, 63, volume))
    shock = np.log(np.where(relative > 0, relative, np.nan))
    return intraday_residuals(known) * np.clip(shock, -2, 2)


@feature("residual_persistence_252", lookback=505, source=CAMPBELL)
def residual_persistence(known: Known) -> Array:
    """mean over 252 of intraday residual * that of the session before"""
    return history.mean(known, 252, followed_residuals)


def followed_residuals(known: Known) -> Array:
    """Intraday residual * that of the session before."""
    return intraday_residuals(known) * past(intraday_residuals(known), 1)


@feature("residual_answer_{n}", n=(63, 252), lookback=lambda n: 252 + n, source=LOU)
def residual_answer(known: Known, n: int) -> Array:
    """mean over {n} of overnight * intraday residual of a session"""
    return history.mean(known, n, answered_residuals)


def answered_residuals(known: Known) -> Array:
    """Overnight * intraday residual of the same session."""
    return overnight_residuals(known) * intraday_residuals(known)
