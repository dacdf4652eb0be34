"""Reversal, momentum, highs and lows."""

from __future__ import annotations

import numpy as np

from pipeline.market import history
from pipeline.market.definitions import Definitions, Known
from pipeline.market.series import log_range_squared, returns, standing, volatility
from pipeline.market.windows import Array, past, ratio

definitions = Definitions()
feature = definitions.feature

JEGADEESH = "Jegadeesh (1990); Jegadeesh & Titman (1993)"
HIGH = "George & Hwang (2004), The 52-week high and momentum investing"


@feature("return_standing_{n}", n=(1, 5, 21), lookback=64, source=JEGADEESH)
def return_standing(known: Known, n: int) -> Array:
    """standing of the mean close-to-close return over {n}"""
    return standing(known, history.mean(known, n, returns))


@feature("momentum_{n}", n=(126, 252), lookback=lambda n: n + 1, source=JEGADEESH)
def momentum(known: Known, n: int) -> Array:
    """standing of the mean return over {n} without the last 21"""
    before = n - 21
    return standing(known, past(history.mean(known, before, returns), 21))


@feature("highest_return_21", lookback=64, source="Bali, Cakici & Whitelaw (2011), Maxing out")
def highest_return(known: Known) -> Array:
    """highest return over 21 / volatility over 63"""
    return ratio(history.peak(known, 21, returns), volatility(known))


@feature("distance_from_high_{n}", n=(63, 252), lookback=lambda n: max(n, 64), source=HIGH)
def distance_from_high(known: Known, n: int) -> Array:
    """ln(close(s) / highest high over {n}) / volatility over 63"""
    return ratio(np.log(ratio(known.close, history.peak(known, n, high))), volatility(known))


@feature("range_position_252", lookback=252, source=HIGH)
def range_position(known: Known) -> Array:
    """(close(s) - lowest low) / (highest high - lowest low) over 252"""
    top, bottom = history.peak(known, 252, high), -history.peak(known, 252, lowness)
    return ratio(known.close - bottom, top - bottom)


def high(known: Known) -> Array:
    """High of each session."""
    return known.high


def lowness(known: Known) -> Array:
    """Low of each session, its sign turned."""
    return -known.low


# Where a session closed in its range


@feature("close_location_{n}", n=(5, 21), lookback=lambda n: n, source="Chaikin; Lane (1984)")
def close_location(known: Known, n: int) -> Array:
    """mean over {n} of (close - low) / (high - low)"""
    return history.mean(known, n, location)


def location(known: Known) -> Array:
    """Close in the session's range, 0 = low."""
    return ratio(known.close - known.low, known.high - known.low)


@feature("give_back", lookback=64, source="own definition")
def give_back(known: Known) -> Array:
    """(high / close - 1) of s / volatility over 63"""
    return ratio(ratio(known.high, known.close) - 1, volatility(known))


@feature("range_shock", lookback=63, source="own definition")
def range_shock(known: Known) -> Array:
    """ln(high / low) of s / its root mean square over 63"""
    squares = history.mean(known, 63, log_range_squared)
    return np.sqrt(ratio(log_range_squared(known), squares))
