"""The source as a whole: what loads of a folder, what it says, and when it has to be read again."""

from __future__ import annotations

import os

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidData, InvalidSettings
from pipeline.io.store.store import Store
from tests.io.sources.files.hand_made import HEADER, WEEK, files, rows, write


@pytest.fixture
def folder(tmp_path):
    """Two stocks, an index, a table of symbols and an error message."""
    made = tmp_path / "prices"
    write(made / "ABC.csv", HEADER, *rows())
    write(made / "BRK.B.csv", HEADER, *rows(first=20))
    write(made / "^GSPC.csv", HEADER, *rows(first=4000))
    write(made / "BAD.csv", "{", "Error Message", "}")
    write(made / "symbols.csv", "Ticker,exchange,GICS Sector,Company",
          "ABC,NYSE,,A Inc",
          "BRK.B,NYSE,Financials,Berkshire", "OTHER,NYSE,Energy,Other")  # fmt: skip
    return made


def test_a_file_that_cannot_be_read_is_set_aside_while_the_others_load(folder):
    source = files(folder, symbols_path=folder / "symbols.csv")
    assert source.bars().bars.index.unique("symbol").tolist() == ["ABC", "BRK-B"]
    assert list(source.bars().refused) == ["BAD.csv"]
    assert "web service" in source.bars().refused["BAD.csv"]


def test_where_nothing_is_left_it_is_an_error_with_the_reasons(tmp_path):
    write(tmp_path / "BAD.csv", "{", "}")
    write(tmp_path / "WORSE.csv", "")
    with pytest.raises(InvalidData, match=r"(?s)BAD\.csv.*web service.*WORSE\.csv.*empty"):
        files(tmp_path).bars()


def test_an_empty_folder_says_so(tmp_path):
    with pytest.raises(InvalidData, match="no CSV or Parquet file in it"):
        files(tmp_path).symbols()


def test_a_path_that_leads_nowhere_is_named_with_its_key(tmp_path):
    path = write(tmp_path / "ABC.csv", HEADER, *rows())
    with pytest.raises(InvalidSettings, match=r"data\.index_path=.*nowhere does not exist"):
        files(path, tmp_path / "nowhere")


def test_one_path_for_stocks_and_indices_is_refused(folder):
    with pytest.raises(InvalidSettings, match=r"is data\.path"):
        files(folder, folder)


def test_symbols_are_described_by_their_table(folder):
    source = files(folder, symbols_path=folder / "symbols.csv")
    listed = source.symbols()
    assert listed["kind"].to_dict() == {"ABC": "stock", "BRK-B": "stock", "^GSPC": "index"}
    assert listed.loc["BRK-B"].tolist() == ["NYSE", "Financials", "Berkshire", "stock"]
    assert pd.isna(listed.loc["ABC", "sector"])
    assert "symbols.csv: 2 of 2 symbols described" in source.bars().notes


def test_columns_of_the_prices_describe_what_the_table_does_not(tmp_path):
    lines = [
        f"{line},{n},NYSE,{s}" for n, s in (("ABC", "Energy"), ("XYZ", "Tech")) for line in rows()
    ]
    path = write(tmp_path / "long.csv", f"{HEADER},symbol,exchange,sector", *lines)
    table = write(tmp_path / "table.txt", "symbol,sector", "ABC,Utilities")
    assert files(path, symbols_path=table).symbols()["sector"].tolist() == ["Utilities", "Tech"]


def test_a_part_is_asked_for_by_symbols_and_dates(folder):
    part = files(folder).bars(["ABC"], pd.Timestamp(WEEK[1]), pd.Timestamp(WEEK[2])).bars
    assert part.index.get_level_values("symbol").tolist() == ["ABC", "ABC"]
    assert files(folder).last_session() == pd.Timestamp(WEEK[4])


def test_the_version_changes_with_a_file_its_time_and_how_it_is_read(folder):
    before = files(folder).version
    assert files(folder).version == before
    assert files(folder, day_first=True).version != before
    os.utime(folder / "ABC.csv", (1e9, 1e9))
    touched = files(folder).version
    assert touched != before
    write(folder / "NEW.csv", HEADER, *rows())
    assert files(folder).version != touched


def test_a_bar_in_a_file_written_before_its_session_closed_is_provisional(tmp_path):
    file = write(tmp_path / "ABC.csv", HEADER, *rows())
    noon = pd.Timestamp(f"{WEEK[4]} 12:00", tz="America/New_York").timestamp()
    os.utime(file, (noon, noon))
    delivery = files(file).bars()
    assert delivery.bars["final"].tolist() == [True] * 4 + [False]
    assert "1 bars are provisional" in delivery.notes[-1]


def test_what_was_delivered_goes_into_a_store_and_comes_back(folder, tmp_path):
    source = files(folder)
    store = Store.open(tmp_path / "files.db")
    store.write_symbols(source.symbols())
    assert store.write_bars(source.bars()).new == 10
    store.write_bars(source.index_bars())
    panel = store.bar_panel()
    assert panel.close["ABC"].tolist() == [10.5, 11.5, 12.5, 13.5, 14.5]
    assert panel.symbols.tolist() == ["ABC", "BRK-B"]
    assert store.write_bars(files(folder).bars()).rows == 0
    store.close()


@pytest.fixture
def panel(tmp_path):
    """The same ten bars as one long Parquet file, one long CSV, and a folder of one per symbol."""
    parts = {"ABC": rows(), "XYZ": rows(first=20)}
    lines = [f"{line},{name}" for name, part in parts.items() for line in part]
    long = write(tmp_path / "long.csv", f"{HEADER},symbol", *lines)
    pd.read_csv(long).to_parquet(tmp_path / "long.parquet")
    for name, part in parts.items():
        write(tmp_path / "folder" / f"{name}.csv", HEADER, *part)
    return [tmp_path / "long.parquet", long, tmp_path / "folder"]


def test_long_files_and_a_file_a_symbol_deliver_the_same(panel):
    first, *others = (files(path).bars().bars for path in panel)
    assert len(first) == 10
    for other in others:
        pd.testing.assert_frame_equal(first, other)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.permutations([*rows(), "2021-03-13,1,2,1,2,5", "2021-03-15,1,1.5,1,2,5", rows()[1]]))
def test_the_order_of_rows_does_not_matter(tmp_path, lines):
    delivery = files(write(tmp_path / "ABC.csv", HEADER, *lines)).bars()
    assert delivery.bars["close"].tolist() == [10.5, 11.5, 12.5, 13.5, 14.5]
    assert delivery.quarantine["reason"].tolist() == [
        "row given twice, kept once", "no session of XNYS", "high below another price"
    ]  # fmt: skip
    assert delivery.bars.index.is_monotonic_increasing


def test_text_far_down_in_a_column_of_numbers_is_read_like_the_rest(tmp_path):
    days = pd.bdate_range("1990-01-01", "2020-12-31").strftime("%Y-%m-%d")
    lines = [
        f"{day},10.123456789012,11.123456789012,9.123456789012,10.5123456,1000" for day in days
    ]
    lines += ['2021-03-08,10,11,9,10.5,"1,234,567"']
    assert sum(map(len, lines)) > 2**19, "longer than the block that types would be guessed from"
    delivery = files(write(tmp_path / "ABC.csv", HEADER, *lines)).bars()
    assert delivery.bars["volume"].iloc[-1] == 1_234_567
    assert delivery.bars["open"].iloc[0] == 10.123456789012


def test_bars_before_the_first_year_of_a_calendar_are_set_aside_with_that_reason(tmp_path):
    file = write(tmp_path / "ABC.csv", HEADER, *rows(["1950-03-08"]))
    with pytest.raises(InvalidData, match="1 bars: before AIXK is known, from 2017-01-01 on"):
        files(file, exchange_calendar="AIXK").bars()
    with pytest.raises(InvalidSettings, match="exchange_calendar='NIX'"):
        files(file, exchange_calendar="NIX").bars()
