"""One small file for each layout that people have, and what is refused."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files.columns import fields
from pipeline.io.sources.files.symbols import from_file, symbol
from tests.io.sources.files.hand_made import HEADER, WEEK, files, rows, write

FIRST = (pd.Timestamp("2021-03-08"), "ABC")
BAR = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 100.0}


def first_bar(source) -> dict[str, float]:
    return source.bars().bars.loc[FIRST].drop("final").to_dict()


LAYOUTS = {
    "one symbol a file": """
timestamp,open,high,low,close,volume
2021-03-08,10,11,9,10.5,100
""",
    "one symbol a file, dates: year": """
Date;Open;High;Low;Close;Volume
2021-03-08;10,0;11,0;9,0;10,5;100
""",
    "one symbol a file, dates": """
,open,high,low,close,volume
2021-03-08,10,11,9,10.5,100
""",
    "Yahoo web export": """
Date,Open,High,Low,Close,Adj Close,Volume
"Mar 8, 2021",10.00,11.00,9.00,10.50,9.80,100
""",
    "yfinance history": """
Date,Open,High,Low,Close,Volume,Dividends,Stock Splits
2021-03-08 00:00:00-05:00,10,11,9,10.5,100,0.0,0.0
""",
    "a column for each field of each ticker, one ticker": """
Price,Close,High,Low,Open,Volume
Ticker,ABC,ABC,ABC,ABC,ABC
Date,,,,,
2021-03-08,10.5,11,9,10,100
""",
    "Nasdaq web export": """
Date,Close/Last,Volume,Open,High,Low
03/18/2021,$9.5,100,$9,$10,$8
03/08/2021,$10.5,100,$10,$11,$9
""",
    "Investing.com export": """
Date,Price,Open,High,Low,Vol.,Change %
"Mar 08, 2021",10.5,10,11,9,0.10K,1.2%
""",
    "one row a symbol": """
<TICKER>,<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>
ABC,20210308,10,11,9,10.5,100
""",
    "one row a symbol and session": """
date,open,high,low,close,volume,Name
2021-03-08,10,11,9,10.5,100,ABC
""",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_common_layout_is_recognised_reported_and_read(tmp_path, layout):
    source = files(write(tmp_path / "ABC.csv", LAYOUTS[layout]))
    assert first_bar(source) == BAR
    assert source.bars().notes[0].startswith(f"ABC.csv: {layout}")


def test_many_tickers_under_three_header_lines_are_as_many_symbols(tmp_path):
    lines = ["Ticker,XYZ,XYZ,XYZ,XYZ,XYZ,ABC,ABC,ABC,ABC,ABC",
             "Price,Open,High,Low,Close,Volume,Open,High,Low,Close,Volume", "Date" + "," * 10,
             "2021-03-08,,,,,,10,11,9,10.5,100",
             "2021-03-09,1,2,1,2,7,10,11,9,10.5,100"]  # fmt: skip
    delivery = files(write(tmp_path / "prices.csv", *lines)).bars()
    assert delivery.bars.groupby("symbol").size().to_dict() == {"ABC": 2, "XYZ": 1}
    assert delivery.bars.loc[(pd.Timestamp("2021-03-09"), "XYZ"), "volume"] == 7
    assert delivery.quarantine.empty, "an empty cell of another ticker's session is no bar"


def test_parquet_of_yfinance_with_two_column_levels(tmp_path):
    columns = pd.MultiIndex.from_product([list(BAR), ["ABC"]], names=["Price", "Ticker"])
    index = pd.DatetimeIndex([FIRST[0]], name="Date")
    file = tmp_path / "ABC.parquet"
    pd.DataFrame([list(BAR.values())], index=index, columns=columns).to_parquet(file)
    assert first_bar(files(file)) == BAR


@pytest.mark.parametrize("index", [True, False])
def test_parquet_with_dates_in_a_column_or_in_its_index(tmp_path, index):
    bars = pd.DataFrame([BAR | {"symbol": "abc", "date": FIRST[0].date()}])
    file = tmp_path / "long.parquet"
    (bars.set_index("date").rename_axis(None) if index else bars).to_parquet(file)
    assert first_bar(files(file)) == BAR


def test_a_compressed_file_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "ABC.csv.gz"
    file.write_bytes(gzip.compress("\n".join([HEADER, *rows()]).encode("utf-8-sig")))
    assert first_bar(files(file)) == BAR


def test_a_column_is_named_by_the_configuration(tmp_path):
    file = write(tmp_path / "ABC.csv", "day,open,high,low,close,settle,volume",
                 "2021-03-08,10,11,9,99,10.5,100")  # fmt: skip
    assert first_bar(files(file, columns={"close": "settle"})) == BAR


def test_two_columns_that_may_be_one_field_are_refused_with_both():
    with pytest.raises(InvalidData, match="close is column 'Close' or 'CLOSE'"):
        fields(["date", "open", "high", "low", "Close", "CLOSE"], {}, "x.csv")


def test_a_missing_price_names_the_columns_there_are():
    with pytest.raises(InvalidData, match="no column for close among: date, open, high, low, adj"):
        fields(["date", "open", "high", "low", "adj_close"], {}, "x.csv")


def test_a_configured_column_that_is_absent_is_named():
    with pytest.raises(InvalidData, match=r"no such column: data\.columns\.close=settle"):
        fields(["date", "open", "high", "low", "close"], {"close": "settle"}, "x.csv")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"Error Message": "Invalid API call"}', "a web service's answer"),
        ("<html><body>503</body></html>", "a web service's answer"),
        ("\n\n", "empty"),
        (HEADER, "a header without rows"),
        ("2021-03-08,10,11,9,10.5,100", "no header, the first line is a row of values"),
        (f"{HEADER}\n2021-03-08,10,11,9,10.5", "1 lines have not 6 columns"),
        ("date,open,high,low,close,volume,close\n2021-03-08,1,1,1,1,1,1", "occur twice: close"),
        ("date,open,high,low,close\n2021-03-08,1,1,1,1", "no column for volume"),
        (
            f"{HEADER}\n2021-03-08 09:30,1,1,1,1,1\n2021-03-08 09:31,1,1,1,1,1",
            "intraday rows, 2 on",
        ),
    ],
)
def test_what_is_no_table_of_daily_bars_is_refused_in_one_message(tmp_path, content, found):
    with pytest.raises(InvalidData, match=found):
        files(write(tmp_path / "ABC.csv", content)).bars()


def test_bytes_that_are_no_parquet_are_refused(tmp_path):
    with pytest.raises(InvalidData, match=r"ABC\.parquet: cannot be read"):
        files(write(tmp_path / "ABC.parquet", "nothing")).bars()


def test_a_name_column_of_companies_is_not_the_symbol(tmp_path):
    file = write(tmp_path / "AAPL.csv", f"{HEADER},Name", "2021-03-08,10,11,9,10.5,100,Apple Inc.")
    assert list(files(file).symbols().index) == ["AAPL"]


def test_a_ticker_that_looks_like_a_missing_value_is_a_ticker(tmp_path):
    lines = [f"{line},{name}" for name in ("NA", "TRUE", "NULL") for line in rows()]
    source = files(write(tmp_path / "long.csv", f"{HEADER},symbol", *lines))
    assert list(source.symbols().index) == ["NA", "NULL", "TRUE"]


@pytest.mark.parametrize(
    ("name", "ticker"),
    [("aapl.csv", "aapl"), ("BF.B.csv", "BF.B"), ("^GSPC.csv", "^GSPC"), ("AAPL_daily.csv", "AAPL"),
     ("my_prices_MSFT (1).csv.gz", "MSFT"), ("vix_history.csv", "vix")],
)  # fmt: skip
def test_the_symbol_in_a_file_name(name, ticker):
    assert from_file(name) == ticker


@pytest.mark.parametrize(
    ("name", "found"), [("AAPL_MSFT.csv", "AAPL or MSFT"), ("all_my_prices.csv", "no symbol")]
)
def test_a_file_name_with_no_or_two_symbols_is_refused(name, found):
    with pytest.raises(InvalidData, match=found):
        from_file(name)


def test_a_dot_before_a_letter_is_a_share_class_in_the_us_alone():
    assert symbol("brk.b", share_class_by_dot=True) == "BRK-B"
    assert symbol("7203.T", share_class_by_dot=False) == "7203.T"


def test_sessions_of_the_week_all_load(tmp_path):
    delivery = files(write(tmp_path / "ABC.csv", HEADER, *rows())).bars()
    assert [f"{day:%Y-%m-%d}" for day in delivery.bars.index.get_level_values(0)] == list(WEEK)
