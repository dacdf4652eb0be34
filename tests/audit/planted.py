"""Features that leak, each in a way of its own: what an audit has to find."""

from __future__ import annotations

import numpy as np

from pipeline.market.definitions import Definitions, Known
from pipeline.market.series import intraday, returns
from pipeline.market.windows import Array

planted = Definitions()
feature = planted.feature


def ahead(values: Array, n: int = 1) -> Array:
    """The value `n` sessions later; NaN where history ends."""
    later = np.full_like(values, np.nan)
    later[:-n] = values[n:]
    return later


@feature("leak_return_of_t", lookback=1, source="planted")
def return_of_t(known: Known) -> Array:
    """close(t) / open(t) - 1"""
    return ahead(intraday(known))


@feature("leak_centred_window", lookback=5, source="planted")
def centred_window(known: Known) -> Array:
    """mean return from s-2 to s+2"""
    moves = returns(known)
    return np.mean([ahead(moves, 2), ahead(moves, 1), moves, np.roll(moves, 1, 0)], axis=0)


@feature("leak_full_sample_z", lookback=2, source="planted")
def full_sample_z(known: Known) -> Array:
    """(return - mean of all there is) / sd of all there is"""
    moves = returns(known)
    is_known = ~np.isnan(moves)
    count = np.maximum(is_known.sum(axis=0), 1)
    mean = np.where(is_known, moves, 0.0).sum(axis=0) / count
    return (moves - mean) / np.sqrt(np.where(is_known, (moves - mean) ** 2, 0.0).sum(axis=0) + 1e-9)


@feature("leak_rank_of_t", lookback=20, source="planted")
def rank_of_t(known: Known) -> Array:
    """rank of the return of t among the 20 before it"""
    today = ahead(intraday(known))
    return np.sum([np.roll(today, k, axis=0) < today for k in range(1, 21)], axis=0) / 20.0


@feature("leak_market_of_t", lookback=1, source="planted", kind="session")
def market_of_t(known: Known) -> Array:
    """mean open-to-close return of t"""
    return np.nan_to_num(ahead(intraday(known))).mean(axis=1)


@feature("leak_filled_backwards", lookback=1, source="planted")
def filled_backwards(known: Known) -> Array:
    """return of s; where there is none, the next one there is"""
    values = returns(known).copy()
    for row in range(len(values) - 2, -1, -1):
        values[row] = np.where(np.isnan(values[row]), values[row + 1], values[row])
    return values


LOOK_AHEAD = tuple(planted)
"""Features that know a later session."""

others = Definitions()


@others.feature("leak_of_name", lookback=1, source="planted")
def of_name(known: Known) -> Array:
    """place of the symbol in the alphabet"""
    return np.tile(np.arange(known.close.shape[1], dtype=np.float64), (len(known.close), 1))


@others.feature("leak_of_all_history", lookback=5, source="planted")
def of_all_history(known: Known) -> Array:
    """close(s) / the first close there is, with a look-back of 5"""
    return known.close / known.close[0]


BY_NAME, BY_LOOKBACK = others
"""One that depends on what symbols are called, one that looks back further than it says."""
