"""Universes: headers as people write them, spelling, and memberships that begin and end."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.config.compose import check, compose
from pipeline.errors import InvalidData
from pipeline.io.sources.universe import (
    Universe,
    is_member,
    members,
    of_names,
    read_universe,
    spelling,
)

SESSIONS = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"])


def universe(folder: Path, text: str, *source: str) -> Universe:
    file = folder / "list.csv"
    file.write_text(text)
    return read_universe(file, spelling(check(compose(source)).data), 50)


@pytest.mark.parametrize("head", ["symbol", "Symbol", "Ticker", "TICKER", "Code", "\ufeffSymbol"])
@pytest.mark.parametrize("written", ["BRK.B", "BRK-B", "brk.b", " BRK.B "])
def test_symbols_are_found_under_any_header_and_spelled_as_the_source_does(tmp_path, head, written):
    text = f"{head},Name,Sector\nAAB,A A B,Industrials\n{written},B,Financials\n"
    read = universe(tmp_path, text, "data=files", "++data.path=x")
    assert read.symbols == ("AAB", "BRK-B")
    assert read.described.loc["AAB", "sector"] == "Industrials"
    assert not read.is_dated


@pytest.mark.parametrize("head", ["Tickers", "Stock Symbol", "Holding Ticker", "RIC"])
@pytest.mark.parametrize("title", ["", "sep=,\n", "Fund Holdings as of,2024\n\n"])
def test_titles_may_stand_above_and_days_may_have_a_midnight_or_words_for_nothing(
    tmp_path, head, title
):
    text = f"{title}{head},From,To\nNASDAQ:AAB,2010-01-04 00:00:00,NaN\nBRK.B,,2020-01-31\n"
    read = universe(tmp_path, text, "data=files", "++data.path=x")
    assert read.symbols == ("AAB", "BRK-B")
    assert read.lines["from"].tolist() == [pd.Timestamp("2010-01-04"), pd.NaT]
    assert read.lines["to"].tolist() == [pd.NaT, pd.Timestamp("2020-01-31")]


def test_elsewhere_a_dot_is_an_exchange(tmp_path):
    source = ("data=files", "++data.path=x", "data.exchange_calendar=XTKS")
    assert universe(tmp_path, "Ticker\n7203.T\n", *source).symbols == ("7203.T",)


def test_on_and_null_are_symbols_and_an_empty_line_is_none(tmp_path):
    assert universe(tmp_path, "symbol;sector\nON;\nNULL;\n;\n").symbols == ("ON", "NULL")


def test_a_symbol_is_a_member_from_its_first_to_its_last_day_and_may_come_back(tmp_path):
    text = (
        "symbol,from,to\nALWAYS,,\nJOINS,2024-01-04,\nLEAVES,,2024-01-03\n"
        "BACK,,2024-01-02\nBACK,2024-01-05,\nBEFORE,2010-01-01,2020-01-01\n"
    )
    read = universe(tmp_path, text)
    assert read.is_dated
    table = members(read, SESSIONS).astype(int)
    assert {name: table[name].tolist() for name in table} == {
        "ALWAYS": [1, 1, 1, 1], "JOINS": [0, 0, 1, 1], "LEAVES": [1, 1, 0, 0],
        "BACK": [1, 0, 0, 1], "BEFORE": [0, 0, 0, 0],
    }  # fmt: skip
    assert table.columns.is_monotonic_increasing


def test_symbols_given_by_name_are_members_throughout():
    assert members(of_names(["B", "A"]), SESSIONS).to_numpy().all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("code_name,sector\nA,B\n", "no column symbol"),
        ("symbol,from\nA,soon\n", "'soon' in column from is no date"),
        (
            "symbol,from,to\nA,2024-02-01,2024-01-01\n",
            "A is a member from 2024-02-01 to 2024-01-01",
        ),
    ],
)
def test_what_is_no_universe_is_refused_in_words(tmp_path, text, words):
    with pytest.raises(InvalidData, match=words):
        universe(tmp_path, text)


def test_a_row_counts_only_while_its_symbol_is_a_member_and_the_digest_tells_who(tmp_path):
    file = tmp_path / "members.csv"
    file.write_text("Symbol,from,to\nA,,2024-01-02\nB,2024-01-03,\nA,2024-01-04,\n")
    universe = read_universe(file, str, 50)
    rows = pd.MultiIndex.from_product(
        [pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04"]), ["A", "B", "C"]],
        names=["session", "symbol"],
    )
    told = is_member(universe, rows).reshape(3, 3).astype(int).tolist()
    assert told == [[1, 0, 0], [0, 1, 0], [1, 1, 0]]
    file.write_text("Symbol,from,to\nA,,2024-01-02\nB,2024-01-03,\nA,2024-01-05,\n")
    assert read_universe(file, str, 50).digest != universe.digest


@pytest.mark.parametrize(
    ("begins", "ends"),
    [("entry_date", "exit_date"), ("valid_from", "valid_to"), ("in", "out"), ("Joined", "Left"),
     ("begin", "end"), ("added_date", "removed_date"), ("from_dt", "thru_dt")],
)  # fmt: skip
def test_memberships_under_other_names(tmp_path, begins, ends):
    read = universe(tmp_path, f"symbol,{begins},{ends}\nAAB,2010-01-04,2012-05-01\n")
    (line,) = read.lines[["from", "to"]].to_numpy().tolist()
    assert [f"{pd.Timestamp(day):%Y-%m-%d}" for day in line] == ["2010-01-04", "2012-05-01"]


def test_a_column_of_dates_that_may_be_memberships_is_not_passed_over(tmp_path):
    text = "symbol,{},sector\nAAB,2010-01-04,x\nXYZ,2012-05-01,y\n"
    with pytest.raises(InvalidData, match="column effective date holds dates"):
        universe(tmp_path, text.format("effective_date"))
    assert not universe(tmp_path, text.format("ipo_date")).is_dated
    with pytest.raises(InvalidData, match="a column of dates, and one date a symbol"):
        universe(tmp_path, text.format("date"))


@pytest.mark.parametrize(
    "text",
    [
        'date,tickers\n2024-01-02,"AAB,BRK.B"\n2024-01-03,BRK.B\n2024-01-04,"AAB,BRK.B"\n',
        "date,symbol\n2024-01-04,AAB\n2024-01-04,BRK.B\n2024-01-02,AAB\n2024-01-02,BRK.B\n"
        "2024-01-03,BRK.B\n",
    ],
)
def test_the_members_of_each_date_stay_until_the_day_before_the_next(tmp_path, text):
    read = universe(tmp_path, text)
    assert members(read, SESSIONS).to_numpy().T.tolist() == [
        [True, False, True, True],  # AAB
        [True, True, True, True],  # BRK-B
    ]
    before = members(read, pd.DatetimeIndex(["2024-01-01"]))
    assert not before.to_numpy().any(), "nothing is known before the first date"
    assert universe(tmp_path, "date,symbol\n2024-01-02,AAB\n2024-01-02,C\n").symbols == ("AAB", "C")
