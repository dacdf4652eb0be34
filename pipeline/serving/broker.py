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


def write_order_files(
    workspace: Workspace, orders: pd.DataFrame, session: pd.Timestamp, now: pd.Timestamp
) -> tuple[list[Path], str]:
    """The files, and a sentence on them or on why there are none.

    Parameters
    ----------
    orders
        Of ``strategy.orders``.
    now
        UTC: orders whose deadline has passed are no orders, so no file holds them.
    """
    opens, closes = calendar.hours(workspace.exchange_calendar, session)
    deadlines = Deadlines.of(opens, closes)
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
    contents = {
        f"{day}.csv": order_files.plain_csv(listed, day, deadlines),
        f"{day}_tws_basket.csv": order_files.tws_basket(listed),
        f"{day}_alpaca.json": order_files.alpaca_orders(listed, day),
    }
    for name, text in contents.items():
        write_atomically(folder / name, partial(_write, text))
    less = f" {left_out} orders of less than a share are left out." if left_out else ""
    return [folder / name for name in contents], (
        f"Order files: {folder / day}*, whole shares; in until {deadlines.opening:%H:%M} UTC, out "
        f"until {deadlines.closing:%H:%M} UTC.{less}"
    )


def withdraw_order_files(workspace: Workspace, session: pd.Timestamp, now: pd.Timestamp) -> bool:
    """Remove the files of an earlier run, whose orders are no longer meant; gives whether in time.

    After the deadline they stay: what was taken to a broker can be looked up.
    """
    opens, closes = calendar.hours(workspace.exchange_calendar, session)
    if now >= Deadlines.of(opens, closes).opening:
        return False
    for path in (workspace.folder / FOLDER).glob(f"{session:%Y-%m-%d}*"):
        path.unlink(missing_ok=True)
    return True


def _write(text: str, path: Path) -> None:
    path.write_text(text)
