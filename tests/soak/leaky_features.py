"""Features that know a later session, each in a way of its own, beside those of tests/audit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.market.definitions import Definitions, Feature, Known
from pipeline.market.series import intraday, returns
from pipeline.market.windows import Array
from tests.audit.planted import ahead

sly = Definitions()
feature = sly.feature


def ordinal(known: Known) -> np.ndarray:
    """Number of each target session by the calendar, whatever history is loaded."""
    return np.busday_count("1990-01-01", known.targets.to_numpy().astype("datetime64[D]"))


def label_at(known: Known, where: np.ndarray) -> Array:
    """The return of s; on some target sessions that of t."""
    return np.where(where[:, None], ahead(intraday(known)), returns(known))


def one_in(sessions: int) -> Callable[[Known], Array]:
    def calculation(known: Known) -> Array:
        """return of s, and that of t on one session in so many"""
        return label_at(known, ordinal(known) % sessions == 0)

    return calculation


for spacing in (16, 25, 60):
    feature(f"return_leaking_one_in_{spacing}", lookback=1, source="planted")(one_in(spacing))


@feature("return_wrong_on_the_13th", lookback=1, source="planted")
def on_the_13th(known: Known) -> Array:
    """return of s, on the 13th of a month that of t"""
    return label_at(known, np.asarray(known.targets.day == 13))


@feature("sign_of_t_on_fridays", lookback=1, source="planted")
def on_fridays(known: Known) -> Array:
    """return of s, on Fridays the sign of the return of t"""
    fridays = np.asarray(known.targets.dayofweek == 4)[:, None]
    return np.where(fridays, np.sign(ahead(intraday(known))), returns(known))


@feature("label_of_one_symbol", lookback=1, source="planted")
def of_one_symbol(known: Known) -> Array:
    """return of s, that of t for one symbol"""
    chosen = np.asarray(known.symbols.index == "S07")
    return np.where(chosen, ahead(intraday(known)), returns(known))


@feature("label_mixed_in", lookback=1, source="planted")
def mixed_in(known: Known) -> Array:
    """return of s and a hundredth of that of t"""
    return returns(known) + 0.01 * ahead(intraday(known))


@feature("high_of_t", lookback=1, source="planted")
def high_of_t(known: Known) -> Array:
    """high(t) / close(s)"""
    return ahead(known.high) / known.close


@feature("volume_of_t", lookback=1, source="planted")
def volume_of_t(known: Known) -> Array:
    """log(volume(t) / volume(s))"""
    return np.log(ahead(known.volume) / known.volume)


@feature("gap_of_t", lookback=1, source="planted")
def gap_of_t(known: Known) -> Array:
    """open(t) / close(s)"""
    return ahead(known.open) / known.close


@feature("mean_of_all_history", lookback=1, source="planted")
def mean_of_all(known: Known) -> Array:
    """mean return of the symbol over all there is"""
    return np.broadcast_to(np.nanmean(returns(known), axis=0), known.close.shape).copy()


@feature("mean_of_weekday", lookback=1, source="planted")
def mean_of_weekday(known: Known) -> Array:
    """mean return of t's weekday over all there is"""
    days, values = np.asarray(known.targets.dayofweek), ahead(intraday(known))
    means = {day: np.nanmean(values[days == day][:-1], axis=0) for day in np.unique(days)}
    return np.stack([means[day] for day in days])


@feature("close_over_last", lookback=1, source="planted")
def close_over_last(known: Known) -> Array:
    """close(s) / the last close there is, as prices adjusted by a later split are"""
    return known.close / np.nanmax(known.close[-3:], axis=0)


@feature("percentile_of_all_history", lookback=1, source="planted")
def percentile_of_all(known: Known) -> Array:
    """part of all returns there are that are below that of s"""
    moves = returns(known)
    return np.nanmean(moves[None, :, :] < moves[:, None, :], axis=1)


@feature("label_in_a_falling_market", lookback=1, source="planted")
def in_a_falling_market(known: Known) -> Array:
    """return of s, that of t after the market fell by 1 %"""
    return label_at(known, known.market_return < -0.01)


@feature("return_of_five_sessions_later", lookback=1, source="planted")
def five_later(known: Known) -> Array:
    """return of t + 4"""
    return ahead(returns(known), 5)


@feature("smoothed_both_ways", lookback=1, source="planted")
def smoothed_both_ways(known: Known) -> Array:
    """mean of the returns of s and of t"""
    moves = returns(known)
    return np.nanmean([moves, ahead(moves)], axis=0)


SLY: tuple[Feature, ...] = tuple(sly)
