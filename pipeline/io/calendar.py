"""Sessions of an exchange, and which of them are over at a moment: the door to the calendars."""

from __future__ import annotations

import difflib
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData, InvalidSettings
from pipeline.schemas import SESSION

AMERICAN = ("XNYS", "XNAS", "NYSE", "NASDAQ", "XASE", "ARCX", "BATS")

MONTH = pd.Timedelta(days=30)
"""No exchange here is closed for longer."""

YEAR = pd.Timedelta(days=366)

USUAL_YEARS = (2014, 2023)
"""Ten years; every calendar is known for the last of them."""

FIRST_YEAR, LAST_YEAR = 1990, 2029
"""Calendars reach so far or farther: a longer one takes no longer to make, a second one does."""


class Calendar:
    """The sessions of one exchange from a day to another, both inclusive.

    Parameters
    ----------
    name
        Of the calendar in ``exchange_calendars``.

    Attributes
    ----------
    begins, ends
        First and last day that it is known for; it has no session outside of them.

    Raises
    ------
    InvalidSettings
        There is no calendar of this name.
    """

    def __init__(self, name: str, first: pd.Timestamp, last: pd.Timestamp) -> None:
        self.name = name
        self.last = last
        self.begins, self.ends = bounds(name)
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

    def closes_of(self, days: np.ndarray) -> np.ndarray:
        """When each session closes, in UTC (naive); NaT for a day that is none."""
        return self._closes.reindex(pd.DatetimeIndex(days)).to_numpy().astype("datetime64[us]")

    def short(self) -> pd.DatetimeIndex:
        """Sessions that close early."""
        return self.sessions.intersection(_named(self._whole.early_closes))


def sessions(name: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DatetimeIndex:
    """Sessions from `start` to `end`, both inclusive.

    Raises
    ------
    InvalidSettings
        There is no calendar of this name.
    """
    return Calendar(name, start, end).sessions


def next_session(name: str, last: pd.Timestamp) -> pd.Timestamp:
    """The first session after a day.

    Raises
    ------
    InvalidData
        The calendar is not known for so late a day.
    """
    later = sessions(name, last + pd.Timedelta(days=1), last + MONTH)
    if later.empty:
        ends = bounds(name)[1]
        given = f"no session of {name} is known after {last:%Y-%m-%d}: its holidays are published"
        needed = "a newer exchange_calendars, or another data.exchange_calendar"
        raise InvalidData("data", f"{given} until {ends:%Y-%m-%d}", needed)
    return pd.Timestamp(later[0])


def usual_sessions(name: str) -> pd.DatetimeIndex:
    """Sessions of a year that every calendar is known for: what the market's weeks are like.

    Raises
    ------
    InvalidSettings
        There is no calendar of this name.
    """
    year = USUAL_YEARS[1]
    return sessions(name, pd.Timestamp(year, 1, 1), pd.Timestamp(year, 12, 31))


def timezone(name: str) -> str:
    """Of the exchange, such as ``America/New_York``.

    Raises
    ------
    InvalidSettings
        There is no calendar of this name.
    """
    return str(_covering(name, *USUAL_YEARS).tz)


def opens_at(name: str, session: pd.Timestamp) -> pd.Timestamp:
    """When a session opens, with the time zone UTC.

    Raises
    ------
    InvalidSettings
        There is no calendar of this name.
    """
    return pd.Timestamp(_covering(name, session.year, session.year).opens.loc[session])


def last_opened(name: str, now: pd.Timestamp) -> pd.Timestamp:
    """The newest session that opened by `now` (with a time zone).

    Raises
    ------
    InvalidSettings
        There is no calendar of this name.
    """
    return _newest(name, "opens", now)


def last_closed(name: str, now: pd.Timestamp, delay: pd.Timedelta) -> pd.Timestamp:
    """The newest session that closed `delay` or longer before `now`; early closes count.

    Raises
    ------
    InvalidSettings
        There is no calendar of this name.
    """
    return _newest(name, "closes", now - delay)


def opening(name: str, session: pd.Timestamp) -> pd.Timestamp:
    """When a session opens, in UTC.

    Raises
    ------
    InvalidSettings
        There is no calendar of this name.
    """
    return hours(name, session)[0]


def hours(name: str, session: pd.Timestamp) -> tuple[pd.Timestamp, pd.Timestamp]:
    """When a session opens and closes, in UTC; early closes count.

    Of a day that is no session of the exchange, the whole day.

    Raises
    ------
    InvalidSettings
        There is no calendar of this name.
    """
    known = _covering(name, session.year, session.year)
    if session not in known.opens.index:
        day = session.tz_localize("UTC")
        return day, day + pd.Timedelta(days=1)
    return pd.Timestamp(known.opens[session]), pd.Timestamp(known.closes[session])


def _newest(name: str, times: str, moment: pd.Timestamp) -> pd.Timestamp:
    today = moment.tz_convert("UTC").tz_localize(None)
    tomorrow = today + pd.Timedelta(days=1)  # it may be tomorrow there
    reached = getattr(_covering(name, (today - MONTH).year, tomorrow.year), times)
    return pd.Timestamp(reached.index[reached <= moment][-1]).as_unit("us")


def _named(days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(days.as_unit("us").to_numpy(), name=SESSION)


def bounds(name: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last day that a calendar is known for.

    Raises
    ------
    InvalidSettings
        There is no calendar of this name.
    """
    factory = _factory(name)
    first, last = factory.bound_min(), factory.bound_max()
    return (
        pd.Timestamp.min.ceil("D") if first is None else pd.Timestamp(first),
        pd.Timestamp.max.floor("D") if last is None else pd.Timestamp(last),
    )


def _covering(name: str, first_year: int, last_year: int) -> Any:
    """A calendar of these years and around them, as far as it is known."""
    begins, ends = bounds(name)
    first = max(pd.Timestamp(min(first_year, FIRST_YEAR), 1, 1), begins)
    last = min(pd.Timestamp(max(last_year // 10 * 10 + 9, LAST_YEAR), 12, 31), ends)
    if first >= last:  # years outside of those known: none of the requested days is a session
        first, last = (begins, begins + YEAR) if last <= begins else (ends - YEAR, ends)
    return _calendar(name, first, last)


@lru_cache(maxsize=8)
def _calendar(name: str, first: pd.Timestamp, last: pd.Timestamp) -> Any:
    # Without `start` only twenty years are covered.
    return _factory(name)(start=first, end=last)


@lru_cache(maxsize=8)
def _factory(name: str) -> Any:
    """The class of a calendar, by its name or another one of it."""
    from exchange_calendars import calendar_utils

    from pipeline.io.calendar_offsets import repair

    repair()
    dispatcher = calendar_utils.global_calendar_dispatcher
    names = dispatcher.get_calendar_names()
    if name not in names:
        given = f"data.exchange_calendar={name!r}"
        similar = difflib.get_close_matches(name.upper(), names, 5, 0.5)
        needed = "a name of exchange_calendars, as XNYS"
        needed += f"; similar ones: {', '.join(similar)}" if similar else ""
        raise InvalidSettings("data", given, needed)
    return dispatcher._calendar_factories[dispatcher.resolve_alias(name)]
