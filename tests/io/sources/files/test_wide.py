"""Wide tables by their rules: which lines are a header, which names are fields and tickers."""

from __future__ import annotations

import itertools

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files.stacked import blocks, cells, header_lines, named_pairs, pairs
from tests.io.sources.files.hand_made import HEADER, files, rows, write

FIELDS = ("Open", "High", "Low", "Close")
LETTERS = ("O", "H", "L", "C")
ABOVE, TICKERS = ["", *FIELDS], ["", *["AAB"] * 4]
ROW = ["2021-03-08", "10", "11", "9", "10.5"]


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        ([ABOVE, TICKERS, ROW], 2),
        ([TICKERS, ABOVE, ROW], 2),
        ([ABOVE, TICKERS, [" 2021-03-08", *ROW[1:]]], 2),
        ([ABOVE, TICKERS, ["Date", "", " ", "", ""], ROW], 3),
        ([ABOVE, TICKERS, ["Date", "x", "", "", ""], ROW], 0),
        ([ABOVE, TICKERS, ["Total", "", "", "", ""], ROW], 0),
        ([ABOVE, TICKERS, ["soon", *ROW[1:]]], 0),
        ([ABOVE, TICKERS], 0),
        ([ABOVE, TICKERS, ROW[:-1]], 0),
        ([["Zone", *FIELDS], TICKERS, ROW], 0),
        ([ABOVE, ["Zone", *TICKERS[1:]], ROW], 0),
        ([ABOVE, ABOVE, ROW], 0),
        ([[*ABOVE, "Volume"], ["", *["USD"] * 4, "shares"], [*ROW, "5"]], 0),
        ([[*ABOVE, "Volume"], ["", *["USD"] * 4, ""], [*ROW, "5"]], 0),
        ([ABOVE, ["", *["USD"] * 4], ROW], 2),
        ([["date", "close"], ["", "AAB"], ROW[:2]], 0),
        ([[""], [""], ["2021-03-08"]], 0),
    ],
)  # fmt: skip
def test_the_lines_that_are_the_header_of_a_wide_table(lines, count):
    assert header_lines(lines) == count


def test_a_name_above_merged_cells_stands_for_all_of_them():
    lines = [["", "Open", " ", "Close", ""], ["", "AAB", "BBC", "AAB", "BBC"]]
    assert cells(lines) == [("Open", "AAB"), ("Open", "BBC"), ("Close", "AAB"), ("Close", "BBC")]


def test_names_that_pandas_numbered_are_those_of_each_ticker(tmp_path):
    head = [",".join(["Price", *(f + n for f in (*FIELDS, "Volume") for n in ("", ".1"))]),
            ",".join(["Ticker", *["AAB", "BBC"] * 5]), "Date" + "," * 10]  # fmt: skip
    lines = []
    for line in rows(first=20.0):
        day, *values = line.split(",")
        lines.append(",".join([day, *(v for value in values for v in (value, f"2{value}"))]))
    bars = files(write(tmp_path / "x.csv", *head, *lines)).bars().bars
    assert bars["close"].groupby("symbol").first().to_dict() == {"AAB": 20.5, "BBC": 220.5}
    write(tmp_path / "x.csv", head[0].replace("Price", "Date"), *lines)
    with pytest.raises(InvalidData, match=r"open is column 'Open' or 'Open\.1'"):
        files(tmp_path / "x.csv").bars()


def test_the_level_of_the_fields_where_both_may_be_fields():
    columns = list(itertools.product(FIELDS, LETTERS))
    assert pairs(columns) == columns
    assert pairs([(ticker, field) for field, ticker in columns]) == columns
    assert pairs(list(itertools.product(("AAB", "BBC"), ("DDE", "EEF")))) == []
    long = list(itertools.product(FIELDS, ("ALPHABET", "MICROSOFT")))
    assert pairs(long) == long
    assert pairs([(*pair[::-1],) for pair in long]) == long
    assert pairs(list(itertools.product((*FIELDS, "Remark"), ("AAB", "BBC")))) == []


def flat(*tickers: str, form: str = "{f}_{t}") -> list[str]:
    return [form.format(f=field, t=ticker) for ticker in tickers for field in FIELDS]


def of(*tickers: str, form: str = "{f}_{t}") -> dict[str, tuple[str, str]]:
    return {form.format(f=f, t=ticker): (f, ticker) for ticker in tickers for f in FIELDS}


@pytest.mark.parametrize(
    ("names", "right"),
    [
        (["Date", *flat("AAB", "BBC")], of("AAB", "BBC")),
        (["Date", *flat("AAB"), "Volume"], of("AAB") | {"Volume": ("Volume", "AAB")}),
        (["Date", *flat("AAB"), "Remark"], of("AAB")),
        (["Date", *flat("AAB", "BBC"), "Volume"], of("AAB", "BBC")),
        (["Date", *flat("AAB"), "Remark", "More"], {}),
        (["Date", *flat("AAB", "BBC")[:-1]], {}),
        (["Date", *flat("AAB", "BBC"), "Close_EUR"], {}),
        (["Date", *flat("C", "LOW")], of("C", "LOW")),
        (["Date", *flat("USD", "EUR")], {}),
        (["Date", *flat("stock")], {}),
        (["Date", *flat("x", "y")], {}),
        (["Date", *flat("X", "Y")], of("X", "Y")),
        (["Date", *flat("spot")], {}),
        (["Date", *flat("USD", "AAB")], of("USD", "AAB")),
        (
            ["Date", *flat("AAB"), "Capital Gains_AAB"],
            of("AAB") | {"Capital Gains_AAB": ("Capital Gains", "AAB")},
        ),
        (["Date", *flat("AAB"), "Beta_AAB"], of("AAB")),
        (["Date", *flat("AAB"), "v_AAB"], of("AAB")),
        (["Date", *flat("AAB"), "Close_adj"], of("AAB")),
        (["Date", *flat("c")], of("c")),
        (["Date", *flat("low")], {}),
        (["DATE", *(name.upper() for name in flat("low"))], {}),
        (["Date", *flat("AAB", form="{f} ({t})")], of("AAB", form="{f} ({t})")),
        (["Date", *flat("AAB", form="{f}__{t}")], of("AAB", form="{f}__{t}")),
        (["Date", *flat("AAB", form="{t}.{f}")], of("AAB", form="{t}.{f}")),
        (["('Date', '')", *flat("AAB", form="('{f}', '{t}')")], of("AAB", form="('{f}', '{t}')")),
        (["Date", *flat("AAB", form="('{t}', '{f}')")], of("AAB", form="('{t}', '{f}')")),
        (["Date", *flat("A'B", form="('{f}', '{t}')")], {}),
        (["Date", *flat("AAB", form="({f}, {t})")], {}),
        (["Date", "o_AAB", "h_AAB", "l_AAB", "c_AAB"], {}),
        (["Date", "Open_", "High_", "Low_", "Close_"], {}),
    ],
)
def test_columns_whose_names_are_a_field_and_a_ticker(names, right):
    assert named_pairs(names) == right


def test_prices_in_two_currencies_are_no_two_symbols(tmp_path):
    lines = [f"{line},{line.split(',', 1)[1]}" for line in rows()]
    names = ",".join(["date", *flat("USD"), "volume", *flat("EUR"), "Volume 2"])
    with pytest.raises(InvalidData, match="open is column 'Open_USD' or 'Open_EUR'"):
        files(write(tmp_path / "AAB.csv", names, *lines)).bars()


def test_the_columns_of_each_ticker_by_field():
    assert blocks(of("AAB")) == {"AAB": {field: f"{field}_AAB" for field in FIELDS}}


@pytest.mark.parametrize("last", [True, False])
def test_the_date_of_a_wide_table_may_stand_anywhere(tmp_path, last):
    names = [*flat("AAB", "BBC"), "Date"] if last else ["Date", *flat("AAB", "BBC")]
    lines = []
    for line in rows():
        day, *prices = line.split(",")[:5]
        lines.append(",".join([*prices * 2, day] if last else [day, *prices * 2]))
    with pytest.raises(InvalidData, match="no column for volume"):
        files(write(tmp_path / "x.csv", ",".join(names), *lines)).bars()
    source = files(tmp_path, index_path=None)
    write(tmp_path / "x.csv", ",".join([*names, "Volume_AAB", "Volume_BBC"]),
          *(f"{line},7,8" for line in lines))  # fmt: skip
    assert source.bars().bars["volume"].groupby("symbol").first().to_dict() == {"AAB": 7, "BBC": 8}


def test_a_wide_feather_file_and_a_long_one_with_other_columns(tmp_path):
    table = pd.DataFrame([line.split(",") for line in rows()], columns=HEADER.split(","))
    wide = pa.table({"date": table["date"], **{
        f"{name}_{ticker}": table[name].astype(float)
        for ticker in ("AAB", "BBC") for name in HEADER.split(",")[1:]}})  # fmt: skip
    pyarrow.feather.write_feather(wide, tmp_path / "x.feather")
    long = table.assign(symbol="CCD", other=[[1]] * len(table))
    pyarrow.feather.write_feather(pa.Table.from_pandas(long), tmp_path / "y.feather")
    first = files(tmp_path).bars().bars["close"].groupby("symbol").first()
    assert first.to_dict() == {"AAB": 10.5, "BBC": 10.5, "CCD": 10.5}
