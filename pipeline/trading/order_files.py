"""Orders of a session as files that a broker's own software reads; nothing is sent anywhere.

Each position is two orders: in at the opening auction, out at the closing one. Auctions take whole
shares only. Each exchange stops taking orders for its auctions at a time of its own, see the table
``auctions`` of the configuration.

Sources: Interactive Brokers, Trader Workstation User's Guide, "Manually Create a Basket File" (one
header row for each order type); Alpaca, "Placing Orders" (time in force ``opg`` and ``cls``, which
are rejected between the deadline and 19:00 in New York; later they wait for the next session).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

import pandas as pd
from pydantic import Field

from pipeline.cells import csv_text
from pipeline.trading.strategy import LONG
from pipeline.values import Value

ALPACA_FROM = "19:00"
"""New York time from which Alpaca takes orders for the next session's auctions."""

MARKET_ON_OPEN, LIMIT_ON_OPEN = "market-on-open", "limit-on-open"
MARKET_ON_CLOSE = "market-on-close"


class Cutoffs(Value):
    """Until when an exchange takes orders for its auctions.

    Attributes
    ----------
    opening, closing
        Minutes before the session opens and closes.
    """

    opening: Annotated[float, Field(ge=0, le=120)]
    closing: Annotated[float, Field(ge=0, le=120)]


class Auctions(Value):
    """Cutoffs of each exchange, and of those that are not listed.

    Attributes
    ----------
    exchanges
        By the name of the calendar.
    """

    default: Cutoffs
    exchanges: Mapping[str, Cutoffs]

    def of(self, exchange: str) -> Cutoffs:
        """Those of an exchange."""
        return self.exchanges.get(exchange, self.default)


class Deadlines(NamedTuple):
    """Last moments, in UTC, at which the exchange takes orders for its two auctions."""

    opening: pd.Timestamp
    closing: pd.Timestamp

    @classmethod
    def of(cls, opens: pd.Timestamp, closes: pd.Timestamp, cutoffs: Cutoffs) -> Deadlines:
        """Of a session that opens and closes at these moments; half days close early."""
        return cls(
            opens - pd.Timedelta(minutes=cutoffs.opening),
            closes - pd.Timedelta(minutes=cutoffs.closing),
        )


class Leg(NamedTuple):
    """An order to one auction; ``limit`` in currency, NaN without one."""

    symbol: str
    action: str
    quantity: int
    type: str
    limit: float


def legs(orders: pd.DataFrame) -> list[Leg]:
    """All orders into the session, then all out of it; less than one share is left out.

    Parameters
    ----------
    orders
        Of ``strategy.orders``: columns symbol, side, shares and limit.
    """
    listed = [
        (str(symbol), str(side) == LONG, int(shares), float(limit))
        for symbol, side, shares, limit in zip(
            orders["symbol"], orders["side"], orders["shares"], orders["limit"], strict=True
        )
        if shares >= 1
    ]
    entries = [
        Leg(symbol, "BUY" if is_long else "SELL", shares,
            LIMIT_ON_OPEN if limit == limit else MARKET_ON_OPEN, limit)
        for symbol, is_long, shares, limit in listed
    ]  # fmt: skip
    exits = [
        Leg(symbol, "SELL" if is_long else "BUY", shares, MARKET_ON_CLOSE, float("nan"))
        for symbol, is_long, shares, _ in listed
    ]
    return entries + exits


def plain_csv(listed: Sequence[Leg], session: str, deadlines: Deadlines) -> str:
    """One row an order, with the moment until which the exchange takes it."""
    rows = [
        {
            "session": session,
            "symbol": leg.symbol,
            "action": leg.action,
            "quantity": leg.quantity,
            "type": leg.type,
            "limit": _price(leg.limit),
            "deadline_utc": f"{_deadline(leg, deadlines):%Y-%m-%dT%H:%M:%SZ}",
        }
        for leg in listed
    ]
    columns = ["session", "symbol", "action", "quantity", "type", "limit", "deadline_utc"]
    return csv_text(pd.DataFrame(rows, columns=columns))


def tws_basket(listed: Sequence[Leg], currency: str = "USD") -> str:
    """A basket file of Trader Workstation: a header row before the orders of each type."""
    fields = "Action,Quantity,Symbol,SecType,Exchange,Currency,TimeInForce,OrderType"
    words = {MARKET_ON_OPEN: "OPG,MKT", LIMIT_ON_OPEN: "OPG,LMT", MARKET_ON_CLOSE: "DAY,MOC"}
    blocks = []
    for kind, word in words.items():
        has_limit = kind == LIMIT_ON_OPEN
        rows = [
            f"{leg.action},{leg.quantity},{leg.symbol.replace('-', ' ')},STK,SMART,{currency},"
            f"{word}" + (f",{_price(leg.limit)}" if has_limit else "")
            for leg in listed
            if leg.type == kind
        ]
        if rows:
            blocks.append("\n".join([fields + (",LmtPrice" if has_limit else ""), *rows]))
    return "\n\n".join(blocks) + "\n"


def alpaca_orders(listed: Sequence[Leg], session: str) -> str:
    """A JSON list of bodies for Alpaca's orders: ``opg`` in, ``cls`` out, quantities as texts."""
    bodies = []
    for leg in listed:
        is_exit = leg.type == MARKET_ON_CLOSE
        body = {
            "symbol": leg.symbol.replace("-", "."),
            "qty": str(leg.quantity),
            "side": leg.action.lower(),
            "type": "limit" if leg.type == LIMIT_ON_OPEN else "market",
            "time_in_force": "cls" if is_exit else "opg",
            "client_order_id": f"{session}-{leg.symbol}-{'out' if is_exit else 'in'}",
        }
        if leg.type == LIMIT_ON_OPEN:
            body["limit_price"] = _price(leg.limit)
        bodies.append(body)
    return json.dumps(bodies, indent=1) + "\n"


def _deadline(leg: Leg, deadlines: Deadlines) -> pd.Timestamp:
    return deadlines.closing if leg.type == MARKET_ON_CLOSE else deadlines.opening


def _price(limit: float) -> str:
    return f"{limit:.2f}" if limit == limit else ""
