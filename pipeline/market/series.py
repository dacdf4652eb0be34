"""Series that several features are made of: one value per session s and symbol, known at its close.

All are sessions x symbols, NaN where a bar is missing.
"""

from __future__ import annotations

import numpy as np

from pipeline.market import history
from pipeline.market.cross_section import ranks, sector_relative, universe_mean
from pipeline.market.definitions import Known, Values, kept
from pipeline.market.windows import Array, change, past, ratio

MOST_VOLATILITIES = 64.0
"""More than three times what 500 stocks reached in 13 years."""


@kept
def returns(known: Known) -> Array:
    """Close / previous close - 1."""
    return change(known.close, 1)


@kept
def overnight(known: Known) -> Array:
    """Open / previous close - 1."""
    return ratio(known.open, past(known.close, 1)) - 1


@kept
def intraday(known: Known) -> Array:
    """Close / open - 1."""
    return ratio(known.close, known.open) - 1


@kept
def overnight_ranks(known: Known) -> Array:
    """Rank of the overnight return in its session."""
    return ranks(overnight(known))


@kept
def intraday_ranks(known: Known) -> Array:
    """Rank of the intraday return in its session."""
    return ranks(intraday(known))


@kept
def intraday_over_market(known: Known) -> Array:
    """Intraday return - mean of all symbols."""
    values = intraday(known)
    return values - universe_mean(values)[:, None]


@kept
def market(known: Known) -> Array:
    """Market's close-to-close return, the same for all symbols."""
    return repeated(known, known.market_return)


@kept
def market_overnight(known: Known) -> Array:
    """Mean overnight return of all symbols, the same for all."""
    return repeated(known, universe_mean(overnight(known)))


def repeated(known: Known, values: Array) -> Array:
    """One value a session, for every symbol."""
    return np.broadcast_to(values[:, None], known.close.shape)


@kept
def log_range_squared(known: Known) -> Array:
    """ln(high / low) squared."""
    return np.log(ratio(known.high, known.low)) ** 2


@kept
def dollar_volume(known: Known) -> Array:
    """Close * volume."""
    return known.close * known.volume


def volume(known: Known) -> Array:
    """Shares."""
    return known.volume


@kept
def illiquidity(known: Known) -> Array:
    """Absolute return per unit of dollar volume."""
    return ratio(np.abs(returns(known)), dollar_volume(known))


@kept
def volatility(known: Known) -> Array:
    """Root mean square of the close-to-close returns over 63: the unit of scaled features."""
    return history.root_mean_square(known, 63, returns)


@kept
def sectors(known: Known) -> Values:
    """Code of each symbol's sector, -1 where unknown; shape ``(symbols,)``."""
    return known.symbols["sector"].factorize()[0].astype(np.int64)


def over_sector(known: Known, values: Array) -> Array:
    """Values - mean of the other symbols of the sector."""
    return sector_relative(values, sectors(known))


def standing(known: Known, values: Array) -> Array:
    """Rank in the session of the values over the symbol's volatility, net of the sector's mean.

    Next to no volatility, that of a stock pinned to the price of a takeover, is no measure: at
    most `MOST_VOLATILITIES` either way.
    """
    scaled = ratio(values, volatility(known))
    return ranks(over_sector(known, np.clip(scaled, -MOST_VOLATILITIES, MOST_VOLATILITIES)))
