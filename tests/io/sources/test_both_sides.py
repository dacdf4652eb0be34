"""Both sides of what readers say: one thing amiss, many, and nothing; packed and ordinary."""

from __future__ import annotations

import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.errors import InvalidData, InvalidSettings
from pipeline.io.sources.bar_rules import require_symbols
from pipeline.io.sources.files import splits as splitting
from pipeline.io.sources.files.accepting import Accepted
from pipeline.io.sources.files.documents import listed
from pipeline.io.sources.files.layouts import series
from pipeline.io.sources.files.ratios import check_factor
from pipeline.io.sources.files.refusals import SHOWN, nothing
from pipeline.io.sources.files.symbol_table import given_splits
from pipeline.io.sources.lists import Limit, read_list
from pipeline.io.sources.quality import PROVISIONAL, quality
from pipeline.io.sources.universe import read_universe
from pipeline.io.sources.yahoo.cleaning import with_late_splits
from pipeline.io.sources.yahoo.download import Answers, answers
from pipeline.report.quality_page import printed_quality
from tests.io.sources.files.hand_made import HEADER, WEEK, files, rows, write
from tests.workspaces import delivery

TEXT = "\n".join([HEADER, *rows()]) + "\n"


@pytest.mark.parametrize(("count", "more"), [(0, ""), (1, ""), (5, ""), (6, "and 1 more")])
def test_names_that_are_no_symbols(count, more) -> None:
    names = ["AAB", *(f"={n}" for n in range(count))]
    if not count:
        return require_symbols(names)
    with pytest.raises(InvalidData, match=f"no symbols: '=0'.*{more}") as caught:
        require_symbols(names)
    assert ("more" in str(caught.value)) == bool(more)
    return None


def test_what_may_be_accepted_and_what_is_no_session() -> None:
    some = Accepted.of(["AAB", "BBC:2021-03-08"], share_class_by_dot=True)
    assert some.symbols == {"AAB"}
    assert [str(event) for event in some.events] == ["BBC 2021-03-08 1"]
    assert Accepted.of([], share_class_by_dot=True).events == []
    for wrong in ("BBC:soon", "BBC:2021-02-30"):
        with pytest.raises(InvalidSettings, match="a symbol, or symbol:session"):
            Accepted.of([wrong], share_class_by_dot=True)


@pytest.mark.parametrize(
    ("members", "kinds", "reason"),
    [
        ({"AAB.csv": TEXT, "in/": ""}, ["text"], ""),
        ({"AAB": TEXT, "in/BBC.mst": TEXT}, ["text", "text"], ""),
        ({"AAB.csv": TEXT, "__MACOSX/._AAB.csv": "x", ".hidden.csv": TEXT}, ["text"], ""),
        ({"AAB.csv": TEXT, "more.zip": "x"}, ["text"], "not read inside a zip file"),
        ({"readme.md": "about"}, [], "no CSV or Parquet file in it"),
        ({}, [], "no CSV or Parquet file in it"),
        ({"xl/workbook.xml": "x"}, [], "an Excel file"),
    ],
)
def test_what_a_zip_file_may_hold(tmp_path, members, kinds, reason) -> None:
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    documents, unread = listed(tmp_path, [])
    assert [document.kind for document in documents] == kinds
    assert all(reason in why for why in unread.values())
    assert bool(unread) == bool(reason)


def test_a_zip_file_with_a_password_is_named(tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("AAB.csv", TEXT)
    content = bytearray((tmp_path / "some.zip").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # of the directory: encrypted
    (tmp_path / "some.zip").write_bytes(content)
    documents, unread = listed(tmp_path, [])
    assert documents == []
    assert "a zip file with a password" in unread["some.zip"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_stream_of_arrow_and_a_zipped_parquet_file(tmp_path, packed) -> None:
    table = pa.table({"date": list(WEEK), **{n: [10.0] * 5 for n in HEADER.split(",")[1:]}})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    file = tmp_path / ("x.zip" if packed else "AAB.arrows")
    if packed:
        table.to_pandas().to_parquet(tmp_path / "x")
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("AAB.arrow", sink.getvalue().to_pybytes())
            archive.write(tmp_path / "x", "BBC.parquet")
        (tmp_path / "x").unlink()
    else:
        file.write_bytes(sink.getvalue().to_pybytes())
    read = files(tmp_path).bars()
    assert list(read.bars.index.unique("symbol")) == (["AAB", "BBC"] if packed else ["AAB"])
    assert not read.refused


def test_decimals_of_a_database_are_numbers_and_lists_are_none() -> None:
    column = pa.chunked_array([pa.array([Decimal("1.00"), Decimal("2.50")])])
    assert series(column).tolist() == [1.0, 2.5]
    with pytest.raises(pa.ArrowTypeError, match="not of single values"):
        series(pa.chunked_array([pa.array([[1], [2]])]))


@pytest.mark.parametrize("refused", [0, 1, SHOWN, SHOWN + 1])
def test_the_error_where_nothing_can_be_loaded(refused) -> None:
    error = nothing(Path("p"), {f"F{n}.csv": "odd" if n else "" for n in range(refused)})
    assert ("and 1 more" in error.found) == (refused > SHOWN)
    assert ("no CSV or Parquet file in it" in error.found) == (refused == 0)
    assert len(error.faults) == refused
    assert ": \n" not in error.found + "\n"


def factors(*values: object, split: bool = False) -> pd.DataFrame:
    table = pd.DataFrame({"factor": list(values)})
    return table.assign(split=1.0) if split else table


@pytest.mark.parametrize(
    ("columns", "is_given", "is_refused"),
    [
        (factors(*[1.0] * 40, *[2.0] * 40), False, True),
        (factors(*["1:1"] * 40, *["2:1"] * 40), False, True),
        (factors(*[1.0] * 80), False, False),
        (factors(*[1.0, 2.0] * 40), False, False),
        (factors(*[1.0] * 40, *[2.0] * 40), True, False),
        (factors(*[1.0] * 40, *[2.0] * 40, split=True), False, False),
        (pd.DataFrame({"close": [1.0] * 80}), False, False),
    ],
)  # fmt: skip
def test_factors_that_change_and_that_do_not(columns, is_given, is_refused) -> None:
    codes = np.zeros(len(columns), np.intp)
    if is_refused:
        with pytest.raises(InvalidData, match="adjustment factors that change"):
            check_factor("x", columns, codes, splits_are_given=is_given)
    else:
        check_factor("x", columns, codes, splits_are_given=is_given)


def test_lines_of_splits_that_are_none_one_and_several(tmp_path) -> None:
    head = "symbol,session,ratio"
    assert given_splits(None, 50, share_class_by_dot=True) == []
    assert given_splits(write(tmp_path / "a.csv", head), 50, share_class_by_dot=True) == []
    for count, more in ((1, "is no split\n"), (3, "is no split, nor are 2 others")):
        file = write(tmp_path / "b.csv", head, "AAB,2021-03-08,2", *["AAB,2021-03-09,-1"] * count)
        with pytest.raises(InvalidData) as caught:
            given_splits(file, 50, share_class_by_dot=True)
        assert more in str(caught.value)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [("2021-03-09", "2021-03-08", "is a member from"), ("soon", "", "'soon' in column from")],
)
@pytest.mark.parametrize("count", [1, 2])
def test_memberships_that_are_none_one_and_several(tmp_path, first, last, words, count) -> None:
    head, good = "symbol,from,to", "GOOD,2021-03-08,2021-03-09"
    assert len(read_universe(write(tmp_path / "a.csv", head, good), str, 50).lines) == 1
    wrong = [f"S{n},{first},{last}" for n in range(count)]
    with pytest.raises(InvalidData, match=words) as caught:
        read_universe(write(tmp_path / "b.csv", head, good, *wrong), str, 50)
    assert ("1 others" in str(caught.value)) == (count == 2)


def test_a_list_that_cannot_be_read_is_named(tmp_path) -> None:
    (tmp_path / "a.csv").mkdir()
    for name in ("a.csv", "none.csv"):
        with pytest.raises(InvalidData, match=f"{name}: "):
            read_list(tmp_path / name, ("symbol",), Limit(1))


@pytest.mark.parametrize("provisional", [0, 1, 5])
def test_bars_that_are_not_final_have_a_row_of_the_table_by_rule(provisional) -> None:
    index = pd.MultiIndex.from_product(
        [pd.DatetimeIndex(WEEK), ["AAB"]], names=["session", "symbol"]
    )
    bars = pd.DataFrame(dict.fromkeys(HEADER.split(",")[1:], 10.0), index)
    bars["final"] = np.arange(5) >= provisional
    table = quality({"stocks": delivery(bars)})
    assert table["bars"][table["what"] == PROVISIONAL].tolist() == [provisional][: provisional > 0]
    assert (PROVISIONAL in printed_quality(table)) == (provisional > 0)


def test_special_dividends_are_none_some_or_too_many_to_name() -> None:
    for count in (0, 10, 11):
        days = pd.bdate_range("2021-03-01", periods=30)
        bars = pd.DataFrame({"symbol": "AAB", "session": days, "close": 10.0})
        bars["adjusted_close"] = 10.0
        bars["dividend"] = np.where(np.arange(30) < count + 1, 2.0, 0.0)
        said = splitting.payments(bars, [])
        assert len(said) == (count > 0)
        assert any("and 1 more" in line for line in said) == (count == 11)


@pytest.mark.parametrize(
    ("session", "ratio", "before", "after", "first"),
    [("2021-03-10", 2.0, 20.0, 10.0, 10.0), ("2021-03-10", 2.0, 10.0, 10.0, 10.0),
     ("2021-03-10", 1.001, 20.0, 10.0, 20.0), ("2021-03-08", 2.0, 20.0, 10.0, 20.0),
     ("2021-03-15", 2.0, 20.0, 10.0, 20.0), ("2021-03-10", 2.0, 20.0, 0.0, 20.0)],
)  # fmt: skip
def test_a_late_split_is_applied_where_prices_step_by_it_alone(
    session, ratio, before, after, first
) -> None:
    days = pd.DatetimeIndex(WEEK)
    price = np.where(days < pd.Timestamp("2021-03-10"), before, after)
    bars = pd.DataFrame(dict.fromkeys(HEADER.split(",")[1:], price), days)
    done = with_late_splits(bars, pd.Series({pd.Timestamp(session): ratio}))
    assert done["close"].iloc[0] == first


@pytest.mark.parametrize("count", [0, 2, 3])
def test_symbols_are_requested_in_one_batch_in_several_and_not_at_all(count, caplog) -> None:
    from pipeline.io.sources.settings import Download

    rules = Download(start="2020-01-01", batch_size=2, threads=1, attempts=1, backoff_seconds=0,
                     timeout_seconds=1, close_delay_minutes=0, overlap_sessions=1)  # fmt: skip
    with caplog.at_level("INFO"):
        given = answers(
            [f"S{n}" for n in range(count)], lambda name: pd.DataFrame({name: [1]}), rules
        )
    assert isinstance(given, Answers)
    assert len(given.histories) == count
    assert ("symbols requested" in caplog.text) == (count == 3)
