"""Rules of reading by themselves: encodings, folders, and columns that tell of splits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files.encoding import encoding, is_utf8
from pipeline.io.sources.files.numbers import Marks, Numbers
from pipeline.io.sources.files.ratios import check_factor, ratios
from tests.io.sources.files.hand_made import HEADER, files, rows, write


@pytest.mark.parametrize(
    ("content", "right"),
    [
        (b"abc", True), ("a€".encode(), True), ("a€".encode()[:-1], True),
        ("a😀".encode()[:-1], True), ("a😀".encode()[:-3], True), (b"M\xfcller", False),
        (b"M\xfcabc", False), (b"M\xfcab", True),
    ],
)  # fmt: skip
def test_a_last_character_that_is_cut_is_no_other_encoding(content, right):
    assert is_utf8(content) == right


MARKS = [
    (b"\xff\xfea\0", "utf-16"), (b"\xfe\xff\0a", "utf-16"), (b"\xff\xfe\0\0a\0\0\0", "utf-32"),
    (b"\0\0\xfe\xff\0\0\0a", "utf-32"), (b"\xef\xbb\xbfa", "utf-8-sig"),
    (b"a\0b\0", "utf-16-le"), (b"\0a\0b", "utf-16-be"), (b"abc", "utf-8"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "right"), MARKS)
def test_the_encoding_of_a_file_by_its_first_bytes(head, right):
    assert encoding(head, "XTKS") == right


OF_MARKETS = {
    "XTKS": ("日付,始値", "cp932"), "XSHE": ("日期", "gb18030"), "XSHG": ("日期", "gb18030"),
    "XHKG": ("開市價", "big5hkscs"), "XTAI": ("開盤", "cp950"), "XKRX": ("시가", "cp949"),
    "XMOS": ("Дата", "cp1251"), "ASEX": ("άνοιγμα", "cp1253"), "XIST": ("düşük", "cp1254"),
    "XWAR": ("Zamknięcie", "cp1250"), "XBUD": ("nyitó", "cp1250"), "XPRA": ("poslední", "cp1250"),
    "XBSE": ("închidere", "cp1250"), "XTAE": ("שער", "cp1255"), "XETR": ("Eröffnung", "cp1252"),
}  # fmt: skip


@pytest.mark.parametrize("calendar", OF_MARKETS)
def test_the_encoding_of_a_file_by_its_market(calendar):
    text, right = OF_MARKETS[calendar]
    head = f"{text};volume".encode(right)
    assert encoding(head, calendar) == right
    assert head.decode(encoding(head, calendar)) == f"{text};volume"


def test_a_column_wins_over_the_name_of_its_folder(tmp_path):
    lines = [f"{line},BBC" for line in rows()]
    write(tmp_path / "symbol=AAB/x.csv", f"{HEADER},symbol", *lines)
    assert list(files(tmp_path).symbols().index) == ["BBC"]


def test_a_folder_whose_key_is_no_field_says_nothing(tmp_path):
    write(tmp_path / "kind=AAB/part-0.csv", HEADER, *rows())
    with pytest.raises(InvalidData, match="holds no symbol"):
        files(tmp_path).bars()


def test_dates_and_prices_that_parquet_has_as_bytes(tmp_path):
    table = pd.DataFrame([line.split(",") for line in rows()], columns=HEADER.split(","))
    table.map(str.encode).to_parquet(tmp_path / "AAB.parquet")
    bars = files(tmp_path).bars().bars
    assert [f"{day:%Y-%m-%d}" for day, _ in bars.index] == list(table["date"])
    assert bars["close"].iloc[0] == 10.5


def told(*written: object, texts: dict[int, str] | None = None) -> list[float]:
    """The ratios of a split column, beside rows that are texts."""
    unreadable = np.array([place in (texts or {}) for place in range(len(written))])
    columns = pd.DataFrame({"split": list(written)})
    columns["open"] = [(texts or {}).get(place, "1") for place in range(len(written))]
    columns = columns.drop(columns="split") if set(written) == {None} else columns
    return ratios(columns, Numbers({}, unreadable, "", Marks(None, None)), "x").tolist()


def test_splits_as_people_write_them():
    written = ["4", "0,1", "5:4", "3 for 2", "3-for-2", "7/1", "25%", "2,5 %", "", "-", None, "NaN"]
    right = [4, 0.1, 1.25, 1.5, 1.5, 7, 1.25, 1.025, *[np.nan] * 4]
    np.testing.assert_allclose(told(*written), right)
    np.testing.assert_allclose(told(1.0, 4.0, np.nan), [1, 4, np.nan])
    for odd in ("soon", "25 percent"):
        with pytest.raises(InvalidData, match=f"'{odd}' in the column of splits is no ratio"):
            told("1", odd)


def test_rows_that_tell_of_a_split_and_of_something_else():
    given = {1: "4:1 Stock Split", 2: "0.25:1 Dividend"}
    np.testing.assert_allclose(told(None, None, None, texts=given), [np.nan, 4, np.nan])


@pytest.mark.parametrize(
    ("factor", "symbols", "is_refused"),
    [
        ([1.0] * 10 + [2.0] * 10, 1, True),
        ([1.0] * 19 + [4.0], 1, True),
        ([np.nan] * 19 + [4.0], 1, True),  # nothing but on the day of a split
        ([np.nan] * 19 + [1.0], 1, False),
        ([None] * 19 + ["2:1"], 1, True),
        ([1.0] * 10 + [2.0] * 10, 2, False),  # one factor a symbol
        ([1.0] * 8 + [2.0, 1.0] + [1.0] * 10, 1, True),  # two changes of twenty bars
        ([1.0, 2.0, 1.0, 2.0] + [2.0] * 16, 1, False),  # three of twenty: something else
        ([1.0, 2.0, 2.0, 1.0], 1, True),  # too few bars to say so
        ([1.0, 2.0, 1.0] + [1.0] * 7, 1, True),
        ([1.0, 2.0, 1.0] + [1.0] * 8, 1, False),
        ([1.0, 2.0] + [1.0] * 14, 8, True),  # one change, and eight first bars
    ],
)
def test_factors_that_change_seldom_are_those_of_splits(factor, symbols, is_refused):
    codes = np.repeat(np.arange(symbols), len(factor) // symbols)
    table = pd.DataFrame({"factor": factor})
    if is_refused:
        with pytest.raises(InvalidData, match="adjustment factors that change"):
            check_factor("x", table, codes, splits_are_given=False)
    else:
        check_factor("x", table, codes, splits_are_given=False)
