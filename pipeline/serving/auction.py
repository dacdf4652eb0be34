"""The opening auction of an exchange: until when orders have to be there, and limits as sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.commands import Command
from pipeline.errors import Refused
from pipeline.io import calendar
from pipeline.trading.order_files import Deadlines
from pipeline.workspace import Workspace

CENT = 100


@dataclass(frozen=True)
class Deadline:
    """Until when orders have to be there.

    Attributes
    ----------
    until
        UTC.
    """

    until: pd.Timestamp
    in_words: str


def deadline(workspace: Workspace, session: pd.Timestamp, now: pd.Timestamp) -> Deadline:
    """The deadline of a session's opening auction.

    Raises
    ------
    Refused
        It has passed.
    """
    exchange = workspace.exchange_calendar
    last = Deadlines.of(*calendar.hours(exchange, session), workspace.cutoffs).opening
    local = f"{last.tz_convert(calendar.timezone(exchange)):%Y-%m-%d %H:%M %Z}"
    if now > last:
        raise Refused(
            "morning", f"it is {now.tz_convert(last.tz):%Y-%m-%d %H:%M} UTC, and orders for the "
            f"opening auction had to be there by {local}", "a decision before it",
            Command("signals"),
        )  # fmt: skip
    return Deadline(last, f"to be there by {local}")


def in_cents(listed: pd.DataFrame) -> pd.Series:
    """The limit of each order as it can be sent: to the cent, on the safe side.

    Parameters
    ----------
    listed
        One row an order: side, and limit in currency per share.

    Returns
    -------
    Series
        Currency per share, rows as in `listed`.
    """
    cents = listed["limit"] * CENT
    sent = np.where(listed["side"] == "long", np.floor(cents + 1e-9), np.ceil(cents - 1e-9))
    return pd.Series(sent / CENT, listed.index)
