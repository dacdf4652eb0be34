"""What each slot could be traded at: the prices of its session, and what a share of it books.

Only here do prices of the session itself come in. Arrays are sessions x plans x slots.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.trading import stops
from pipeline.trading.estimates import Values
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.ranking import Mask
from pipeline.trading.slots import EMPTY, HEDGE, Costs, Orders

PARTS = (
    "entry", "commission_in", "slippage_in", "impact_in",
    "exit", "commission_out", "slippage_out", "impact_out", "borrow",
)  # fmt: skip
"""What is booked of a trade: notional and costs of either side, and the borrow fee."""

WHEN_ENTERED = slice(0, 4)
ENTRY, EXIT, BORROW = 0, 4, 8
NOTIONALS = slice(0, 5, 4)
COMMISSIONS, SLIPPAGES, IMPACTS = slice(1, 6, 4), slice(2, 7, 4), slice(3, 8, 4)

NO_OPEN = "no open"
HALTED = "halted"
BEYOND_LIMIT = "open beyond the limit"
NO_CLOSE = "no close"
NO_RANGE = "no high or low"
OBSTACLES = np.array(["", NO_OPEN, HALTED, BEYOND_LIMIT, NO_CLOSE, NO_RANGE])
"""Why an order meets no fill at all, by the number that ``obstacles`` gives; 0: it is filled."""


class Quotes(NamedTuple):
    """Bars of the session itself; NaN where there is none."""

    open: Values
    high: Values
    low: Values
    close: Values
    volume: Values


class Fills(NamedTuple):
    """What trading each slot comes to.

    Attributes
    ----------
    obstacle
        A number of ``OBSTACLES``.
    opened, ended
        Prices in and out, in currency.
    ending
        How the position ends: a number of ``stops.EXITS``.
    rates
        What one share books by part, in the smallest units of the currency: sessions x parts x
        plans x slots. The impact's are for a root of 1 of the notional ordered.
    minimum
        Least commission of a fill, in the smallest units; None without any.
    maximum
        Most commission of a fill, as a fraction of its notional; None without any.
    root
        Root of the price that orders are sized at; None without impact.
    """

    obstacle: npt.NDArray[np.int64]
    opened: Values
    ended: Values
    ending: npt.NDArray[np.int64]
    rates: Values
    minimum: Values | None
    maximum: Values | None
    root: Values | None


def quotes(forecasts: Forecasts, orders: Orders) -> Quotes:
    """The bar of the symbol in each slot; the hedge has an open and a close only."""
    market, column = forecasts.market, orders.column
    session = np.arange(len(column))[:, None, None]
    is_hedge = column == HEDGE

    def bars(name: str) -> Values:
        values = forecasts.values(getattr(market, name))[session, np.maximum(column, 0)]
        values = np.where(column > EMPTY, values, np.nan)
        if market.hedge is None or name == "volume" or not is_hedge.any():
            return values
        of_hedge = market.hedge["open" if name == "open" else "close"].to_numpy(np.float64)
        return np.where(is_hedge, of_hedge[session], values)

    return Quotes(*map(bars, Quotes._fields))


def obstacles(orders: Orders, quoted: Quotes) -> npt.NDArray[np.int64]:
    """Why a slot cannot be traded in its session, the first that holds; 0 where it can."""
    by_reason = {
        NO_OPEN: ~(quoted.open > 0.0),
        HALTED: quoted.volume == 0.0,
        BEYOND_LIMIT: _is_beyond_limit(orders, quoted),
        NO_CLOSE: ~(quoted.close > 0.0),
        NO_RANGE: ~((quoted.high > 0.0) & (quoted.low > 0.0)) & (orders.stop is not None),
    }
    return np.select(
        list(by_reason.values()), [list(OBSTACLES).index(reason) for reason in by_reason], 0
    )


def _is_beyond_limit(orders: Orders, quoted: Quotes) -> Mask:
    if orders.limit is None:
        return np.zeros(orders.column.shape, bool)
    return ~stops.within_limit(orders.side, quoted.open, orders.limit)


def fills(orders: Orders, quoted: Quotes, units: int) -> Fills:
    """What trading the slots comes to.

    Parameters
    ----------
    units
        Smallest units of money in one of the currency: 100 for cents.
    """
    obstacle = obstacles(orders, quoted)
    end = _ends(orders, quoted)
    opened, ended = (np.where(obstacle == 0, price, 0.0) for price in (quoted.open, end.price))
    costs = orders.costs
    return Fills(
        obstacle=obstacle,
        opened=quoted.open,
        ended=end.price,
        ending=end.kind,
        rates=units * rates(opened, ended, costs),
        minimum=units * costs.minimum if costs.minimum.any() else None,
        maximum=None if np.isnan(costs.maximum).all() else costs.maximum,
        root=np.sqrt(np.nan_to_num(orders.reference)) if costs.impact.any() else None,
    )


def _ends(orders: Orders, quoted: Quotes) -> stops.Exits:
    if orders.stop is None or orders.target is None:
        return stops.Exits(quoted.close, np.zeros(orders.column.shape, np.int64))
    return stops.exits(
        orders.side, quoted.open, quoted.high, quoted.low, quoted.close, orders.stop, orders.target
    )


def rates(opened: Values, ended: Values, costs: Costs) -> Values:
    """What one share books by part, in currency; 0 where it is not traded."""
    of_share = np.where(opened > 0.0, costs.per_share, 0.0)
    slippage_in, slippage_out, impact = (
        np.where(opened > 0.0, rate, 0.0)
        for rate in (costs.slippage_in, costs.slippage_out, costs.impact)
    )
    parts = (
        opened, opened * costs.commission + of_share, opened * slippage_in, opened * impact,
        ended, ended * costs.commission + of_share, ended * slippage_out, ended * impact,
        opened * costs.borrow,
    )  # fmt: skip
    return np.stack(parts, axis=1)
