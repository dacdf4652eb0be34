from __future__ import annotations

import exchange_calendars
import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData, InvalidSettings
from pipeline.io import calendar
from pipeline.io.calendar import Calendar
from pipeline.stats.returns import sessions_a_year

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


def test_the_hours_of_a_session_follow_summer_time_and_early_closes():
    def utc(session: str) -> list[str]:
        return [f"{moment:%H:%M}" for moment in calendar.hours("XNYS", day(session))]

    assert utc("2024-05-01") == ["13:30", "20:00"]
    assert utc("2024-01-10") == ["14:30", "21:00"]
    assert utc("2024-11-29") == ["14:30", "18:00"]
    assert utc("2024-12-25") == ["00:00", "00:00"]  # no session: the whole day


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


def test_an_unknown_exchange_is_refused_with_similar_names():
    with pytest.raises(InvalidSettings, match="exchange_calendar='XNYX'") as caught:
        calendar.timezone("XNYX")
    assert "XNYS" in caught.value.needed


def test_years_a_calendar_does_not_have_hold_no_session_and_are_said():
    whole = Calendar("XSAU", day("2015-01-01"), day("2021-01-10"))
    assert whole.begins == day("2021-01-01")
    assert whole.sessions[0] == day("2021-01-03"), "a Sunday"
    assert calendar.sessions("XHKG", day("1950-01-02"), day("1950-02-01")).empty


def test_a_session_beyond_the_published_holidays_is_asked_for_in_vain_and_in_words():
    with pytest.raises(InvalidData, match="holidays are published until 2026-12-31"):
        calendar.next_session("XSES", day("2026-12-31"))


def test_a_usual_year_tells_which_market_never_rests():
    years = {name: calendar.usual_sessions(name) for name in ("XNYS", "24/7", "XSAU", "XTKS")}
    assert {name: len(year) for name, year in years.items()} == {
        "XNYS": 250, "24/7": 365, "XSAU": 250, "XTKS": 246
    }  # fmt: skip
    a_year = {name: sessions_a_year(year) for name, year in years.items()}
    assert a_year == {"XNYS": 252, "24/7": 365, "XSAU": 252, "XTKS": 252}


REPAIRED = {
    # exchange: sessions and days without one that pandas 3.1 gets wrong without the repair
    "ASEX": (["2024-05-02"], ["2024-05-03", "2024-05-06"]),  # Orthodox Easter
    "XBEL": (["2024-04-30"], ["2024-05-03", "2024-05-06"]),
    "XBSE": (["2024-05-02"], ["2024-05-03", "2024-05-06"]),
    "XCYS": (["2024-05-02"], ["2024-05-03", "2024-05-06"]),
    "XTAE": (["2024-03-31", "2024-04-21"], ["2024-04-22", "2024-04-23", "2024-10-03"]),  # Sundays
    "XBOM": (["2024-01-20", "2025-02-01"], ["2024-01-22"]),  # working Saturdays
    "XMOS": (["2018-04-28", "2018-06-09"], ["2018-05-01", "2018-06-12"]),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_holidays_and_working_saturdays_that_a_newer_pandas_loses_are_there(name):
    sessions, holidays = ([day(text) for text in texts] for texts in REPAIRED[name])
    year = sessions[0].year
    known = calendar.sessions(name, pd.Timestamp(year, 1, 1), pd.Timestamp(year + 1, 12, 31))
    assert known.isin(sessions).sum() == len(sessions)
    assert not known.isin(holidays).any()


@pytest.mark.parametrize("name", exchange_calendars.get_calendar_names(include_aliases=False))
def test_every_calendar_works_with_its_clock_and_next_session(name):
    known = Calendar(name, day("2023-01-01"), day("2024-12-31"))
    assert 440 < len(known.sessions) < 732
    assert known.closed_by(day("2024-07-01")) < np.datetime64("2024-07-02")
    assert calendar.next_session(name, known.sessions[-2]) == known.sessions[-1]
    assert calendar.timezone(name)
