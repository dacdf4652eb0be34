"""The leg against the market: what it trades, how much of it, and the room it needs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.schemas import UNIVERSE_INDEX, BarPanel
from pipeline.trading.benchmarks import opens_are_real
from pipeline.trading.estimates import Values, intraday_returns
from pipeline.trading.rules import BPS, Rules
from pipeline.trading.slots import EMPTY, HEDGE, Costs, Orders, mapped, slot_sum

UNIT = 100.0
"""Currency that one unit of the universe is worth at every open."""


def instrument(bars: BarPanel, index: BarPanel | None = None) -> pd.DataFrame:
    """What the hedge trades in each session of the bars: the index, or the universe in its place.

    The universe is the equal-weight mean open-to-close return of all symbols with a bar, as the
    price of a unit that is worth 100 at each open: a proxy, since nobody trades it in one order.

    Parameters
    ----------
    bars
        Of the stocks.
    index
        Of one index, from a year before the first session on; None: the universe always.

    Returns
    -------
    pd.DataFrame
        By session: symbol and reference (price known before the open); open and close (of the
        session itself, to fill).
    """
    chosen = _universe(bars)
    if index is not None:
        of_index = _index(index, bars.sessions)
        real = of_index.index[of_index.pop("is_real")].intersection(bars.sessions)
        chosen.loc[real] = of_index.loc[real]
    return chosen


def _universe(bars: BarPanel) -> pd.DataFrame:
    returns = pd.DataFrame(intraday_returns(bars), bars.sessions).mean(axis=1)
    opened = returns.where(returns.isna(), UNIT)
    prices = {"reference": UNIT, "open": opened, "close": opened * (1.0 + returns)}
    return pd.DataFrame({"symbol": UNIVERSE_INDEX, **prices}, bars.sessions)


def _index(index: BarPanel, sessions: pd.DatetimeIndex) -> pd.DataFrame:
    """The index by session, and whether its opens before that session were real."""
    bars = index.loc(index.sessions.union(sessions))
    opened, closed = bars.open.iloc[:, 0], bars.close.iloc[:, 0]
    reference = closed.ffill().shift()
    prices = {"reference": reference, "open": opened, "close": closed}
    is_real = opens_are_real(opened, reference)
    return pd.DataFrame({"symbol": index.symbols[0], **prices, "is_real": is_real})


def hedge_weight(side: Values, weight: Values, beta: Values) -> Values:
    """Part of equity to hold against the positions, negative where it is sold; by session.

    Parameters
    ----------
    side, weight, beta
        Sessions x slots; beta is 1 where the hedge is neutral in dollars.

    Examples
    --------
    >>> hedge_weight(np.array([1.0, 1.0]), np.array([0.5, 0.25]), np.array([1.0, 2.0])).item()
    -1.0
    """
    return -slot_sum(side * weight * beta)


def room(weight: Values, hedge: Values) -> Values:
    """Factor that makes positions and hedge add up to at most all of the equity, by session.

    >>> room(np.array([0.5, 0.5]), np.array(-1.0)).item()
    0.5
    """
    return np.where(hedge != 0.0, 1.0 / np.maximum(slot_sum(weight) + np.abs(hedge), 1.0), 1.0)


def with_hedge(orders: Orders, reference: Values, rules: Rules) -> Orders:
    """The orders with the two slots of a hedge behind them, and scaled to leave room for it.

    Parameters
    ----------
    reference
        Price of what the hedge trades, known before the open, by session; NaN: nothing to trade.
    """
    assert orders.beta is not None
    held = hedge_weight(orders.side, orders.weight, orders.beta)
    factor = room(orders.weight, held)[:, None]
    exists = np.full((len(held), 2), rules.is_hedged) & (reference > 0.0)[:, None]
    side = np.where(exists, [1.0, -1.0], 0.0)
    zero, never = np.zeros(side.shape), np.full(side.shape, np.nan)
    slots = Orders(
        column=np.where(exists, HEDGE, EMPTY),
        side=side,
        prediction=never,
        weight=np.abs(held)[:, None] * factor,
        reference=reference[:, None],
        max_shares=zero,
        costs=Costs(
            commission=zero + rules.hedge_bps * BPS,
            per_share=zero,
            minimum=zero,
            maximum=never,
            slippage_in=zero,
            slippage_out=zero,
            impact=zero,
            borrow=np.where(side < 0.0, rules.borrow_fee, 0.0),
        ),
        is_whole=zero > 0.0,
        edge=zero + np.inf,
        beta=zero,
        limit=never,
        stop=never,
        target=never,
        gross=zero,
    )
    scaled = orders._replace(weight=orders.weight * factor)
    both = mapped(lambda values: np.broadcast_to(values, side.shape), slots)
    return mapped(lambda values, last: np.concatenate([values, last], axis=1), scaled, both)
