"""The watch list of the evening and the orders of the morning as a person reads them."""

from __future__ import annotations

import pandas as pd

from pipeline.report.numbers import count, number
from pipeline.report.signals import orders_table
from pipeline.report.text_tables import terminal_table
from pipeline.trading.rules import BPS

MAX_WATCHED, MAX_NAMED = 30, 12


def printed_watch_list(listed: pd.DataFrame, session: pd.Timestamp, version: str, late: str) -> str:
    """Which symbols would be bought at which opening price.

    Parameters
    ----------
    listed
        Of ``serving.morning.Morning.watch_list``.
    late
        Symbols without a bar of the session before, in words.
    """
    lines = [
        f"\nSession {session:%Y-%m-%d}, champion version {version}: it decides on the indicated "
        "open. Each line holds if all others open at their close."
    ]
    if late:
        lines.append(f"Left out, without a bar of the session before: {late}")
    if listed.empty:
        return "\n".join([*lines, "No symbol would be bought within 15 % of its close."])
    shown = listed.head(MAX_WATCHED)
    table = pd.DataFrame(
        {
            "symbol": shown["symbol"],
            "close": shown["close"].map(lambda price: number(price, 2)),
            "buy at or below": shown["buy_below"].map(lambda price: number(price, 2)),
            "gap, bp": shown["gap_bps"].map(lambda bps: number(bps, 0)),
        }
    )
    if len(listed) > MAX_WATCHED:
        lines.append(f"The nearest {MAX_WATCHED} of {count(len(listed), 'symbol')}:")
    return "\n".join([*lines, "", terminal_table(table, words=("symbol",))])


def printed_orders(
    listed: pd.DataFrame,
    left_out: pd.Series,
    *,
    session: pd.Timestamp,
    version: str,
    quoted: int,
    deadline: str,
    path: str,
) -> str:
    """The orders, what is left out by name, and until when they have to be sent.

    Parameters
    ----------
    listed
        Of ``report.signals.described``, sized on indicated prices.
    left_out
        Reason by symbol.
    deadline
        In words.
    """
    lines = [
        f"\nSession {session:%Y-%m-%d}, champion version {version}: orders for the opening auction "
        f"on {count(quoted, 'indicated price')}, {deadline}."
    ]
    for reason, names in left_out.groupby(left_out):
        named = ", ".join(map(str, names.index[:MAX_NAMED]))
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        lines.append(f"Left out, {reason}: {named}{more}")
    orders = listed[listed["shares"] > 0]
    if orders.empty:
        return "\n".join([*lines, "No orders: no forecast exceeds its cost."])
    notional = orders["notional"]
    edge = float((notional * orders["edge_bps"]).sum()) * BPS
    cost = float((notional * orders["cost_bps"]).sum()) * BPS
    return "\n".join(
        [
            *lines,
            "",
            orders_table(orders),
            f"Total: {count(len(orders), 'order')}, notional {number(notional.sum(), 0)}; expected "
            f"{number(edge, 0)}, cost {number(cost, 0)}. `close` is the indicated price.",
            "Limit-on-open orders: at the limit the forecast just pays for its cost.",
            f"Written: {path}",
        ]
    )
