"""What trading programs and data bases write, and numbers that are others than they look like."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files.columns import fields
from pipeline.io.sources.files.dates import dates
from pipeline.io.sources.files.numbers import numbers
from tests.io.sources.files.test_vendors import BARS, PLAIN, WEB, check, files, load, rows

HEADER = ["date,open,high,low,close,volume"]
BY_PLACE = {n: str(p) for p, n in enumerate(("date", "open", "high", "low", "close", "volume"), 1)}

FULL_WIDTH = "1,234.50".translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789,."})
"""Digits as Japanese and Chinese programs may write them."""


def values(*written: str, name: str = "close", decimal: str | None = None) -> list[float]:
    return numbers({name: pd.Series(written)}, decimal, "x").by_column[name].tolist()


@pytest.mark.parametrize("name", ["AAB1440.csv", "AAB.Last.csv"])
def test_a_file_named_as_metatrader_and_ninjatrader_do_is_of_its_symbol(tmp_path, name):
    check(load(tmp_path, name, [], rows(PLAIN, "%Y.%m.%d"), columns=BY_PLACE), "AAB")


def test_numbers_that_excel_keeps_as_texts(tmp_path):
    line = ",".join('"=""{' + name + '}"""' for name in "ohlcv")
    check(load(tmp_path, "AAB.csv", HEADER, rows("{d}," + line)), "AAB")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1'234'567.5", 1234567.5), ("1\u2019234.5", 1234.5), ("1 234,5", 1234.5),
        ("12 34 567.5", 1234567.5), ("1_234.5", 1234.5), ("'1.5", 1.5), ("- 1.5", -1.5),
        ("\u00a01\u202f234.5 ", 1234.5), (FULL_WIDTH, 1234.5), ("0,123", 0.123),
        ("0.123", 0.123), ("0.5", 0.5), (",5", 0.5), ("1234.", 1234.0),
    ],
)  # fmt: skip
def test_marks_between_thousands_and_digits_of_other_widths(written, value):
    assert values(written) == [value]


@pytest.mark.parametrize("written", ["101'16", "40 12", "1 2345", "40 1/2", "1'23'45", "40_1"])
def test_marks_between_other_digits_are_not_left_out(written):
    with pytest.raises(InvalidData, match="is no number"):
        values(written)


@pytest.mark.parametrize("letter", ["B", "L", "M", "T", "b", "G"])
def test_a_letter_behind_a_price_is_no_million(tmp_path, letter):
    with pytest.raises(InvalidData, match=f"'40.5{letter}' in column close is no number"):
        values(f"40.5{letter}")
    volume = values(f"40.5{letter}", name="volume") if letter != "G" else [np.inf]
    assert volume[0] >= 40.5e5
    assert values("40.5K") == [40500.0]


@pytest.mark.parametrize("written", ["$1.50", "1.50 USD", "€ 1.50", "1.50zł"])
def test_a_currency_beside_a_volume_says_nothing_about_prices(written):
    read = numbers({"close": pd.Series(["£1.50"]), "volume": pd.Series([written])}, None, "x")
    assert read.by_column["volume"].tolist() == [1.5]


def test_prices_in_billionths_are_refused_on_every_calendar(tmp_path):
    table = BARS.assign(**{n: (BARS[n] * 1e9).round() for n in ("open", "high", "low", "close")})
    table.to_csv(tmp_path / "AAB.csv", index=False)
    with pytest.raises(InvalidData, match="in steps of 100,000: whole numbers of billionths"):
        files(tmp_path, **WEB).bars()
    assert len(files(tmp_path, **WEB, accept=["AAB"]).bars().bars) == len(BARS)


@pytest.mark.parametrize(("factor", "step"), [(1e9, 1000), (1e6, 1)])
def test_high_prices_of_other_steps_and_lower_ones_are_prices(tmp_path, factor, step):
    prices = {n: (BARS[n] * factor).round() + step for n in ("open", "high", "low", "close")}
    BARS.assign(**prices).to_csv(tmp_path / "AAB.csv", index=False)
    assert len(files(tmp_path, **WEB).bars().bars) == len(BARS)


@pytest.mark.parametrize("also", ["volume", "Vol."])
def test_a_number_of_shares_beside_a_volume_may_be_those_issued(also):
    names = ["date", "open", "high", "low", "close", also, "Number of Shares"]
    with pytest.raises(InvalidData, match=f"volume is column 'Number of Shares' or '{also}'"):
        fields(names, {}, "x.csv")
    assert fields(names, {"volume": also}, "x.csv")["volume"] == also
    del names[5]
    assert fields(names, {}, "x.csv")["volume"] == "Number of Shares"


def test_columns_of_a_fixed_width_are_named_as_what_they_are(tmp_path):
    with pytest.raises(InvalidData, match=r"columns apart by commas.*none of a fixed width"):
        load(tmp_path, "AAB.txt", [], rows("01{d}02PETR4{v}00400"))


@pytest.mark.parametrize("zone", ["EST", "EDT", "US/Eastern", "America/New_York", "JST"])
def test_a_zone_by_its_name_keeps_the_day_as_written(zone):
    read = dates(pd.Series([f"20210308 23:30:00 {zone}"]), None, "America/New_York", "x")
    assert read.days[0] == np.datetime64("2021-03-08")
    assert read.clock[0] == np.timedelta64(23 * 60 + 30, "m")
