"""State of market, sector, index and VIX, and the calendar: what the forecast is made amid."""

from __future__ import annotations

import numpy as np

from pipeline.market import history
from pipeline.market.cross_section import peers_mean, universe_mean
from pipeline.market.definitions import Definitions, Known, Values
from pipeline.market.series import intraday, market, overnight, returns, sectors
from pipeline.market.windows import Array, compounded, past, ratio

definitions = Definitions()
feature = definitions.feature

OWN = "own definition"
MOSKOWITZ = "Moskowitz & Grinblatt (1999), Do industries explain momentum?"
SESSIONS_A_YEAR = 252


# Sector


@feature("sector_return_{n}", n=(1, 5, 21), lookback=lambda n: n + 1, source=MOSKOWITZ)
def sector_return(known: Known, n: int) -> Array:
    """mean over {n} of the sector's other symbols' return - market's"""
    own = history.mean(known, n, returns)
    return peers_mean(own, sectors(known)) - history.mean(known, n, market)


@feature("sector_overnight_1", lookback=2, source=MOSKOWITZ)
def sector_overnight(known: Known) -> Array:
    """mean overnight return of the sector's other symbols - of all symbols"""
    night = overnight(known)
    return peers_mean(night, sectors(known)) - universe_mean(night)[:, None]


@feature("sector_intraday_1", lookback=1, source=MOSKOWITZ)
def sector_intraday(known: Known) -> Array:
    """mean intraday return of the sector's other symbols - of all symbols"""
    day = intraday(known)
    return peers_mean(day, sectors(known)) - universe_mean(day)[:, None]


# Market


@feature("market_return_21", lookback=22, source=OWN, kind="session")
def market_return(known: Known) -> Array:
    """market's close-to-close return over 21"""
    return compounded(known.market_return, 21)


@feature("market_overnight_1", lookback=2, source=OWN, kind="session")
def market_overnight_return(known: Known) -> Array:
    """mean overnight return of all symbols"""
    return universe_mean(overnight(known))


@feature("market_intraday_1", lookback=1, source=OWN, kind="session")
def market_intraday_return(known: Known) -> Array:
    """mean intraday return of all symbols"""
    return universe_mean(intraday(known))


@feature("market_trend_252", lookback=253, source=OWN, kind="session")
def market_trend(known: Known) -> Array:
    """mean / root mean square of the market's returns over 252"""
    spread = history.root_mean_square(known, 252, market_moves)
    return ratio(history.mean(known, 252, market_moves), spread)


@feature("market_volatility_shock", lookback=253, source=OWN, kind="session")
def market_volatility_shock(known: Known) -> Array:
    """root mean square of the market's returns over 5 / over 252"""
    recent = history.root_mean_square(known, 5, market_moves)
    return ratio(recent, history.root_mean_square(known, 252, market_moves))


def market_moves(known: Known) -> Array:
    """Market's close-to-close returns, one a session."""
    return known.market_return


@feature("dispersion_1", lookback=2, source=OWN, kind="session")
def dispersion(known: Known) -> Array:
    """sd of the symbols' returns in s"""
    moves = returns(known)
    return np.sqrt(universe_mean((moves - universe_mean(moves)[:, None]) ** 2))


@feature("breadth_1", lookback=2, source=OWN, kind="session")
def breadth(known: Known) -> Array:
    """share of symbols that closed higher"""
    moves = returns(known)
    return universe_mean(np.where(np.isnan(moves), np.nan, moves > 0))


@feature("breadth_63", lookback=63, source=OWN, kind="session")
def breadth_of_trend(known: Known) -> Array:
    """share of symbols that closed above their mean close over 63"""
    distance = known.close - history.mean(known, 63, closes)
    return universe_mean(np.where(np.isnan(distance), np.nan, distance > 0))


def closes(known: Known) -> Array:
    """Close of each session."""
    return known.close


@feature("market_correlation_mean_63", lookback=64, source="Pollet & Wilson (2010)", kind="session")
def mean_market_correlation(known: Known) -> Array:
    """mean over the symbols of their correlation with the market over 63"""
    return universe_mean(history.correlation(known, 63, returns, market))


@feature(
    "vix_change_{n}", n=(1, 5), lookback=lambda n: n + 1, source="Whaley (2000)", kind="session"
)
def vix_change(known: Known, n: int) -> Array:
    """change of ln(VIX) over {n}"""
    level = np.log(known.regimes["vix_level"].to_numpy(np.float64))
    return level - past(level, n)


@feature(
    "variance_premium",
    lookback=22,
    source="Bollerslev, Tauchen & Zhou (2009)",
    kind="session",
)
def variance_premium(known: Known) -> Array:
    """ln(VIX / (the market's root mean square return over 21, in percent a year))"""
    yearly = np.sqrt(SESSIONS_A_YEAR) * 100 * history.root_mean_square(known, 21, market_moves)
    return np.log(ratio(known.regimes["vix_level"].to_numpy(np.float64), yearly))


# Calendar, known before t opens


@feature("half_day", lookback=0, source=OWN, kind="session")
def half_day(known: Known) -> Values:
    """1 if t is known to close early, else 0; missing where nobody knows"""
    if known.short_sessions is None:
        return np.full(len(known.targets), np.nan)
    return known.targets.isin(known.short_sessions)


@feature("since_closure", lookback=21, source="Lakonishok & Smidt (1988)", kind="session")
def since_closure(known: Known) -> Array:
    """sessions up to t since the exchange was last closed on a weekday / 21, at most 1"""
    days = known.targets.to_numpy("datetime64[D]")
    before = known.sessions.to_numpy("datetime64[D]")
    rows = np.arange(len(days), dtype=np.float64)
    reopened = np.where(np.busday_count(before, days) > 1, rows, -np.inf)
    return np.minimum((rows - np.maximum.accumulate(reopened)) / 21, 1.0)


@feature("trading_streak", lookback=252, source=OWN)
def trading_streak(known: Known) -> Array:
    """sessions in a row with a bar up to s / 252, at most 1"""
    rows = np.arange(1, len(known.close) + 1, dtype=np.float64)[:, None]
    missing = np.maximum.accumulate(np.where(np.isnan(known.close), rows, 0.0), axis=0)
    return np.minimum((rows - missing) / 252, 1.0)
