"""What the same weekday, or the same session of earlier months and quarters, did."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.market import history
from pipeline.market.definitions import Definitions, Known, Series
from pipeline.market.series import intraday_over_market, intraday_ranks, overnight_ranks
from pipeline.market.windows import Array, past

definitions = Definitions()
feature = definitions.feature

KELOHARJU = "Keloharju, Linnainmaa & Nyberg (2016), Return seasonalities"
HESTON = "Heston & Sadka (2008), Seasonality in the cross-section of stock returns"
WEEK = 7
LEAST_WEEKS = 8


@feature(
    "weekday_intraday_{weeks}",
    weeks=(13, 26, 52, 104),
    lookback=lambda weeks: 5 * weeks,
    source=KELOHARJU,
)
def weekday_intraday(known: Known, weeks: int) -> Array:
    """mean session rank of the intraday return on t's weekday in the {weeks} weeks before t"""
    return weekday_mean(known, weeks, intraday_ranks)


@feature("weekday_overnight_52", lookback=261, source=KELOHARJU)
def weekday_overnight(known: Known) -> Array:
    """mean session rank of the overnight return on t's weekday in the 52 weeks before t"""
    return weekday_mean(known, 52, overnight_ranks)


@feature("intraday_ago_63", lookback=63, source=HESTON)
def intraday_ago(known: Known) -> Array:
    """intraday return over the market's of the session 63 before t"""
    return past(intraday_over_market(known), 62)


@feature("intraday_quarter_ago", lookback=65, source=HESTON)
def intraday_quarter_ago(known: Known) -> Array:
    """mean intraday return over the market's of the sessions 61 to 65 before t"""
    return past(history.mean(known, 5, intraday_over_market), 60)


@feature("intraday_quarters_ago", lookback=252, source=HESTON)
def intraday_quarters_ago(known: Known) -> Array:
    """mean of the intraday returns over the market's 63, 126, 189 and 252 sessions before t"""
    values = intraday_over_market(known)
    quarters = [past(values, 63 * k - 1) for k in (1, 2, 3, 4)]
    sums, number = np.zeros_like(values), np.zeros_like(values)
    for quarter in quarters:
        present = ~np.isnan(quarter)
        sums += np.where(present, quarter, 0.0)
        number += present
    return np.where(number == 0, np.nan, sums / np.maximum(number, 1))


def weekday_mean(known: Known, weeks: int, series: Series) -> Array:
    """Mean over the sessions of t's weekday in the weeks before t, at least `LEAST_WEEKS`.

    The sessions stand in a grid of calendar days, so that a holiday shifts nothing.
    """
    sessions, targets = grid_rows(known)
    days, last_week = targets.max(initial=0) + 1, targets - WEEK

    def calculation(part: Array) -> Array:
        values, present = np.zeros((days, part.shape[1])), np.zeros((days, part.shape[1]), bool)
        present[sessions] = ~np.isnan(part)
        values[sessions] = np.where(np.isnan(part), 0.0, part)
        sums = history.windowed(values, weeks, WEEK)[last_week]
        number = history.counts(present, weeks, WEEK)[last_week]
        return np.where(number < LEAST_WEEKS, np.nan, sums / np.maximum(number, 1))

    return history.by_symbols(calculation, series(known))


def grid_rows(known: Known) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Calendar days of the sessions and of their targets since a week before the first one."""
    start = known.sessions[:1] - np.timedelta64(WEEK, "D")
    origin = start[0] if len(start) else np.datetime64(0, "D")
    return (known.sessions - origin).days.to_numpy(), (known.targets - origin).days.to_numpy()
