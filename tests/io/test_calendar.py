from __future__ import annotations

import pandas as pd
import pytest

from pipeline.errors import InvalidData, InvalidSettings
from pipeline.io import calendar
from pipeline.io.calendar import Calendar

WEEK = Calendar("XNYS", pd.Timestamp("2021-11-22"), pd.Timestamp("2021-11-28"))
"""Thanksgiving is a Thursday without session; the Friday after it closes at 13:00, 18:00 UTC."""


def day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


def test_sessions_are_those_of_the_range_both_ends_included():
    assert [f"{s:%d}" for s in WEEK.sessions] == ["22", "23", "24", "26"]
    listed = calendar.sessions("XNYS", day("2021-11-24"), day("2021-11-26"))
    assert [f"{s:%d}" for s in listed] == ["24", "26"]
    assert WEEK.has(pd.DatetimeIndex(["2021-11-25", "2021-11-26"]).to_numpy()).tolist() == [
        False,
        True,
    ]


def test_a_short_session_is_known_and_its_early_close_counts():
    assert WEEK.short().tolist() == [day("2021-11-26")]
    assert WEEK.closed_by(day("2021-11-26 18:00")) == day("2021-11-26").to_datetime64()
    assert WEEK.closed_by(day("2021-11-26 17:59")) == day("2021-11-24").to_datetime64()
    assert pd.isna(WEEK.closed_by(day("2021-11-22 12:00")))


def test_the_next_session_skips_holidays_and_years():
    assert calendar.next_session("XNYS", day("2021-11-24")) == day("2021-11-26")
    assert calendar.next_session("XNYS", day("2019-12-31")) == day("2020-01-02")


def test_the_newest_session_may_be_tomorrow_elsewhere():
    evening = pd.Timestamp("2021-12-31 23:30", tz="UTC")  # Friday; Monday the 3rd in no place
    assert calendar.last_opened("XASX", evening) == day("2021-12-31")
    assert calendar.last_opened("XASX", evening + pd.Timedelta(days=2)) == day("2021-12-31")
    sunday = pd.Timestamp("2022-01-09 23:30", tz="UTC")
    assert calendar.last_opened("XASX", sunday) == day("2022-01-10")


def test_years_before_the_first_usual_one_and_one_calendar_for_all_others():
    assert calendar.sessions("XNYS", day("1962-01-02"), day("1962-01-05")).size == 4
    before = calendar._calendar.cache_info().misses
    for year in (1995, 2012, 2024, 2029):
        calendar.sessions("XNYS", day(f"{year}-03-01"), day(f"{year}-03-31"))
    assert calendar.timezone("XNYS") == "America/New_York"
    assert calendar._calendar.cache_info().misses <= before + 2  # two decades


def test_an_unknown_exchange_and_years_it_does_not_have_are_refused_by_name():
    with pytest.raises(InvalidSettings, match="exchange_calendar='NOWHERE'"):
        calendar.timezone("NOWHERE")
    with pytest.raises(InvalidData, match="XHKG, 1950"):
        calendar.sessions("XHKG", day("1950-01-02"), day("1950-02-01"))
