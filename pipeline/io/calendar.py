"""Sessions of an exchange, and which of them are over at a moment."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pandas as pd

from pipeline.schemas import SESSION

LOOK_BACK = pd.Timedelta(days=30)
"""No exchange here is closed for longer."""


def sessions(exchange: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DatetimeIndex:
    """Sessions from `start` to `end`, both inclusive.

    Parameters
    ----------
    exchange
        Name of the calendar in ``exchange_calendars``.
    """
    listed = _calendar(exchange, min(start, end - LOOK_BACK), end).sessions
    chosen = listed[(listed >= start) & (listed <= end)]
    return pd.DatetimeIndex(chosen.as_unit("us").to_numpy(), name=SESSION)


def timezone(exchange: str, day: pd.Timestamp) -> str:
    """Name of the exchange's time zone on a day."""
    return str(_calendar(exchange, day - LOOK_BACK, day).tz)


def last_opened(exchange: str, now: pd.Timestamp) -> pd.Timestamp:
    """The newest session that opened by `now` (with a time zone)."""
    return _newest(exchange, "opens", now)


def last_closed(exchange: str, now: pd.Timestamp, delay: pd.Timedelta) -> pd.Timestamp:
    """The newest session that closed `delay` or longer before `now`; early closes count."""
    return _newest(exchange, "closes", now - delay)


def _newest(exchange: str, times: str, moment: pd.Timestamp) -> pd.Timestamp:
    today = moment.tz_convert("UTC").tz_localize(None).normalize()
    calendar = _calendar(exchange, today - LOOK_BACK, today + pd.Timedelta(days=1))
    reached = getattr(calendar, times)
    return pd.Timestamp(reached.index[reached <= moment][-1]).as_unit("us")


@lru_cache(maxsize=16)
def _calendar(exchange: str, start: pd.Timestamp, end: pd.Timestamp) -> Any:
    import exchange_calendars

    # A bound outside of what is calculated by default is an error; sessions around it are not.
    return exchange_calendars.get_calendar(exchange, start=start, end=end)
