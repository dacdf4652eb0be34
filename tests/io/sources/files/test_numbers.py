from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files.numbers import check_counts, numbers


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


SUFFIXES = {
    1e3: "K k Tsd TYS thou thousand тыс 千 천", 1e4: "万 萬 만", 1e5: "Lac lacs Lakh LAKHS",
    1e6: "M m MN mln Mio Mio. million millions млн 百万 百萬", 1e7: "Cr crore crores",
    1e8: "亿 億 억", 1e9: "B bn Mrd Mrd. MLD mds billion billions млрд", 1e12: "T TN",
}  # fmt: skip


@pytest.mark.parametrize("factor", SUFFIXES)
def test_a_suffix_of_any_language_is_its_factor(factor):
    for suffix in SUFFIXES[factor].split():
        found = read(volume=[f"1.25{suffix}", f"1.25 {suffix}", "1.5"])["volume"]
        np.testing.assert_allclose(found, [1.25 * factor, 1.25 * factor, 1.5])
    np.testing.assert_allclose(read(volume=["1.25L", "1.5"])["volume"], [1.25e5, 1.5])


@pytest.mark.parametrize("suffix", ["MM", "mil", "X"])
def test_a_suffix_that_may_be_two_things_is_none(suffix):
    with pytest.raises(InvalidData, match="is no number"):
        read(volume=[f"1.25{suffix}"])


@pytest.mark.parametrize(
    ("odd", "size", "is_refused"),
    [
        (["1x"], 10, False), (["1x"], 1, True), (["1x", "2x"], 20, False), (["1x", "2x"], 19, True),
        (["halted"] * 5, 10, False), (["halted"] * 6, 11, True), (["halted"] * 2, 2, True),
    ],
)  # fmt: skip
def test_texts_that_are_no_numbers_cost_their_rows_or_the_file(odd, size, is_refused):
    column = pd.Series([*odd, *["1.5"] * (size - len(odd))])
    if is_refused:
        with pytest.raises(InvalidData, match=f"{odd[0]}' in column close is no number"):
            numbers({"close": column}, None, "x.csv")
    else:
        found = numbers({"close": column}, None, "x.csv")
        assert found.unreadable.sum() == len(odd)
        assert found.example == f"'{odd[0]}' in column close"


@pytest.mark.parametrize(
    ("volume", "decimal", "is_refused"),
    [
        ([303.531] * 5, None, True), ([303.531] * 4, None, False), ([303.531] * 5, ".", False),
        ([303.531] * 4 + [1000.5], None, False), ([303.531] * 4 + [0.1234], None, False),
        ([303.531] * 3 + [303.53] * 3, None, False), ([303.531] * 4 + [303.53] * 3, None, True),
        ([303.531] * 4 + [np.nan, 0.0], None, False), ([303.0] * 9, None, False),
    ],
)  # fmt: skip
def test_volumes_of_three_decimals_may_be_thousands(volume, decimal, is_refused):
    if is_refused:
        with pytest.raises(InvalidData, match=r"volume 303\.531 is 303\.531 or 303,531"):
            check_counts(np.array(volume), decimal, "x.csv")
    else:
        check_counts(np.array(volume), decimal, "x.csv")
