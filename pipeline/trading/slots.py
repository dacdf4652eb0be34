"""Slots: the places of a session's positions in rank order, as arrays of one shape.

Shapes are (..., slots); an empty slot has side 0. Where there is a hedge, the last two slots are
its own: one to buy it and one to sell it short, of which a session uses one at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any, NamedTuple, TypeVar

from pipeline.trading.estimates import Values
from pipeline.trading.ranking import Mask, Places

EMPTY, HEDGE = -1, -2
"""Columns of a slot without a symbol, and of the hedge."""

Tree = TypeVar("Tree", bound=tuple)


class Costs(NamedTuple):
    """Cost rates by slot; arrays of the same shape.

    Attributes
    ----------
    commission
        Of one side, as a fraction of its notional.
    per_share, minimum
        Further commission a share, and the minimum of an order, of one side, in currency.
    maximum
        Maximum commission of one side, as a fraction of its notional; NaN where there is none.
    slippage_in, slippage_out
        Of the entry and of the way out, the part of the spread included, as fractions of their
        notionals.
    impact
        Of one side, as a fraction of its notional, divided by the root of the notional ordered.
    borrow
        Of the notional at the open, once.
    """

    commission: Values
    per_share: Values
    minimum: Values
    maximum: Values
    slippage_in: Values
    slippage_out: Values
    impact: Values
    borrow: Values


class Orders(NamedTuple):
    """What is known of each slot before the open; arrays of one shape, None where no rule asks.

    Attributes
    ----------
    column
        Number of the symbol, ``EMPTY`` or ``HEDGE``.
    side
        1 long, -1 short, 0 empty.
    prediction
        Predicted return; NaN for the hedge.
    weight, reference
        Part of equity; price orders are sized on, in currency, NaN where it is unknown.
    max_shares
        Maximum of shares that may be ordered; 0 where there is no price to size on.
    costs
        Rates of what a trade costs.
    is_whole
        Whether shares are rounded down to whole ones.
    edge
        What the cost of an order at its size must stay below; infinite where it is no hurdle.
    beta
        Part of the notional that the hedge makes up for.
    limit, stop, target
        Prices in currency, NaN where there is none.
    gross
        Part of equity that all orders of the session may come to at their worst prices.
    """

    column: Places
    side: Values
    prediction: Values
    weight: Values
    reference: Values
    max_shares: Values
    costs: Costs
    is_whole: Mask | None
    edge: Values | None
    beta: Values | None
    limit: Values | None
    stop: Values | None
    target: Values | None
    gross: Values | None = None


def slot_sum(values: Values) -> Values:
    """Sum over the slots, one after the other: empty slots behind them change no bit.

    >>> import numpy as np
    >>> slot_sum(np.array([[1.0, 2.0, 0.0]]))
    array([3.])
    """
    return values.cumsum(axis=-1)[..., -1]


def is_listed(orders: Orders, ordered: Values) -> Mask:
    """Slots that are orders: every position, and the hedge where something is hedged."""
    return (orders.column > EMPTY) | ((orders.column == HEDGE) & (ordered > 0.0))


def mapped(function: Callable[..., Any], first: Tree, *others: Tree) -> Tree:
    """A tuple of the same kind, of what a function makes of each array (of all tuples).

    None stays None.
    """
    parts: list[Any] = []
    for values in zip(first, *others, strict=True):
        if values[0] is None:
            parts.append(None)
        elif isinstance(values[0], tuple):
            parts.append(mapped(function, *values))
        else:
            parts.append(function(*values))
    return type(first)(*parts)


def by_session(arrays: Tree) -> Iterator[Tree]:
    """The same tuple for one session after the other: the first axis of each array."""
    parts: list[Iterable[Any]] = [
        repeat(None)
        if values is None
        else by_session(values)
        if isinstance(values, tuple)
        else values
        for values in arrays
    ]
    return (type(arrays)(*session) for session in zip(*parts, strict=False))
