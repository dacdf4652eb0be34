from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files.numbers import numbers


def read(decimal: str | None = None, **columns: list):
    given = {name: pd.Series(values) for name, values in columns.items()}
    return {n: v.tolist() for n, v in numbers(given, decimal, "x.csv").by_column.items()}


def test_thousands_separators_are_read_where_another_value_proves_them():
    found = read(close=["22,615.43", "812.5"], volume=["9,552,610,000", "1,234"])
    assert found == {"close": [22615.43, 812.5], "volume": [9552610000.0, 1234.0]}


def test_a_decimal_comma_is_read_where_a_value_proves_it():
    assert read(close=["1.234,56", "99,5"], volume=["1.234", "7"]) == {
        "close": [1234.56, 99.5],
        "volume": [1234.0, 7.0],
    }


def test_a_comma_that_may_be_both_is_refused_with_both_readings():
    with pytest.raises(InvalidData, match=r"'1,234' is 1234 or 1\.234"):
        read(close=["1,234", "1,250"])


def test_the_configuration_decides_where_nothing_is_proven():
    assert read(decimal=".", close=["1,234"]) == {"close": [1234.0]}
    assert read(decimal=",", close=["1,234"]) == {"close": [1.234]}


def test_numbers_with_a_point_in_another_column_prove_the_point():
    assert read(close=[10.25], volume=["1,234"])["volume"] == [1234.0]


def test_two_decimal_marks_in_a_file_are_refused():
    with pytest.raises(InvalidData, match=r"'1\.5' has a decimal point, '2,5' a decimal comma"):
        read(close=["1.5", "2,5"])


def test_signs_suffixes_and_words_for_nothing_are_understood():
    found = read(close=["$1.50", "-", "null"], volume=["36.87M", "1.2K", "3"])
    np.testing.assert_array_equal(found["close"], [1.5, np.nan, np.nan])
    np.testing.assert_allclose(found["volume"], [36.87e6, 1200.0, 3.0])


def test_text_that_is_no_number_is_shown():
    with pytest.raises(InvalidData, match=r"'halted' in column close is no number \(2 rows\)"):
        read(close=["1.5", "halted", "halted"])


def test_a_volume_in_lakhs_proves_the_mark_of_prices():
    assert read(close=["1.234"], volume=["12,34,567"]) == {"close": [1.234], "volume": [1234567.0]}
