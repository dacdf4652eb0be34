"""How much of each position: weights before any equity is known, shares once it is.

Arrays are (..., slots); see ``slots``.
"""

from __future__ import annotations

import numpy as np

from pipeline.trading.costs import expected_round_trip
from pipeline.trading.estimates import Values
from pipeline.trading.ranking import Mask
from pipeline.trading.rules import Rules
from pipeline.trading.slots import Orders, slot_sum

MIN_NET = 1e-9
"""Part of what is held that is more than the rounding of its sum."""


def position_weight(rules: Rules) -> float:
    """Part of equity in each position: an equal share of all slots, at most the cap.

    Slots are ``max_positions`` whatever the regime: empty slots stay cash, so a regime that
    allows fewer positions lowers the exposure instead of concentrating it.
    """
    return min(1.0 / rules.max_positions, rules.max_position_fraction)


def scaled_weights(side: Values, sizes: Values, rules: Rules) -> Values:
    """Weights in proportion to ``sizes``, within each side; each at most the cap.

    A side with n positions holds n of ``max_positions`` parts, whatever its sizes; what the cap
    takes away stays cash.

    Parameters
    ----------
    side, sizes
        Sessions x slots; a size is not negative.
    """
    weights = np.zeros_like(sizes)
    for one_side in (1.0, -1.0):
        of_side = np.where(side == one_side, sizes, 0.0)
        positions = (side == one_side).sum(axis=-1, keepdims=True)
        total = slot_sum(of_side)[..., None]
        part = np.divide(of_side, total, out=np.zeros_like(of_side), where=total > 0.0)
        weights += part * positions / rules.max_positions
    return np.minimum(weights, rules.max_position_fraction)


def weights(side: Values, edge: Values, volatility: Values | None, rules: Rules) -> Values:
    """Part of equity in each slot, by the rule ``weights``."""
    if rules.weights == "edge":
        return scaled_weights(side, np.where(side != 0.0, np.maximum(edge, 0.0), 0.0), rules)
    if rules.weights == "volatility":
        assert volatility is not None
        has_risk = volatility > 0.0
        calm = np.divide(1.0, volatility, out=np.zeros_like(volatility), where=has_risk)
        return scaled_weights(side, calm, rules)
    return np.abs(side) * position_weight(rules)


def max_shares(reference: Values, mean_dollar_volume: Values | None, rules: Rules) -> Values:
    """The participation cap in shares: none where price or liquidity are unknown."""
    cap = np.full_like(reference, np.inf)
    if rules.max_participation is not None and mean_dollar_volume is not None:
        cap = np.nan_to_num(rules.max_participation * mean_dollar_volume) / reference
    return np.where(reference > 0.0, cap, 0.0)


def sized(orders: Orders, equity: Values) -> Values:
    """Shares to order with this equity; of the hedge, units of what it trades.

    Parameters
    ----------
    equity
        Currency before the open, shape ``(..., 1)``; below 0 it buys nothing.

    Returns
    -------
    Values
        weight x equity at the reference, at most ``max_shares``, rounded down where ``is_whole``; 0
        where the cost at that size reaches the edge; within the reserve of the session. The hedge
        makes up for what is ordered.
    """
    shares = target_shares(orders, equity)
    if orders.edge is not None:
        shares = np.where(is_worth_its_cost(shares, orders), shares, 0.0)
    if orders.gross is not None:
        shares = within_reserve(shares, orders, equity)
    if orders.beta is not None:
        shares[..., -2:] = hedge_units(shares, orders)
    return shares


def target_shares(orders: Orders, equity: Values) -> Values:
    """Shares to order, whatever they cost."""
    # The smaller one, or the cap alone where there is no price.
    shares = np.fmin(np.maximum(equity, 0.0) * orders.weight / orders.reference, orders.max_shares)
    return (
        shares if orders.is_whole is None else np.where(orders.is_whole, np.floor(shares), shares)
    )


def worst_price(orders: Orders) -> Values:
    """The price at which an order takes the most money that is reserved for it.

    The limit of a purchase; without one, and of what is sold short, the price it is sized on.
    """
    if orders.limit is None:
        return orders.reference
    is_limited = (orders.side > 0.0) & ~np.isnan(orders.limit)
    return np.where(is_limited, orders.limit, orders.reference)


def within_reserve(shares: Values, orders: Orders, equity: Values) -> Values:
    """Shares that the reserve of the session pays for, in rank order; the hedge is not counted."""
    assert orders.gross is not None
    stocks = shares.shape[-1] - (0 if orders.beta is None else 2)
    held, worst = shares.copy(), np.broadcast_to(worst_price(orders), shares.shape)
    part, money = orders.gross[..., 0], np.maximum(equity[..., 0], 0.0)
    left = np.where(np.isinf(part), np.inf, money * np.where(np.isinf(part), 0.0, part))
    for place in range(stocks):
        price = np.where(worst[..., place] > 0.0, worst[..., place], 1.0)
        largest = left / price
        if orders.is_whole is not None:
            largest = np.where(orders.is_whole[..., place], np.floor(largest), largest)
        held[..., place] = np.minimum(held[..., place], largest)
        spent = np.where(held[..., place] > 0.0, held[..., place] * price, 0.0)
        left = np.maximum(left - spent, 0.0)
    return held


def is_worth_its_cost(shares: Values, orders: Orders) -> Mask:
    """Whether the edge exceeds the cost of a round trip of this many shares."""
    assert orders.edge is not None
    return orders.edge > expected_round_trip(shares, orders.reference, orders.costs)


def hedge_units(shares: Values, orders: Orders) -> Values:
    """Units of the hedge, bought and sold short, that make up for the shares ordered.

    A net that is nothing but rounding is not hedged.
    """
    assert orders.beta is not None
    stocks = np.s_[..., :-2]
    priced = np.where(shares[stocks] > 0.0, orders.reference[stocks], 0.0)
    held = orders.beta[stocks] * shares[stocks] * priced
    net = slot_sum(orders.side[stocks] * held)
    net = np.where(np.abs(net) > MIN_NET * slot_sum(np.abs(held)), net, 0.0)
    net_sides = np.stack([np.maximum(-net, 0.0), np.maximum(net, 0.0)], axis=-1)
    return np.nan_to_num(net_sides / orders.reference[..., -2:])
