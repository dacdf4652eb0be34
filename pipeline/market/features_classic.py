"""The feature set "classic": price, volume, indicators, market and calendar of the last month.

Every feature is free of units: multiplying a symbol's prices or volumes changes nothing (the
dollar volume rank: those of all symbols). In the formulas s is the last session before t, t is
the session the snapshot is for, and a sum, mean or sd over n ends at s.
"""

from __future__ import annotations

import numpy as np

from pipeline.market.cross_section import peers_mean, ranks
from pipeline.market.definitions import Definitions, Known, Values
from pipeline.market.windows import (
    Array,
    average,
    change,
    compounded,
    deviation,
    highest,
    lowest,
    past,
    ratio,
    time_correlation,
    total,
)
from pipeline.schemas import Regime

classic = Definitions()
feature = classic.feature

OWN = "own definition"
JEGADEESH = "Jegadeesh (1990); Jegadeesh & Titman (1993)"
LOU = "Lou, Polk & Skouras (2019), A tug of war: overnight versus intraday expected returns"


# Price


@feature("return_{n}", n=(1, 3, 5, 10, 20), lookback=lambda n: n + 1, source=JEGADEESH)
def past_return(known: Known, n: int) -> Array:
    """close(s) / close(s-{n}) - 1"""
    return change(known.close, n)


@feature("momentum_20_skip_5", lookback=21, source=JEGADEESH)
def momentum_before_last_week(known: Known) -> Array:
    """close(s-5) / close(s-20) - 1"""
    return change(past(known.close, 5), 15)


@feature("overnight_{n}", n=(1, 5, 20), lookback=lambda n: n + 1, source=LOU)
def overnight_return(known: Known, n: int) -> Array:
    """open / previous close - 1, compounded over {n}"""
    return compounded(ratio(known.open, past(known.close, 1)) - 1, n)


@feature("intraday_{n}", n=(1, 5, 20), lookback=lambda n: n, source=LOU)
def intraday_return(known: Known, n: int) -> Array:
    """close / open - 1, compounded over {n}"""
    return compounded(ratio(known.close, known.open) - 1, n)


@feature("volatility_{n}", n=(10, 20), lookback=lambda n: n + 1, source=OWN)
def volatility(known: Known, n: int) -> Array:
    """sd of close-to-close returns over {n}"""
    return deviation(change(known.close, 1), n)


@feature("trend_30", lookback=30, source=OWN)
def trend(known: Known) -> Array:
    """correlation of log close with time over 30; t = r sqrt(28 / (1 - r^2))"""
    return time_correlation(np.log(known.close), 30)


@feature("range_position_{n}", n=(1, 20), lookback=lambda n: n, source="George Lane (1984)")
def range_position(known: Known, n: int) -> Array:
    """(close(s) - lowest low) / (highest high - lowest low) over {n}"""
    low, high = lowest(known.low, n), highest(known.high, n)
    return ratio(known.close - low, high - low)


# Indicators


@feature("rsi", lookback=1, source="Wilder (1978)")
def centred_rsi(known: Known) -> Array:
    """RSI(14) / 50 - 1"""
    return known.indicators["rsi_14"] / 50 - 1


@feature(
    "{line}", line=("macd", "macd_signal", "macd_histogram"), lookback=1, source="Appel (1979)"
)
def relative_macd(known: Known, line: str) -> Array:
    """{line}(12, 26, 9) / close(s)"""
    return ratio(known.indicators[line], known.close)


@feature("atr", lookback=1, source="Wilder (1978)")
def relative_atr(known: Known) -> Array:
    """ATR(14) / close(s)"""
    return ratio(known.indicators["atr_14"], known.close)


# Volume


@feature("obv_slope_{n}", n=(5, 20), lookback=lambda n: n + 1, source="Granville (1963)")
def obv_slope(known: Known, n: int) -> Array:
    """(OBV(s) - OBV(s-{n})) / sum of volume over {n}"""
    obv = known.indicators["obv"]
    return ratio(obv - past(obv, n), total(known.volume, n))


@feature("obv_signal_sum", lookback=4, source="Granville (1963)")
def obv_signal_sum(known: Known) -> Array:
    """sessions with rising OBV among the last 3"""
    rises = known.indicators["obv"] - past(known.indicators["obv"], 1)
    return total(np.where(np.isnan(rises), np.nan, rises > 0), 3)


@feature("relative_volume_{n}", n=(5, 20), lookback=lambda n: n, source=OWN)
def relative_volume(known: Known, n: int) -> Array:
    """volume(s) / mean of volume over {n}"""
    return ratio(known.volume, average(known.volume, n))


@feature("dollar_volume_rank", lookback=20, source="Amihud (2002)")
def dollar_volume_rank(known: Known) -> Array:
    """rank in the session, 0..1, of the mean of close * volume over 20"""
    return ranks(average(known.close * known.volume, 20))


# Against market and sector


@feature("relative_market_{n}", n=(1, 5, 20), lookback=lambda n: n + 1, source=OWN)
def return_over_market(known: Known, n: int) -> Array:
    """return_{n} - market's close-to-close return over {n}"""
    return change(known.close, n) - compounded(known.market_return, n)[:, None]


@feature("relative_sector_{n}", n=(1, 5, 20), lookback=lambda n: n + 1, source=OWN)
def return_over_sector(known: Known, n: int) -> Array:
    """return_{n} - mean return_{n} of the other symbols of the sector"""
    returns = change(known.close, n)
    return returns - peers_mean(returns, known.symbols["sector"].factorize()[0])


# Market


@feature("market_return_{n}", n=(1, 5), lookback=lambda n: n + 1, source=OWN, kind="session")
def market_return(known: Known, n: int) -> Array:
    """market's close-to-close return over {n}"""
    return compounded(known.market_return, n)


@feature("market_volatility_20", lookback=21, source=OWN, kind="session")
def market_volatility(known: Known) -> Array:
    """sd of the market's close-to-close returns over 20"""
    return deviation(known.market_return, 20)


@feature(
    "regime_{state}",
    state=tuple(regime.value.lower() for regime in Regime),
    lookback=0,
    source=OWN,
    kind="session",
)
def in_regime(known: Known, state: str) -> Values:
    """1 if the regime at the open of t is {state}, else 0"""
    regime = known.regimes["regime"].fillna("UNKNOWN").str.lower()
    return (regime == state).to_numpy()


@feature(
    "{measure}",
    measure=("trend_strength", "volatility_percentile", "vix_level"),
    lookback=0,
    source="Wilder (1978); Whaley (2000)",
    kind="session",
)
def regime_measure(known: Known, measure: str) -> Array:
    """{measure} / 100 of the regime at the open of t"""
    return known.regimes[measure].to_numpy(np.float64) / 100


# Calendar, known before t opens


@feature("weekday", lookback=0, source="French (1980)", kind="session")
def weekday(known: Known) -> Values:
    """weekday of t, 0 = Monday"""
    return known.targets.day_of_week.to_numpy()


@feature("days_since_previous", lookback=0, source="French (1980)", kind="session")
def days_since_previous(known: Known) -> Values:
    """calendar days from s to t"""
    return (known.targets - known.sessions).days.to_numpy()


@feature("month_position", lookback=0, source="Ariel (1987)", kind="session")
def month_position(known: Known) -> Values:
    """(day of month of t - 1) / (days in that month - 1)"""
    return ((known.targets.day - 1) / (known.targets.days_in_month - 1)).to_numpy()


@feature("turn_of_month", lookback=0, source="Lakonishok & Smidt (1988)", kind="session")
def turn_of_month(known: Known) -> Values:
    """1 if t is one of the first 4 or last 2 calendar days of its month, else 0"""
    day, days = known.targets.day.to_numpy(), known.targets.days_in_month.to_numpy()
    return (day <= 4) | (day > days - 2)


# Attributes of the symbol as of the day its table was made


@feature("{attribute}", attribute=("exchange", "sector"), lookback=0, source=OWN, kind="static")
def attribute(known: Known, attribute: str) -> Values:
    """{attribute} of the symbol, as of the day its table was made"""
    return known.symbols[attribute].to_numpy(object)
