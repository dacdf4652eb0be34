"""Orders to money: what is filled, what it books, and the equity that the next session starts with.

Money is booked in whole units (cents). Of each fill the notional, and each of its costs, is what
one share books in units, times the shares, in float64, rounded to the nearest unit, halves to the
even one; a rate is basis points times 0.0001. Everything else follows by adding and subtracting
whole units, so every sum is exact.

A position takes its notional and the costs of its entry from the session's cash, whichever its
side: what is sold short pays nothing in until it is bought back. Where the cash is too short,
fills are cut in rank order. A short can lose more than the account holds: then equity is negative,
and nothing is traded any more.

``equity_path`` walks through the sessions, because each one is sized on what the one before has
left. Given that path, ``settled`` is the same calculation for all sessions at once.
"""

from __future__ import annotations

from operator import itemgetter
from typing import NamedTuple

import numpy as np

from pipeline.trading.estimates import Values
from pipeline.trading.fills import (
    COMMISSIONS,
    ENTRY,
    EXIT,
    IMPACTS,
    NOTIONALS,
    WHEN_ENTERED,
    Fills,
)
from pipeline.trading.ranking import Mask
from pipeline.trading.sizing import sized
from pipeline.trading.slots import Orders, by_session, mapped

ROUNDING = 2.0
"""Units by which rounding the four parts of an entry can exceed their sum."""


class Settled(NamedTuple):
    """What became of the orders: shares, and the parts of ``fills.PARTS`` in whole units."""

    ordered: Values
    filled: Values
    parts: Values

    def net(self, side: Values) -> Values:
        """P&L after costs by slot."""
        parts = self.parts
        costs = parts.sum(axis=-3) - parts[..., ENTRY, :, :] - parts[..., EXIT, :, :]
        return side * (parts[..., EXIT, :, :] - parts[..., ENTRY, :, :]) - costs


def settled(orders: Orders, fills: Fills, equity: Values, units: int) -> Settled:
    """Size, fill and book sessions that start with this equity.

    Parameters
    ----------
    equity
        In units, sessions x plans (or plans alone, with the arrays of one session).
    units
        Units in one of the currency.
    """
    ordered = sized(orders, equity[..., None] / units)
    filled = np.where(fills.obstacle == 0, ordered, 0.0)
    parts = booked(filled, ordered, fills)
    outlay = parts[..., WHEN_ENTERED, :, :].sum(axis=-3)
    if (outlay.sum(axis=-1) > equity).any():
        filled = cut_to_cash(filled, outlay, ordered, orders, fills, equity)
        parts = booked(filled, ordered, fills)
    return Settled(ordered, filled, parts)


def booked(shares: Values, ordered: Values, fills: Fills) -> Values:
    """What these shares book by part, in whole units.

    Parameters
    ----------
    ordered
        Shares ordered, which the impact is measured by.
    """
    parts = shares[..., None, :, :] * fills.rates
    if fills.root is not None:
        parts[..., IMPACTS, :, :] *= (np.sqrt(ordered) * fills.root)[..., None, :, :]
    if fills.minimum is not None:
        minimum = np.where(shares > 0.0, fills.minimum, 0.0)[..., None, :, :]
        parts[..., COMMISSIONS, :, :] = np.maximum(parts[..., COMMISSIONS, :, :], minimum)
    if fills.maximum is not None:
        maximum = fills.maximum[..., None, :, :] * parts[..., NOTIONALS, :, :]
        parts[..., COMMISSIONS, :, :] = np.fmin(parts[..., COMMISSIONS, :, :], maximum)
    return np.rint(parts)


def cut_to_cash(
    planned: Values, outlay: Values, ordered: Values, orders: Orders, fills: Fills, cash: Values
) -> Values:
    """Shares bought in rank order until the cash is spent; outlay is what the planned ones cost."""
    filled, left = planned.copy(), cash
    for place in range(planned.shape[-1]):
        spent = outlay[..., place]
        is_over = spent > left
        if is_over.any():
            one = np.s_[..., place : place + 1]
            slot = mapped(itemgetter(one), fills)
            whole = None if orders.is_whole is None else orders.is_whole[one]
            bought = afforded(left[..., None], ordered[one], slot, whole)
            filled[one] = np.where(is_over[..., None], bought, planned[one])
            spent = _outlay(filled[one], ordered[one], slot)[..., 0]
        left = left - spent
    return filled


def afforded(cash: Values, ordered: Values, fills: Fills, is_whole: Mask | None) -> Values:
    """Shares that this cash pays for, costs of the entry included.

    Where rounding up its parts would overdraw the cash, two units of it are kept back.
    """
    full = _affordable(cash, ordered, fills, is_whole)
    less = _affordable(cash - ROUNDING, ordered, fills, is_whole)
    return np.where(_outlay(full, ordered, fills) > cash, less, full)


def _affordable(cash: Values, ordered: Values, fills: Fills, is_whole: Mask | None) -> Values:
    """Shares before rounding.

    The smaller number of what the rates and what the minimum commission let one buy; or what its
    maximum does, where that is more.
    """
    entry, commission, slippage, impact = (fills.rates[..., part, :, :] for part in range(4))
    price = entry + slippage
    if fills.root is not None:
        price = price + impact * np.sqrt(ordered) * fills.root
    shares = cash / np.where(price > 0.0, price + commission, np.inf)
    if fills.minimum is not None:
        shares = np.minimum(shares, (cash - fills.minimum) / np.where(price > 0.0, price, np.inf))
    if fills.maximum is not None:
        dearest = price + fills.maximum * entry
        shares = np.fmax(shares, cash / np.where(price > 0.0, dearest, np.inf))
    shares = np.maximum(shares, 0.0)
    return shares if is_whole is None else np.where(is_whole, np.floor(shares), shares)


def _outlay(shares: Values, ordered: Values, fills: Fills) -> Values:
    return booked(shares, ordered, fills)[..., WHEN_ENTERED, :, :].sum(axis=-3)


def equity_path(orders: Orders, fills: Fills, bankroll: Values, units: int) -> Values:
    """Equity before each session and after the last, in units: (sessions + 1) x plans."""
    path = np.empty((len(orders.column) + 1, len(bankroll)))
    path[0] = bankroll
    sessions = zip(by_session(orders), by_session(fills), strict=True)
    for number, (slots, prices) in enumerate(sessions):
        day = settled(slots, prices, path[number], units)
        path[number + 1] = path[number] + day.net(slots.side).sum(axis=-1)
    return path
