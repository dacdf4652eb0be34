"""The ledger: every order of a backtest, what became of it, and the money it moved.

Amounts of money are whole units (cents) divided by the units in one of the currency; multiplied
and rounded again they add up exactly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.trading import fills as filling
from pipeline.trading.booking import Settled
from pipeline.trading.estimates import Values
from pipeline.trading.fills import OBSTACLES, Fills
from pipeline.trading.sizing import target_shares
from pipeline.trading.slots import HEDGE, Orders, is_listed
from pipeline.trading.stops import EXITS
from pipeline.trading.strategy import LONG, SHORT
from pipeline.trading.traded import Traded

LEDGER_DTYPES = {
    "session": "datetime64[us]",
    "symbol": "str",
    "leg": "str",
    "rank": "int64",
    "side": "str",
    "prediction": "float64",
    "weight": "float64",
    "reference_price": "float64",
    "shares_ordered": "float64",
    "limit": "float64",
    "stop": "float64",
    "target": "float64",
    "shares_filled": "float64",
    "reason": "str",
    "open": "float64",
    "exit_price": "float64",
    "exit": "str",
    "gross_pnl": "float64",
    "commission": "float64",
    "slippage": "float64",
    "impact": "float64",
    "borrow": "float64",
    "net_pnl": "float64",
    "equity_before": "float64",
    "equity": "float64",
    "cash": "float64",
}
"""Columns of a ledger.

``leg`` is ``position`` or ``hedge``; ``rank`` counts from 1 in each session, the hedge last;
``reason`` is empty for a full fill; ``exit`` is ``close``, ``stop``, ``target`` or, without a fill,
empty. ``equity_before`` is that of the session, ``equity`` and ``cash`` are what is left when this
row's P&L is booked, and when it is entered. Prices and money in currency; ``weight`` and shares are
positive whatever the side.
"""

COSTS = ("commission", "slippage", "impact", "borrow")
POSITION, HEDGE_LEG = "position", "hedge"

NO_PREVIOUS_CLOSE = "no previous close"
NO_EQUITY = "no equity"
TOO_COSTLY = "costs more than its edge"
TOO_SMALL = "less than one share"
NO_CASH = "cash"
"""Reasons for no fill beside ``fills.OBSTACLES``; NO_CASH also for a fill that was cut."""

CUT_UNITS = 10.0
"""Weights that sum to 1 overdraw by roundings: a cut of less is no lack of cash."""


def ledger(traded: Traded) -> pd.DataFrame:
    """The ledger of one plan, sorted by session and rank, with the columns ``LEDGER_DTYPES``."""
    forecasts, units, settled = traded.forecasts, traded.units, traded.settled
    orders, fills = traded.orders, traded.fills
    before = traded.path[:-1, None, None]
    is_order = is_listed(orders, settled.ordered)
    columns = {
        "rank": is_order.cumsum(axis=-1),
        "prediction": orders.prediction,
        "weight": orders.weight,
        "reference_price": orders.reference,
        "shares_ordered": settled.ordered,
        **{name: _or_nothing(getattr(orders, name), orders) for name in PRICES},
        "shares_filled": settled.filled,
        "reason": _reasons(orders, fills, settled, before, units),
        "open": fills.opened,
        "exit_price": fills.ended,
        "exit": np.where(settled.filled > 0.0, EXITS[fills.ending], ""),
        **{name: amount / units for name, amount in _money(orders, settled, before).items()},
        "side": np.where(orders.side > 0.0, LONG, SHORT),
        "leg": np.where(orders.column == HEDGE, HEDGE_LEG, POSITION),
    }
    row, _, place = np.nonzero(is_order)
    rows = {name: values[row, 0, place] for name, values in columns.items()}
    rows["session"] = forecasts.sessions[row]
    rows["symbol"] = forecasts.names(row, orders.column[row, 0, place])
    return pd.DataFrame({name: rows[name] for name in LEDGER_DTYPES}).astype(LEDGER_DTYPES)


PRICES = ("limit", "stop", "target")


def _or_nothing(values: Values | None, orders: Orders) -> Values:
    return np.full(orders.side.shape, np.nan) if values is None else values


def _money(orders: Orders, settled: Settled, before: Values) -> dict[str, Values]:
    """Amounts of each slot, in units."""
    # 0.0 is added because nothing sold short would earn -0.0.
    parts, net = settled.parts, settled.net(orders.side) + 0.0
    outlay = parts[:, filling.WHEN_ENTERED].sum(axis=1)
    return {
        "gross_pnl": orders.side * (parts[:, filling.EXIT] - parts[:, filling.ENTRY]) + 0.0,
        "commission": parts[:, filling.COMMISSIONS].sum(axis=1),
        "slippage": parts[:, filling.SLIPPAGES].sum(axis=1),
        "impact": parts[:, filling.IMPACTS].sum(axis=1),
        "borrow": parts[:, filling.BORROW],
        "net_pnl": net,
        "equity_before": np.broadcast_to(before, net.shape),
        "equity": before + net.cumsum(axis=-1),
        "cash": before - outlay.cumsum(axis=-1),
    }


def _reasons(
    orders: Orders, fills: Fills, settled: Settled, before: Values, units: int
) -> npt.NDArray[np.str_]:
    """The first reason that holds."""
    ordered = settled.ordered
    missing = np.nan_to_num(units * (ordered - settled.filled) * fills.opened)
    reasons = {
        NO_PREVIOUS_CLOSE: ~(orders.reference > 0.0),
        NO_EQUITY: np.broadcast_to(before <= 0.0, ordered.shape),
        TOO_COSTLY: (target_shares(orders, before / units) > 0.0) & (ordered <= 0.0),
        TOO_SMALL: ordered <= 0.0,
        **{str(name): fills.obstacle == number for number, name in enumerate(OBSTACLES) if number},
        NO_CASH: missing >= CUT_UNITS,
    }
    return np.select(list(reasons.values()), list(reasons), default="")
