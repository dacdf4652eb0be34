"""Sessions of an exchange, whatever the span of the data."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData, InvalidSettings
from pipeline.schemas import SESSION

US_CALENDARS = ("XNYS", "XNAS", "NYSE", "NASDAQ", "XASE", "ARCX", "BATS")


class Calendar:
    """The sessions of one exchange from a day to another.

    Raises
    ------
    InvalidSettings
        ``exchange_calendars`` has no calendar of this name.
    """

    def __init__(self, name: str, first: pd.Timestamp, last: pd.Timestamp) -> None:
        self.name = name
        self.last = last
        found = _calendar(name, first.year, last.year)
        closes = found.closes.dt.tz_localize(None)
        within = (closes.index >= first) & (closes.index <= last)
        self._closes = closes[within]
        self.sessions = pd.DatetimeIndex(self._closes.index.as_unit("us"), name=SESSION)

    def closed_by(self, moment: pd.Timestamp) -> np.datetime64:
        """The last session that had closed by a moment in UTC (naive); NaT where none had."""
        closed = self.sessions.to_numpy()[(self._closes <= moment).to_numpy()]
        return closed[-1] if len(closed) else np.datetime64("NaT")

    def has(self, days: np.ndarray) -> np.ndarray:
        """Whether each day is a session."""
        return np.asarray(pd.DatetimeIndex(days).isin(self.sessions))


def timezone(name: str) -> str:
    """Of the exchange, such as ``America/New_York``."""
    return str(_calendar(name, 2020, 2020).tz)


@lru_cache(maxsize=8)
def _calendar(name: str, first_year: int, last_year: int):  # type: ignore[no-untyped-def]
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
    except ValueError as error:  # some calendars begin late
        raise InvalidData("ingest", f"{name}, {first_year}: {error}", "later bars alone") from error
