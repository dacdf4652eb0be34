from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files.dates import dates

NEW_YORK = "America/New_York"


def read(*texts: object, day_first: bool | None = None):
    return dates(pd.Series(list(texts)), day_first, NEW_YORK, "x.csv")


def days(*texts: object, day_first: bool | None = None) -> list[str]:
    found = read(*texts, day_first=day_first).days
    assert found.dtype == np.dtype("datetime64[us]")
    return [str(day) for day in np.datetime_as_string(found, unit="D")]


@pytest.mark.parametrize(
    "written",
    ["2021-03-08", "2021/3/8", "20210308", 20210308, 20210308.0, "Mar 8, 2021", "March 08, 2021",
     "08-Mar-2021", "8 Mar 2021", "2021-03-08T00:00:00", pd.Timestamp("2021-03-08")],
)  # fmt: skip
def test_a_date_that_can_mean_one_day_is_read(written):
    assert days(written) == ["2021-03-08"]


def test_a_number_above_12_proves_the_order_for_the_whole_column():
    assert days("03/02/2021", "13/02/2021") == ["2021-02-03", "2021-02-13"]
    assert days("02/03/2021", "02/13/2021") == ["2021-02-03", "2021-02-13"]


def test_without_proof_both_readings_are_shown():
    with pytest.raises(InvalidData, match="'03-02-2021' is 2021-02-03 or 2021-03-02") as caught:
        read("03/02/2021", "04/02/2021")
    assert "data.day_first=true" in caught.value.next_command


def test_without_proof_the_configuration_decides():
    assert days("03/02/2021", day_first=True) == ["2021-02-03"]
    assert days("03/02/2021", day_first=False) == ["2021-03-02"]


def test_a_column_that_contradicts_the_configuration_or_itself_is_refused():
    with pytest.raises(InvalidData, match=r"although data\.day_first=true"):
        read("02/13/2021", day_first=True)
    with pytest.raises(InvalidData, match="'13-02-2021' and '02-14-2021'"):
        read("13/02/2021", "02/14/2021")


def test_two_forms_of_date_in_a_column_are_refused_with_an_example_of_each():
    with pytest.raises(InvalidData, match="'2021-03-08' and '9 Mar 2021'"):
        read("2021-03-08", "9 Mar 2021")


@pytest.mark.parametrize("written", ["soon", "2021-02-30", "0"])
def test_what_is_no_date_is_refused_and_shown(written):
    with pytest.raises(InvalidData, match=written):
        read(written)


def test_a_row_without_a_date_has_none_and_a_column_of_them_is_refused():
    found = read(*["2021-03-08"] * 20, "", None)
    assert np.isnat(found.days).tolist() == [False] * 20 + [True] * 2
    with pytest.raises(InvalidData, match="no row has a date"):
        read("", None)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("1709559000", "2024-03-04"),  # 13:30 UTC, half past eight in New York
        ("1709559000000", "2024-03-04"),
        ("1709559000000000", "2024-03-04"),
        ("1709559000000000000", "2024-03-04"),
        ("1709596800", "2024-03-05"),  # midnight of UTC: a day, not the evening before
        ("1709528400", "2024-03-04"),  # midnight in New York
        ("45355", "2024-03-04"),  # Excel's
        ("2024-03-04 00:00:00+00", "2024-03-04"),
        ("2024-03-04T00:00:00Z", "2024-03-04"),
        ("04-MAR-2024", "2024-03-04"),
        ("Mon, Mar 4, 2024", "2024-03-04"),
        ("2024年3月4日", "2024-03-04"),
    ],
)
def test_moments_serial_numbers_and_names_of_months_are_days(written, day):
    assert days(written) == [day]
    if written.isdigit():
        assert days(int(written)) == [day]


def test_one_text_that_is_no_date_costs_its_row_alone():
    found = read(*[f"2021-03-{day:02d}" for day in range(1, 29)], "Source: the exchange")
    assert np.isnat(found.days).sum() == 1
    assert found.unreadable == "Source: the exchange"


def test_the_day_of_a_time_with_an_offset_is_the_one_written():
    summer, winter = "2021-08-02 00:00:00-04:00", "2021-01-04 00:00:00-05:00"
    assert days(summer, winter) == ["2021-08-02", "2021-01-04"]
    assert not read(summer, winter).has_times


def test_midnight_of_the_exchange_given_in_another_zone_is_its_day():
    assert days("2021-01-04T05:00:00Z") == ["2021-01-04"]
    assert days(pd.Timestamp("2021-01-04", tz="UTC")) == ["2021-01-04"]


def test_a_time_whose_day_depends_on_the_zone_is_refused_with_both_days():
    with pytest.raises(InvalidData, match=r"2021-01-05 as written, 2021-01-04 in"):
        read("2021-01-05T02:00:00Z")


def test_a_time_of_day_is_dropped_and_told():
    found = read("4/13/2021 16:00:00", "4/14/2021 4:00:00 PM")
    assert found.has_times
    assert str(found.days[1])[:10] == "2021-04-14"


def test_a_column_of_years_before_1900_is_refused_and_one_such_row_costs_itself():
    with pytest.raises(InvalidData, match="dates from 0021-03-08"):
        read("0021-03-08", "0021-03-09")
    found = read("0021-03-01", *[f"2021-03-{day:02d}" for day in range(1, 29)])
    assert np.isnat(found.days).sum() == 1
    assert found.unreadable == "0021-03-01"


def test_days_that_are_counted_from_1900_or_from_1970_are_refused_with_both_readings():
    with pytest.raises(InvalidData, match="1943-10-21 or 2013-10-22"):
        read("16000")
    assert days("45358") == ["2024-03-07"], "the other one, of 2094, is yet to come"


@pytest.mark.parametrize(
    "written",
    [
        "2021년 3월 8일",
        "2.0210308e+07",
        "Mon Mar  8 00:00:00 EST 2021",
        "Mon Mar 8 00:00:00 2021",
    ],
)
def test_dates_and_numbers_as_programs_print_them(written):
    assert days(written) == ["2021-03-08"]


@pytest.mark.parametrize("written", ["45-67-89", "1.69923E+12", "2.0210308E+09"])
def test_numbers_in_no_order_of_a_date_and_those_that_lost_digits_are_shown(written):
    with pytest.raises(InvalidData, match="is no date that can be read"):
        read(written)


@pytest.mark.parametrize("written", ["2021-03-07T15:00:00Z", 1615129200, "1615129200000"])
def test_midnight_in_the_east_is_its_day_and_not_the_one_before_of_utc(written):
    found = dates(pd.Series([written]), None, "Asia/Tokyo", "x.csv")
    assert found.days[0] == np.datetime64("2021-03-08")


def test_an_odd_text_is_weighed_by_its_rows_where_many_symbols_share_few_days():
    found = read(*[f"2021-03-0{day}" for day in range(1, 6)] * 20, "Source: the exchange")
    assert np.isnat(found.days).sum() == 1


@pytest.mark.parametrize("written", ["2021-03-07T19:00:00-05:00", "2021-03-07T18:30:00-0530"])
def test_an_offset_has_a_sign_and_minutes(written):
    found = dates(pd.Series([written]), None, "UTC", "x.csv")
    assert found.days[0] == np.datetime64("2021-03-08")


@pytest.mark.parametrize(
    "written", [1615204800000000000.0, 1615204800000.0, 20210308.0, 44263.0, 44263.6666667]
)
def test_numbers_of_eight_bytes_with_and_without_a_missing_one(written):
    assert days(written) == ["2021-03-08"]
    found = read(written, np.nan).days
    assert found[0] == np.datetime64("2021-03-08")
    assert np.isnat(found[1])


def test_months_shortened_in_french():
    assert days("8 févr. 2021", "9 févr. 2021") == ["2021-02-08", "2021-02-09"]
