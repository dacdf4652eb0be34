"""Volume, dollar volume and illiquidity."""

from __future__ import annotations

import numpy as np

from pipeline.market import history
from pipeline.market.cross_section import ranks
from pipeline.market.definitions import Definitions, Known
from pipeline.market.series import dollar_volume, illiquidity, over_sector, returns, volume
from pipeline.market.windows import Array, ratio

definitions = Definitions()
feature = definitions.feature

AMIHUD = "Amihud (2002), Illiquidity and stock returns"
GERVAIS = "Gervais, Kaniel & Mingelgrin (2001), The high-volume return premium"
CAMPBELL = "Campbell, Grossman & Wang (1993), Trading volume and serial correlation"


@feature("dollar_volume_rank_63", lookback=63, source=AMIHUD)
def dollar_volume_rank(known: Known) -> Array:
    """rank in the session of the mean dollar volume over 63"""
    return ranks(history.mean(known, 63, dollar_volume))


@feature("dollar_volume_standing_63", lookback=63, source=AMIHUD)
def dollar_volume_standing(known: Known) -> Array:
    """rank in the session of ln(mean dollar volume over 63) net of the sector's mean"""
    level = history.mean(known, 63, dollar_volume)
    return ranks(over_sector(known, np.log(np.where(level > 0, level, np.nan))))


@feature("dollar_volume_shock_5", lookback=252, source=GERVAIS)
def dollar_volume_shock(known: Known) -> Array:
    """mean dollar volume over 5 / over 252"""
    recent = history.mean(known, 5, dollar_volume)
    return ratio(recent, history.mean(known, 252, dollar_volume))


@feature("volume_shock_rank_{n}", n=(1, 5), lookback=63, source=GERVAIS)
def volume_shock_rank(known: Known, n: int) -> Array:
    """rank in the session of mean volume over {n} / over 63"""
    return ranks(ratio(history.mean(known, n, volume), history.mean(known, 63, volume)))


@feature("amihud_rank_{n}", n=(21, 252), lookback=lambda n: n + 1, source=AMIHUD)
def amihud_rank(known: Known, n: int) -> Array:
    """rank in the session of mean |return| / dollar volume over {n}"""
    return ranks(history.mean(known, n, illiquidity))


@feature("up_volume_share_21", lookback=22, source="Granville (1963)")
def up_volume_share(known: Known) -> Array:
    """volume of rising sessions / volume of all over 21"""
    return ratio(history.mean(known, 21, up_volume), history.mean(known, 21, volume))


def up_volume(known: Known) -> Array:
    """Volume of sessions that closed higher, 0 of others."""
    moves = returns(known)
    return np.where(np.isnan(moves), np.nan, np.where(moves > 0, known.volume, 0.0))


@feature("return_volume_correlation_63", lookback=64, source=CAMPBELL)
def return_volume_correlation(known: Known) -> Array:
    """correlation of return and volume over 63"""
    return history.correlation(known, 63, returns, volume)
