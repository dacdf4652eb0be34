"""Shapes that real files have, each by a small made-up one: what is loaded, and what is named."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files.numbers import numbers
from tests.io.sources.files.hand_made import HEADER, WEEK, files, rows, write

DAYS = pd.bdate_range("2021-03-01", periods=24).strftime("%Y-%m-%d")


def closes(path: Path, **how) -> dict[str, float]:
    """First close by symbol."""
    bars = files(path, **how).bars().bars
    return bars["close"].groupby("symbol").first().to_dict()


def reasons(path: Path, **how) -> dict[str, int]:
    return files(path, **how).bars().quarantine["reason"].value_counts().to_dict()


def local(lines: list[str], point: str) -> list[str]:
    """Rows as Germans or Swiss people write them: 1.234,50 or 1'234.50."""
    swap = {"de": str.maketrans(",.", ".,"), "ch": str.maketrans(",", "'")}[point]
    return [
        ";".join([day, *(f"{float(v):,.2f}".translate(swap) for v in values), volume])
        for day, *values, volume in (line.split(",") for line in lines)
    ]


# ---- numbers ----

WHOLE = ["2021-03-08;1.956;2.000;1.948;1.998;909", "2021-03-09;2.022;2.029;1.927;1.938;1091"]


def test_prices_without_decimals_are_read_by_what_other_files_of_the_folder_prove(tmp_path):
    head = HEADER.replace(",", ";")
    write(tmp_path / "AAA.csv", head, *local(rows(first=1200.0), "de"))
    write(tmp_path / "CCC.csv", head, *WHOLE)
    assert closes(tmp_path) == {"AAA": 1200.5, "CCC": 1998.0}


def test_prices_without_decimals_alone_are_refused_with_both_readings_or_read_as_config_says(
    tmp_path,
):
    write(tmp_path / "CCC.csv", HEADER.replace(",", ";"), *WHOLE)
    with pytest.raises(InvalidData, match=r"'1\.956' is 1956 or 1\.956"):
        closes(tmp_path)
    assert closes(tmp_path, decimal=",") == {"CCC": 1998.0}
    assert closes(tmp_path, decimal=".") == {"CCC": 1.998}


def test_files_that_prove_the_contrary_settle_nothing(tmp_path):
    head = HEADER.replace(",", ";")
    write(tmp_path / "AAA.csv", head, *local(rows(first=1200.0), "de"))
    write(tmp_path / "BBB.csv", HEADER, *rows())
    write(tmp_path / "CCC.csv", head, *WHOLE)
    delivery = files(tmp_path).bars()
    assert "1956 or 1.956" in delivery.refused["CCC.csv"]
    assert set(delivery.bars.index.unique("symbol")) == {"AAA", "BBB"}


def test_a_decimal_mark_that_the_file_contradicts_is_refused(tmp_path):
    write(tmp_path / "ABC.csv", HEADER, *rows())
    with pytest.raises(InvalidData, match="can only be read otherwise"):
        closes(tmp_path, decimal=",")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1,32,440.37", 132440.37), ("12,34,567.5", 1234567.5), ("1'234.50", 1234.5),
        ("1 234,50", 1234.5), ("₹1,234.50", 1234.5), ("1,234.5", 1234.5), ("1.234,5", 1234.5),
        ("(1.5)", -1.5), ("1.5e3", 1500.0),
    ],
)  # fmt: skip
def test_a_price_that_can_mean_one_number_is_that_number(written, value):
    assert numbers({"close": pd.Series([written])}, None, "x").by_column["close"] == [value]


@pytest.mark.parametrize(
    ("suffix", "factor"),
    [("K", 1e3), ("k", 1e3), ("M", 1e6), ("m", 1e6), ("mn", 1e6), ("B", 1e9), ("b", 1e9),
     ("bn", 1e9), ("T", 1e12), ("L", 1e5), ("Lakh", 1e5), ("Cr", 1e7), ("crore", 1e7)],
)  # fmt: skip
def test_volumes_with_a_suffix_in_either_case(suffix, factor):
    read = numbers({"volume": pd.Series([f"1.25{suffix}"])}, None, "x").by_column["volume"]
    np.testing.assert_allclose(read, [1.25 * factor])


@pytest.mark.parametrize("word", ["#N/A N/A", "#N/A Invalid Security", "#DIV/0!", "n.a.", "—", "."])
def test_words_for_nothing_make_an_empty_row(tmp_path, word):
    lines = rows(DAYS)
    lines[7] = ",".join([DAYS[7], *[word] * 5])
    write(tmp_path / "FFF.csv", HEADER, *lines)
    assert reasons(tmp_path) == {"empty row": 1}
    assert len(files(tmp_path).bars().bars) == 23


def test_an_odd_text_costs_its_row_and_trailing_empty_rows_cost_nothing(tmp_path):
    lines = rows(DAYS)
    lines[7] = lines[7].replace(",100", ",halted")
    write(tmp_path / "ABC.csv", HEADER, *lines, ",,,,,", ",,,,,", "Source: my broker")
    delivery = files(tmp_path).bars()
    assert reasons(tmp_path) == {"a text that is no number": 1}
    assert len(delivery.bars) == 23
    assert "Source: my broker" in delivery.notes[0]


def test_rows_that_tell_a_dividend_or_a_split_are_no_second_bar(tmp_path):
    lines = rows(DAYS)
    lines += [f"{DAYS[9]},0.82 Dividend,,,,", f"{DAYS[12]},4:1 Stock Split,,,,"]
    write(tmp_path / "ABC.csv", HEADER, *lines)
    delivery = files(tmp_path).bars()
    assert len(delivery.bars) == 24
    assert delivery.bars["close"].iloc[0] == 10.5, "Yahoo has applied its splits"


# ---- names and shapes ----


@pytest.mark.parametrize(
    ("name", "symbol", "calendar"),
    [
        ("RELIANCE.NS.csv", "RELIANCE.NS", "XBOM"), ("M&M.NS.csv", "M&M.NS", "XBOM"),
        ("BAJAJ-AUTO.NS.csv", "BAJAJ-AUTO.NS", "XBOM"), ("7203.T.csv", "7203.T", "XTKS"),
        ("0700.HK.csv", "0700.HK", "XHKG"), ("600001.csv", "600001", "XSHG"),
        ("3IINFOTECH.NS.csv", "3IINFOTECH.NS", "XBOM"), ("BT-A.L.csv", "BT-A.L", "XLON"),
        ("NASDAQ_AAB, 1D.csv", "AAB", "XNYS"), ("NYSE_BRK.B, 1D_a1b2c.csv", "BRK-B", "XNYS"),
        ("AAB-2023.csv", "AAB", "XNYS"), ("AAB_20200101_20231231.csv", "AAB", "XNYS"),
        ("AAB_1day.txt", "AAB", "XNYS"), ("BTC_USDT-1d.csv", "BTC_USDT", "24/7"),
        ("%5EFTSE.csv", "^FTSE", "XLON"), ("AAB (1).csv", "AAB", "XNYS"),
        ("AAB/2023.csv", "AAB", "XNYS"), ("ALL.csv", "ALL", "XNYS"), ("BRK_B.csv", "BRK-B", "XNYS"),
    ],
)  # fmt: skip
def test_the_symbol_of_a_file_by_its_name(tmp_path, name, symbol, calendar):
    write(tmp_path / "prices" / name, HEADER, *rows(["2021-03-09", "2021-03-10"]))
    source = files(tmp_path / "prices", exchange_calendar=calendar)
    assert list(source.symbols().index) == [symbol]


def test_a_file_a_year_is_one_symbol(tmp_path):
    write(tmp_path / "AAB-2020.csv", HEADER, *rows(["2020-12-30", "2020-12-31"]))
    write(tmp_path / "AAB-2021.csv", HEADER, *rows(["2021-01-04", "2021-01-05"]))
    assert files(tmp_path).bars().bars.groupby("symbol").size().to_dict() == {"AAB": 4}


def long(symbols: tuple[str, ...] = ("AAB", "BRK.B")) -> pd.DataFrame:
    parts = [
        pd.DataFrame([line.split(",") for line in rows(DAYS)], columns=HEADER.split(",")).assign(
            symbol=name
        )
        for name in symbols
    ]
    table = pd.concat(parts, ignore_index=True)
    numbers = HEADER.split(",")[1:]
    return table.astype(dict.fromkeys(numbers, "float64")).assign(
        date=pd.to_datetime(table["date"])
    )


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.large_string(), pa.dictionary(pa.int8(), pa.binary())]
)
@pytest.mark.parametrize("name", ["long.parquet", "LONG.PARQUET", "x.feather"])
def test_columnar_files_with_symbols_as_bytes_and_dictionaries(tmp_path, kind, name):
    table = pa.Table.from_pandas(long())
    column = table["symbol"].cast(pa.string())
    if pa.types.is_dictionary(kind):
        column = column.cast(pa.binary()).dictionary_encode()
    else:
        column = column.cast(kind)
    table = table.set_column(table.column_names.index("symbol"), "symbol", column)
    if name.endswith("feather"):
        pyarrow.feather.write_feather(table, tmp_path / name)
    else:
        pyarrow.parquet.write_table(table, tmp_path / name)
    assert closes(tmp_path) == {"AAB": 10.5, "BRK-B": 10.5}


def test_a_folder_that_is_a_dataset_partitioned_by_symbol(tmp_path):
    long().to_parquet(tmp_path / "prices", partition_cols=["symbol"])
    write(tmp_path / "prices/_SUCCESS", "")
    assert closes(tmp_path / "prices") == {"AAB": 10.5, "BRK-B": 10.5}


@pytest.mark.parametrize("letters", [("A", "B"), ("C", "O"), ("AAB", "V")])
@pytest.mark.parametrize("form", ["pivot", "flat", "ticker first", "parquet"])
def test_wide_tables_with_tickers_that_are_letters_of_fields_too(tmp_path, letters, form):
    table = long(letters)
    wide = table.pivot(index="date", columns="symbol", values=HEADER.split(",")[1:])
    if form == "flat":
        wide.columns = [f"{field}_{ticker}" for field, ticker in wide.columns]
    if form == "ticker first":
        wide.columns = wide.columns.swaplevel()
    if form == "parquet":
        wide.to_parquet(tmp_path / "wide.parquet")
    else:
        wide.to_csv(tmp_path / "wide.csv")
    assert closes(tmp_path) == dict.fromkeys(letters, 10.5)


CHINESE = {
    "date": "日期", "symbol": "股票代码", "open": "开盘", "high": "最高", "low": "最低",
    "close": "收盘", "volume": "成交量",
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_headers_in_other_scripts_by_config_and_in_the_encodings_of_their_market(
    tmp_path, encoding
):
    head = ",".join(CHINESE[name] for name in ("date", "open", "high", "low", "close", "volume"))
    text = "\n".join([f"{head},股票代码", *(f"{line},600001" for line in rows())])
    (tmp_path / "x.csv").write_bytes(text.encode(encoding))
    how = {"columns": CHINESE, "exchange_calendar": "XSHG"}
    assert closes(tmp_path, **how) == {"600001": 10.5}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
@pytest.mark.parametrize("first", ["", "sep=,\n", "Prices of Müller AG\n\n"])
def test_encodings_and_lines_before_the_header(tmp_path, encoding, first):
    text = first + "\n".join(
        [f"{HEADER},Währung", *(f"{line},€".replace("€", "E") for line in rows())]
    )
    (tmp_path / "QQX.csv").write_bytes(text.encode(encoding))
    assert closes(tmp_path) == {"QQX": 10.5}


def test_latin_letters_far_behind_the_first_lines(tmp_path):
    days = pd.bdate_range("2010-01-04", periods=2600).strftime("%Y-%m-%d")
    lines = [f"{day},10,11,9,10.5,100,plain text for a sector" for day in days]
    lines[-1] = lines[-1].replace("plain text", "Müll")
    text = "\n".join([f"{HEADER},sector", *lines])
    (tmp_path / "QQX.csv").write_bytes(text.encode("latin-1"))
    assert files(tmp_path).symbols().loc["QQX", "sector"] == "Müll for a sector"


@pytest.mark.parametrize("name", ["ABC.CSV", "ABC.csv.gz", "ABC.CSV.GZ", "ABC.txt", "in/ABC.csv"])
def test_suffixes_in_either_case_and_nested_folders(tmp_path, name):
    text = "\n".join([HEADER, *rows()])
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(gzip.compress(text.encode()) if name.lower().endswith("gz") else text.encode())
    assert closes(tmp_path) == {"ABC": 10.5}


def test_zip_files_are_read_and_what_is_not_read_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("ABC.csv", "\n".join([HEADER, *rows()]))
        archive.writestr("in/XYZ.csv", "\n".join([HEADER, *rows()]))
    write(tmp_path / "QQQ.xlsx", "no table here")
    write(tmp_path / "README.md", "about these files")
    (tmp_path / "bad.zip").write_bytes(b"PK no zip")
    delivery = files(tmp_path).bars()
    assert set(delivery.bars.index.unique("symbol")) == {"ABC", "XYZ"}
    assert set(delivery.refused) == {"QQQ.xlsx", "bad.zip"}
    assert "1 other files hold no prices: README.md" in delivery.notes


def test_several_rows_a_day_without_a_known_symbol_column_name_the_one_that_may_be(tmp_path):
    table = long().rename(columns={"symbol": "code"})
    table.to_csv(tmp_path / "prices.csv", index=False)
    with pytest.raises(InvalidData, match=r"may be: code") as caught:
        closes(tmp_path / "prices.csv")
    assert "data.columns.symbol=code" in caught.value.next_command
    assert closes(tmp_path / "prices.csv", columns={"symbol": "code"})["AAB"] == 10.5


def test_the_daily_list_of_an_indian_exchange_without_its_bonds(tmp_path):
    write(tmp_path / "cm04MAR2021bhav.csv",
          "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,",
          "ABC,EQ,10,11,9,10.5,10.4,10,100,1050,04-MAR-2021,",
          "ABC,N1,1000,1001,999,1000,1000,1000,5,5000,04-MAR-2021,")  # fmt: skip
    assert closes(tmp_path, exchange_calendar="XBOM") == {"ABC": 10.5}


def test_seconds_since_1970_and_a_column_called_time(tmp_path):
    moments = (pd.DatetimeIndex(WEEK) + pd.Timedelta("9h30min")).tz_localize("America/New_York")
    seconds = moments.as_unit("s").astype("int64")
    lines = [
        ",".join([str(at), *line.split(",")[1:]]) for at, line in zip(seconds, rows(), strict=True)
    ]
    write(tmp_path / "AAB.csv", HEADER.replace("date", "time"), *lines)
    bars = files(tmp_path).bars().bars
    assert [f"{day:%Y-%m-%d}" for day in bars.index.get_level_values(0)] == list(WEEK)
    assert bars["final"].all()
