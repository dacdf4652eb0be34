"""Volatility in several measures, and what of it the market explains."""

from __future__ import annotations

import numpy as np

from pipeline.market import history
from pipeline.market.cross_section import ranks
from pipeline.market.definitions import Definitions, Known, kept
from pipeline.market.series import (
    intraday,
    log_range_squared,
    market,
    market_overnight,
    overnight,
    returns,
    volatility,
)
from pipeline.market.windows import Array, ratio

definitions = Definitions()
feature = definitions.feature

ANDERSEN = "Andersen & Bollerslev (1998)"
PARKINSON = "Parkinson (1980), The extreme value method"
ANG = "Ang, Hodrick, Xing & Zhang (2006)"
FRAZZINI = "Frazzini & Pedersen (2014), Betting against beta"
FOUR_LN_2 = 2.772588722239781


@feature("realised_volatility_{n}", n=(21, 63, 252), lookback=lambda n: n + 1, source=ANDERSEN)
def realised_volatility(known: Known, n: int) -> Array:
    """root mean square of close-to-close returns over {n}"""
    return history.root_mean_square(known, n, returns)


@feature("volatility_shock_{n}", n=(5, 21), lookback=253, source="own definition")
def volatility_shock(known: Known, n: int) -> Array:
    """realised volatility over {n} / over 252"""
    recent = history.root_mean_square(known, n, returns)
    return ratio(recent, history.root_mean_square(known, 252, returns))


@feature("volatility_rank_63", lookback=64, source=ANDERSEN)
def volatility_rank(known: Known) -> Array:
    """rank in the session of the realised volatility over 63"""
    return ranks(volatility(known))


@feature("intraday_volatility_21", lookback=21, source=ANDERSEN)
def intraday_volatility(known: Known) -> Array:
    """root mean square of intraday returns over 21"""
    return history.root_mean_square(known, 21, intraday)


@feature("parkinson_{n}", n=(5, 21), lookback=lambda n: n, source=PARKINSON)
def parkinson(known: Known, n: int) -> Array:
    """root of mean ln(high / low)^2 / (4 ln 2) over {n}"""
    return np.sqrt(history.mean(known, n, log_range_squared) / FOUR_LN_2)


@feature("range_over_moves_21", lookback=21, source=PARKINSON)
def range_over_moves(known: Known) -> Array:
    """parkinson_21 / root mean square of intraday returns over 21: above 1 if moves turn back"""
    return ratio(parkinson(known, 21), history.root_mean_square(known, 21, intraday))


@feature("downside_share_63", lookback=64, source="Ang, Chen & Xing (2006)")
def downside_share(known: Known) -> Array:
    """mean square of negative returns / mean square of all over 63"""
    falling = history.mean(known, 63, history.square, falls)
    return ratio(falling, history.mean(known, 63, history.square, returns))


@kept
def falls(known: Known) -> Array:
    """Negative returns, others as 0."""
    return np.minimum(returns(known), 0.0)


@feature("downside_volatility_63", lookback=64, source="Ang, Chen & Xing (2006)")
def downside_volatility(known: Known) -> Array:
    """root mean square of returns over 63, rises counted as 0"""
    return history.root_mean_square(known, 63, falls)


# Against the market


@feature("beta_{n}", n=(63, 252), lookback=lambda n: n + 1, source=FRAZZINI)
def beta(known: Known, n: int) -> Array:
    """slope of the return on the market's over {n}"""
    return history.slope(known, n, returns, market)


@feature("beta_rank_252", lookback=253, source=FRAZZINI)
def beta_rank(known: Known) -> Array:
    """rank in the session of beta_252"""
    return ranks(beta(known, 252))


@feature("overnight_beta_252", lookback=253, source="Hendershott, Livdan & Roesch (2020)")
def overnight_beta(known: Known) -> Array:
    """slope of the overnight return on the mean overnight return of all symbols over 252"""
    return history.slope(known, 252, overnight, market_overnight)


@feature("market_correlation_63", lookback=64, source=FRAZZINI)
def market_correlation(known: Known) -> Array:
    """correlation of the return with the market's over 63"""
    return history.correlation(known, 63, returns, market)


@feature("idiosyncratic_volatility_{n}", n=(21, 252), lookback=lambda n: n + 1, source=ANG)
def idiosyncratic_volatility(known: Known, n: int) -> Array:
    """sd of what the market leaves unexplained of the return over {n}"""
    return history.residual_deviation(known, n, returns, market)


@feature("idiosyncratic_rank_21", lookback=22, source=ANG)
def idiosyncratic_rank(known: Known) -> Array:
    """rank in the session of idiosyncratic_volatility_21"""
    return ranks(idiosyncratic_volatility(known, 21))
