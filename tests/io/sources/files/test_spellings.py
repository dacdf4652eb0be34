"""Spellings of names, headers, numbers, dates and splits: read in their one way, or refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files.columns import fields, plain
from pipeline.io.sources.files.dates import dates
from pipeline.io.sources.files.numbers import numbers
from pipeline.io.sources.files.stacked import named_pairs
from pipeline.io.sources.files.symbols import from_file, symbol
from tests.io.sources.files.hand_made import HEADER, files, rows, write

DAYS = pd.bdate_range("2021-03-01", periods=24).strftime("%Y-%m-%d")
PRICES = ["open", "high", "low", "close"]


@pytest.mark.parametrize(
    ("name", "ticker"),
    [
        ("SHOP.TO.csv", "SHOP.TO"), ("T.TO.csv", "T.TO"), ("BIP-UN.TO.csv", "BIP-UN.TO"),
        ("VOLV-B.ST.csv", "VOLV-B.ST"), ("0005.HK.csv", "0005.HK"), ("130A.T.csv", "130A.T"),
        ("NASDAQ_DLY_AAB, 1D.csv", "AAB"), ("NASDAQ_BATS, 1D.csv", "BATS"),
        ("HKEX_5, 1D.csv", "5"), ("TSX_T, 1D.csv", "T"), ("SIX_2023.csv", "SIX"),
        ("AAB2023.csv", "AAB"), ("AAB-2023-01.csv", "AAB"), ("AAB_202301.csv", "AAB"),
        ("AAB-2023Q1.csv", "AAB"), ("2023-AAB.csv", "AAB"), ("AAB-23.csv", "AAB"),
        ("AAB-part1.csv", "AAB"), ("HK2007.csv", "HK2007"), ("200011.csv", "200011"),
        ("BTCUSDT-1d-2024-02.csv", "BTCUSDT"), ("kraken_XBT_USD.csv", "XBT_USD"),
        ("binance-BTCUSDT-1d.csv", "BTCUSDT"), ("DOGE_IDR-1d.csv", "DOGE_IDR"),
        ("BRK_B_daily.csv", "BRK_B"), ("NYSE_BF_B, 1D.csv", "BF_B"), ("AAB_D.csv", "AAB"),
        ("XNAS.AAB.csv", "AAB"), ("AAB-1.csv", "AAB"), ("AAB.2.csv", "AAB"),
        ("AAB-FY2023.csv", "AAB"),
        ("WIKI-AAB.csv", "AAB"), ("AAB.parquet.gzip", "AAB"), ("AAB.dat", "AAB"),
    ],
)  # fmt: skip
def test_the_one_ticker_in_a_file_name(name, ticker):
    assert from_file(name).upper() == ticker


@pytest.mark.parametrize("name", ["aab.us.txt", "AAB.US.csv"])
def test_the_mark_of_american_symbols_goes_on_american_calendars_alone(tmp_path, name):
    write(tmp_path / name, HEADER, *rows())
    for exchange_calendar, ticker in (("XNYS", "AAB"), ("XFRA", "AAB.US")):
        bars = files(tmp_path, exchange_calendar=exchange_calendar).bars().bars
        assert list(bars.index.unique("symbol")) == [ticker]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("BTC_USDT-1d-mark.csv", ""), ("BNB_BTC-8h-funding_rate.csv", ""), ("NIFTY 50.csv", ""),
        ("1d.csv", "USDT"), ("part-0.csv", "kind=AAB"), ("VOLV_B.ST.csv", ""),
    ],
)  # fmt: skip
def test_a_name_that_may_be_two_things_is_refused(name, folder):
    with pytest.raises(InvalidData, match=r"may be|holds no symbol"):
        from_file(name, folder)


@pytest.mark.parametrize("names", [("AAB23", "AAB24"), ("AABa", "AABb"), ("AABold", "AABnew")])
def test_files_that_go_on_where_another_of_a_like_name_ends_are_refused_with_both_readings(
    tmp_path, names
):
    lines = rows(DAYS, first=100.0)
    write(tmp_path / f"{names[0]}.csv", HEADER, *lines[:12])
    write(tmp_path / f"{names[1]}.csv", HEADER, *lines[12:])
    write(tmp_path / "XYZ.csv", HEADER, *lines)
    delivery = files(tmp_path).bars()
    assert list(delivery.bars.index.unique("symbol")) == ["XYZ"]
    one, other = (name.upper() for name in names)
    assert "parts of one symbol" in delivery.refused[one]
    accepted = files(tmp_path, accept=(one, other)).bars().bars
    assert set(accepted.index.unique("symbol")) == {one, other, "XYZ"}


def test_symbols_that_begin_alike_and_do_not_follow_each_other_stay(tmp_path):
    write(tmp_path / "AAB.csv", HEADER, *rows(DAYS, first=100.0))
    write(tmp_path / "AABL.csv", HEADER, *rows(DAYS, first=100.0))
    write(tmp_path / "AABX.csv", HEADER, *rows(DAYS[12:], first=200.0))
    assert not files(tmp_path).bars().refused


def test_an_exchange_before_a_symbol_of_a_column_is_none_of_it():
    assert symbol("NASDAQ:AAPL", share_class_by_dot=True) == "AAPL"
    assert symbol("BTC:USDT", share_class_by_dot=True) == "BTC:USDT"


def test_files_left_out_by_their_first_character_are_named(tmp_path):
    write(tmp_path / "AAB.csv", HEADER, *rows())
    write(tmp_path / "_BBC.csv", HEADER, *rows())
    write(tmp_path / "._AAB.csv", "no table")
    assert "1 other files hold no prices: _BBC.csv" in files(tmp_path).bars().notes


def test_a_quote_without_an_end_is_told_with_all_the_rows_it_hides(tmp_path):
    lines = rows(DAYS)
    lines[3] = '"' + lines[3]
    with pytest.raises(InvalidData, match="21 lines have not 6 columns"):
        files(write(tmp_path / "AAB.csv", HEADER, *lines)).bars()


def test_one_row_of_the_year_24_costs_that_row_alone(tmp_path):
    lines = rows(DAYS)
    lines[3] = lines[3].replace("2021", "0021")
    delivery = files(write(tmp_path / "AAB.csv", HEADER, *lines)).bars()
    assert len(delivery.bars) == len(DAYS) - 1
    assert "1 rows without a date left out ('0021-" in delivery.notes[0]


def test_bytes_that_were_printed_and_digits_before_a_letter():
    assert symbol("b'BRK.B'", share_class_by_dot=True) == "BRK-B"
    assert symbol("7203.T", share_class_by_dot=True) == "7203.T"


@pytest.mark.parametrize(
    "header",
    [
        "Datum,Eröffn.,Hoch,Tief,Zuletzt,Vol.", "Date,Ouv.,Plus Haut,Plus Bas,Dernier,Vol.",
        "Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen", "日付,始値,高値,安値,終値,出来高",
        "일자,시가,고가,저가,종가,거래량(주)", "日期,開盤價,最高價,最低價,收盤價,成交股數",
        "Дата,Откр.,Макс.,Мин.,Цена,Объём", "Fecha,Apertura,Máximo,Mínimo,Último,Vol.",
        "Date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME",
        "Date,Open (USD),High (USD),Low (USD),Close (USD),Volume (shares)",
        "Date,Open Price,High Price,Low Price,Close Price,No.of Shares",
    ],
)  # fmt: skip
def test_headers_of_other_languages_and_vendors(header):
    names = header.split(",")
    wanted = ["date", *PRICES, "volume"]
    assert fields(names, {}, "x") == dict(zip(wanted, names, strict=True))
    assert named_pairs(names) == {}


@pytest.mark.parametrize("name", ["Close (adj)", "Volume (lakhs)", "Volume (手)"])
def test_what_changes_the_meaning_of_a_column_is_no_unit(name):
    assert plain(name) not in ("close", "volume")


@pytest.mark.parametrize("form", ["{f}_{t}", "{t}_{f}", "{f} ({t})", "{t}.{f}"])
@pytest.mark.parametrize("ticker", ["LOW", "MAX", "C", "BRK-B", "600519"])
def test_wide_names_whose_tickers_are_words_of_fields_too(form, ticker):
    names = [form.format(f=f.title(), t=t) for t in (ticker, "AAB") for f in PRICES]
    pairs = named_pairs(["Date", *names])
    assert {t for _, t in pairs.values()} == {ticker, "AAB"}


@pytest.mark.parametrize("word", ["adj", "bid", "USD"])
def test_words_beside_a_field_are_no_tickers(word):
    assert named_pairs(["Date", *(f"{name}_{word}" for name in PRICES)]) == {}


@pytest.mark.parametrize(
    ("written", "value"),
    [("1.25Mio.", 1.25e6), ("1.25万", 1.25e4), ("1.25億", 1.25e8), ("1.25 mln", 1.25e6),
     ("1.25Lac", 1.25e5), ("1.25млн", 1.25e6), ("1,25 Tsd", 1.25e3)],
)  # fmt: skip
def test_suffixes_of_other_languages(written, value):
    read = numbers({"volume": pd.Series([written])}, None, "x").by_column["volume"]
    np.testing.assert_allclose(read, [value])


@pytest.mark.parametrize(
    "written",
    ["08-Mar-21", "08Mar2021", "08/Mar/2021", "Mar-08-2021", "2021. 03. 08.", "08. 03. 2021",
     "2021_03_08", "2021-03-08Z", "2021-03-08 Mon"],
)  # fmt: skip
def test_further_forms_of_dates(written):
    read = dates(pd.Series([written]), True, "America/New_York", "x")
    assert read.days[0] == np.datetime64("2021-03-08")


def test_trailing_empty_rows_cost_nothing_however_many(tmp_path):
    write(tmp_path / "ABC.csv", HEADER, *rows(DAYS), *[",,,,,"] * 60)
    assert len(files(tmp_path).bars().bars) == 24


@pytest.mark.parametrize("key", ["code", "sym", "Ticker", "instrument"])
def test_folders_of_one_symbol_by_other_keys(tmp_path, key):
    write(tmp_path / f"{key}=BRK.B/part-0.csv", HEADER, *rows())
    write(tmp_path / f"{key}=__HIVE_DEFAULT_PARTITION__/part-0.csv", HEADER, *rows())
    delivery = files(tmp_path).bars()
    assert list(delivery.bars.index.unique("symbol")) == ["BRK-B"]
    assert len(delivery.refused) == 1


def test_folders_of_one_day(tmp_path):
    for line in rows():
        day, *values = line.split(",")
        write(tmp_path / f"date={day}/x.csv", "symbol,open,high,low,close,volume",
              ",".join(["AAB", *values]))  # fmt: skip
    assert len(files(tmp_path).bars().bars) == 5


@pytest.mark.parametrize("name", ["AAB.parquet.gzip", "AAB.snappy.parquet", "AAB.parq", "AAB.csv"])
def test_parquet_is_known_by_its_first_bytes(tmp_path, name):
    table = pd.DataFrame([line.split(",") for line in rows()], columns=HEADER.split(","))
    pyarrow.parquet.write_table(pa.Table.from_pandas(table), tmp_path / name)
    assert len(files(tmp_path).bars().bars) == 5


def test_packed_files_without_the_suffix_and_excel_under_another(tmp_path):
    packed = gzip.compress("\n".join([HEADER, *rows()]).encode())
    (tmp_path / "AAB.csv").write_bytes(packed)
    (tmp_path / "BBC.gz").write_bytes(packed)
    (tmp_path / "CCD.csv").write_bytes(b"\xd0\xcf\x11\xe0 and so on")
    delivery = files(tmp_path).bars()
    assert list(delivery.bars.index.unique("symbol")) == ["AAB", "BBC"]
    assert "Excel" in delivery.refused["CCD.csv"]


@pytest.mark.parametrize("kind", [pa.binary(8), pa.binary_view()])
def test_symbols_as_bytes_of_one_length_and_views(tmp_path, kind):
    table = pd.DataFrame([line.split(",") for line in rows()], columns=HEADER.split(","))
    fill = 8 if pa.types.is_fixed_size_binary(kind) else 0
    names = pa.array([b"BRK.B".ljust(fill, b"\0")] * 5, pa.binary()).cast(kind)
    arrow = pa.Table.from_pandas(table).append_column("symbol", names)
    pyarrow.parquet.write_table(arrow, tmp_path / "x.parquet")
    assert list(files(tmp_path).bars().bars.index.unique("symbol")) == ["BRK-B"]


def walk(size: int = 60) -> pd.DataFrame:
    """Quiet prices around 100: closes move by half a percent, opens hardly off the close before."""
    random = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.005, size)))
    open_ = np.append(100.0, close[:-1]) * np.exp(random.normal(0, 0.002, size))
    days = pd.bdate_range("2021-03-01", periods=size + 1).drop("2021-04-02")
    return pd.DataFrame(
        {"date": days.strftime("%Y-%m-%d"), "open": open_, "close": close, "volume": 1000,
         "high": np.maximum(open_, close) * 1.002, "low": np.minimum(open_, close) * 0.998}
    )  # fmt: skip


def first_close(path: Path) -> float:
    return float(files(path).bars().bars["close"].iloc[0])


@pytest.mark.parametrize("ratio", [1.1, 1.05, 8 / 7])
@pytest.mark.parametrize("adjusted", [True, False])
def test_a_small_split_of_a_column_is_applied_where_prices_show_it_clearly(
    tmp_path, ratio, adjusted
):
    bars = walk().assign(split=1.0)
    right = bars["close"][0]
    bars.loc[30, "split"] = ratio
    if not adjusted:
        bars.loc[:29, PRICES] *= ratio
    bars.to_csv(tmp_path / "AAB.csv", index=False)
    assert first_close(tmp_path) == pytest.approx(right)


def test_a_split_too_small_to_be_seen_is_named(tmp_path):
    walk().assign(split=np.where(np.arange(60) == 30, 1.005, 1.0)).to_csv(
        tmp_path / "AAB.csv", index=False
    )
    assert any("too small to be seen" in note for note in files(tmp_path).bars().notes)


def test_factors_that_change_are_refused_until_splits_are_given(tmp_path):
    bars = walk().assign(adj_factor=np.where(np.arange(60) < 30, 1.0, 1.25))
    (tmp_path / "prices").mkdir()
    bars.to_csv(tmp_path / "prices/AAB.csv", index=False)
    with pytest.raises(InvalidData, match="adjustment factors that change"):
        files(tmp_path / "prices").bars()
    splits = write(tmp_path / "splits.csv", "symbol,session,ratio")
    assert len(files(tmp_path / "prices", splits_path=splits).bars().bars) == 60


@pytest.mark.parametrize(("columns", "factor"), [(["open", "high"], 100), (["open", "low"], 0.01)])
def test_an_open_that_its_own_session_takes_back_is_quarantined(tmp_path, columns, factor):
    bars = walk()
    bars.loc[30, columns] *= factor
    bars.to_csv(tmp_path / "AAB.csv", index=False)
    assert files(tmp_path).bars().quarantine["reason"].str.startswith("an open more than").all()


def test_a_newest_close_that_nothing_confirms_waits(tmp_path):
    bars = walk()
    bars.loc[59, ["high", "close"]] *= 100
    bars.to_csv(tmp_path / "AAB.csv", index=False)
    delivery = files(tmp_path).bars()
    assert len(delivery.bars) == 59
    assert any("newest session quarantined: AAB" in note for note in delivery.notes)


@pytest.mark.parametrize("form", ["{f}__{t}", "{f}[{t}]", "merged cells"])
def test_wide_sheets_as_people_name_and_merge_their_columns(tmp_path, form):
    fields_of = ("PX_OPEN", "PX_HIGH", "PX_LOW", "PX_LAST", "PX_VOLUME")
    tickers = ("AAB", "C US Equity")
    if form == "merged cells":
        head = [
            "Date," + ",".join(f"{ticker},,,," for ticker in tickers),
            "," + ",".join(fields_of * 2),
        ]
    else:
        names = [form.format(f=name[3:].lower(), t=t) for t in tickers for name in fields_of]
        head = ["Date," + ",".join(names).replace("last", "close")]
    lines = [f"{line},{line.split(',', 1)[1]}" for line in rows()]
    delivery = files(write(tmp_path / "x.csv", *head, *lines)).bars()
    assert delivery.bars.groupby("symbol").size().to_dict() == {"AAB": 5, "C": 5}


def test_a_volume_of_nothing_says_nothing_against_another_row_of_its_session(tmp_path):
    lines = rows(DAYS)
    write(tmp_path / "AAB.csv", HEADER, *lines, lines[-1].rpartition(",")[0] + ",0")
    read = files(tmp_path).bars().bars
    assert len(read) == len(DAYS)
    assert read["volume"].iloc[-1] == 100
