"""Order files of an evening, written where a person takes them to a broker; never sent."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from pipeline.io import calendar
from pipeline.io.files import write_atomically
from pipeline.trading import order_files
from pipeline.trading.order_files import Deadlines
from pipeline.workspace import Workspace

FOLDER = "orders"
NEW_YORK = "America/New_York"


def write_order_files(
    workspace: Workspace, orders: pd.DataFrame, session: pd.Timestamp, now: pd.Timestamp
) -> tuple[list[Path], str]:
    """The files, and a sentence on them or on why there are none.

    The formats of the two brokers name America's routes and currency: of another exchange there is
    the plain CSV, with the times at which it opens and closes.

    Parameters
    ----------
    orders
        Of ``strategy.orders``.
    now
        UTC: orders whose deadline has passed are no orders, so no file holds them.
    """
    exchange = workspace.exchange_calendar
    is_american = exchange in calendar.AMERICAN
    deadlines, opens, closes = _deadlines(workspace, session)
    if not withdraw_order_files(workspace, session, now):
        return [], (
            f"No order files: the exchange took orders for {session:%Y-%m-%d} until "
            f"{deadlines.opening:%Y-%m-%d %H:%M} UTC."
        )
    orders = orders[orders["prediction"].notna()]  # the hedge trades an index, which no file can
    listed, day = order_files.legs(orders), f"{session:%Y-%m-%d}"
    if not listed:
        return [], "No order files: there is no order of a whole share."
    left_out = int((orders["shares"] < 1).sum())
    folder = workspace.folder / FOLDER
    contents = {f"{day}.csv": order_files.plain_csv(listed, day, deadlines)}
    if is_american:
        contents |= {
            f"{day}_tws_basket.csv": order_files.tws_basket(listed),
            f"{day}_alpaca.json": order_files.alpaca_orders(listed, day),
        }
    for name, text in contents.items():
        write_atomically(folder / name, partial(_write, text))
    less = f" {left_out} orders of less than a share are left out." if left_out else ""
    written = [folder / name for name in contents]
    if not is_american:
        return written, (
            f"Order file: {written[0]}, whole shares; {exchange} opens {opens:%H:%M} UTC and "
            f"closes {closes:%H:%M} UTC, and takes orders for its auctions until before that. The "
            f"formats of Trader Workstation and Alpaca are for American exchanges only.{less}"
        )
    opening, closing = (f"{each.tz_convert(NEW_YORK):%H:%M}" for each in deadlines)
    return written, (
        f"Order files: {folder / day}*, whole shares; in until {deadlines.opening:%H:%M} UTC, out "
        f"until {deadlines.closing:%H:%M} UTC. Alpaca takes them from {order_files.ALPACA_FROM} of "
        f"the evening before, opg until {opening}, cls until {closing}, New York time.{less}"
    )


def withdraw_order_files(workspace: Workspace, session: pd.Timestamp, now: pd.Timestamp) -> bool:
    """Remove the files of an earlier run, whose orders are no longer meant; gives whether in time.

    After the deadline they stay: what was taken to a broker can be looked up.
    """
    if now >= _deadlines(workspace, session)[0].opening:
        return False
    for path in (workspace.folder / FOLDER).glob(f"{session:%Y-%m-%d}*"):
        path.unlink(missing_ok=True)
    return True


def _deadlines(
    workspace: Workspace, session: pd.Timestamp
) -> tuple[Deadlines, pd.Timestamp, pd.Timestamp]:
    """Until when orders are taken, and when the session opens and closes, in UTC."""
    opens, closes = calendar.hours(workspace.exchange_calendar, session)
    return Deadlines.of(opens, closes, workspace.cutoffs), opens, closes


def _write(text: str, path: Path) -> None:
    path.write_text(text)
