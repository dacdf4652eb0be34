"""Sessions of an exchange, and which of them are over at a moment: the door to the calendars."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData, InvalidSettings
from pipeline.schemas import SESSION

AMERICAN = ("XNYS", "XNAS", "NYSE", "NASDAQ", "XASE", "ARCX", "BATS")

MONTH = pd.Timedelta(days=30)
"""No exchange here is closed for longer."""

FIRST_YEAR = 1990
"""Calendars begin here or earlier: a longer one takes no longer to make, a second one does."""


class Calendar:
    """The sessions of one exchange from a day to another, both inclusive.

    Parameters
    ----------
    name
        Of the calendar in ``exchange_calendars``.

    Raises
    ------
    InvalidSettings
        There is no calendar of this name.
    InvalidData
        It begins later, or ends earlier.
    """

    def __init__(self, name: str, first: pd.Timestamp, last: pd.Timestamp) -> None:
        self.name = name
        self.last = last
        self._whole = _covering(name, first.year, last.year)
        closes = self._whole.closes.dt.tz_localize(None)
        self._closes = closes[(closes.index >= first) & (closes.index <= last)]
        self.sessions = _named(self._closes.index)

    def closed_by(self, moment: pd.Timestamp) -> np.datetime64:
        """The last session that had closed by a moment in UTC (naive); NaT where none had."""
        closed = self.sessions.to_numpy()[(self._closes <= moment).to_numpy()]
        return closed[-1] if len(closed) else np.datetime64("NaT")

    def has(self, days: np.ndarray) -> np.ndarray:
        """Whether each day is a session."""
        return np.asarray(pd.DatetimeIndex(days).isin(self.sessions))

    def short(self) -> pd.DatetimeIndex:
        """Sessions that close early."""
        return self.sessions.intersection(_named(self._whole.early_closes))


def sessions(name: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DatetimeIndex:
    """Sessions from `start` to `end`, both inclusive."""
    return Calendar(name, start, end).sessions


def next_session(name: str, last: pd.Timestamp) -> pd.Timestamp:
    """The first session after a day."""
    later = sessions(name, last + pd.Timedelta(days=1), last + MONTH)
    return pd.Timestamp(later[0])


def timezone(name: str) -> str:
    """Of the exchange, such as ``America/New_York``."""
    return str(_covering(name, 2020, 2020).tz)


def last_opened(name: str, now: pd.Timestamp) -> pd.Timestamp:
    """The newest session that opened by `now` (with a time zone)."""
    return _newest(name, "opens", now)


def last_closed(name: str, now: pd.Timestamp, delay: pd.Timedelta) -> pd.Timestamp:
    """The newest session that closed `delay` or longer before `now`; early closes count."""
    return _newest(name, "closes", now - delay)


def _newest(name: str, times: str, moment: pd.Timestamp) -> pd.Timestamp:
    today = moment.tz_convert("UTC").tz_localize(None)
    tomorrow = today + pd.Timedelta(days=1)  # it may be tomorrow there
    reached = getattr(_covering(name, (today - MONTH).year, tomorrow.year), times)
    return pd.Timestamp(reached.index[reached <= moment][-1]).as_unit("us")


def _named(days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(days.as_unit("us").to_numpy(), name=SESSION)


def _covering(name: str, first_year: int, last_year: int) -> Any:
    """A calendar of these years and around them, as far as it goes."""
    try:
        return _calendar(name, min(first_year, FIRST_YEAR), last_year // 10 * 10 + 9)
    except ValueError:  # not all of them reach so far
        pass
    try:
        return _calendar(name, first_year, last_year)
    except ValueError as error:
        raise InvalidData("data", f"{name}, {first_year}: {error}", "bars of other years") from None


@lru_cache(maxsize=8)
def _calendar(name: str, first_year: int, last_year: int) -> Any:
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName

    try:
        # Without `start` only twenty years are covered.
        return exchange_calendars.get_calendar(
            name, start=f"{first_year}-01-01", end=f"{last_year}-12-31"
        )
    except InvalidCalendarName as error:
        given = f"data.exchange_calendar={name!r}"
        raise InvalidSettings("data", given, "a name of exchange_calendars, as XNYS") from error
