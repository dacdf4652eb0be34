"""Files that would fill the memory, and names that are more than names."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from pipeline.config.compose import check, compose
from pipeline.errors import InvalidData
from pipeline.io.sources.files.source import Files
from pipeline.io.sources.universe import read_universe

DAYS = pd.bdate_range("2020-01-02", periods=30)
TABLE = "date,open,high,low,close,volume\n" + "".join(
    f"{day:%Y-%m-%d},10,11,9,{10 + n / 100},1000\n" for n, day in enumerate(DAYS)
)
BOMB = TABLE.encode() + b" " * 3_000_000


def files(folder: Path, *overrides: str) -> Files:
    words = ["data=files", f"data.path={folder}", "data.max_megabytes=2", *overrides]
    return Files(check(compose(words)).data)  # type: ignore[arg-type]


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("B.csv", BOMB)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("B.csv", lambda path: path.write_bytes(BOMB)),
        ("B.csv.gz", lambda path: path.write_bytes(gzip.compress(BOMB))),
        ("B.csv.bz2", lambda path: path.write_bytes(bz2.compress(BOMB))),
        ("B.csv.xz", lambda path: path.write_bytes(lzma.compress(BOMB))),
        ("B.zip", zipped),
    ],
)
def test_a_file_that_is_too_large_is_set_aside_and_the_others_are_read(tmp_path, name, write):
    (tmp_path / "A.csv").write_text(TABLE)
    write(tmp_path / name)
    given = files(tmp_path).bars()
    assert given.bars.index.get_level_values("symbol").unique().to_list() == ["A"]
    (why,) = given.refused.values()
    assert "more than 2 MB, unpacked; needed:" in why
    assert "data.max_megabytes=4" in why


def test_one_that_is_too_large_alone_is_refused(tmp_path):
    (tmp_path / "B.csv").write_bytes(BOMB)
    with pytest.raises(InvalidData, match="has more than 2 MB"):
        files(tmp_path / "B.csv").bars()


def test_a_field_without_end_leaves_its_file_out(tmp_path):
    long = TABLE.replace("10,11,9", f"10,11,{'9' * 5_000_000}", 1)
    (tmp_path / "A.csv").write_text(TABLE)
    (tmp_path / "B.csv").write_text(long)
    given = files(tmp_path, "data.max_megabytes=20").bars()
    assert "a line of more than 1,000,000 characters" in given.refused["B.csv"]
    kept = given.bars.index.get_level_values("symbol").value_counts()
    assert kept["A"] == len(DAYS) - 1  # one is no session
    assert "B" not in kept


@pytest.mark.parametrize("column", ["open", "symbol", "date"])
def test_a_long_field_is_said_with_its_column_and_how_to_allow_it(tmp_path, column):
    rows = pd.DataFrame({"date": DAYS.strftime("%Y-%m-%d"), "symbol": "AAA", "open": "10.25",
                         "high": "11", "low": "9", "close": "10.5", "volume": "1000"})  # fmt: skip
    rows.loc[3, column] = "x" * 2000
    rows.to_csv(tmp_path / "prices.csv", index=False)
    rows.to_parquet(tmp_path / "prices.parquet")
    for name in ("prices.csv", "prices.parquet"):
        with pytest.raises(InvalidData, match=f"{column} has a field of 2,000 characters") as told:
            files(tmp_path / name).bars()
        assert "data.max_field_characters=2000" in str(told.value)


def test_a_number_of_many_digits_is_none(tmp_path):
    (tmp_path / "A.csv").write_text(TABLE.replace("10,11", f"10,{'9' * 2000}", 1))
    assert len(files(tmp_path).bars().bars) == len(DAYS) - 2  # one is no session


@pytest.mark.parametrize("key", ["symbols_path", "splits_path"])
def test_a_list_is_limited_too(tmp_path, key):
    (tmp_path / "A.csv").write_text(TABLE)
    large = tmp_path / "lists" / "list.csv"
    large.parent.mkdir()
    large.write_text("symbol,session,ratio\n" + "AAA,2020-01-02,1\n" * 130_000)
    with pytest.raises(InvalidData, match=r"list\.csv has more than 2 MB"):
        files(tmp_path / "A.csv", f"data.{key}={large}").bars()


def test_a_universe_is_limited(tmp_path):
    (tmp_path / "list.csv").write_text("symbol\n" + "AAA\n" * 300_000)
    with pytest.raises(InvalidData, match=r"(?s)than 1 MB.*universe\.max_megabytes=2"):
        read_universe(tmp_path / "list.csv", str, 1)


@pytest.mark.parametrize("name", ["=1+1", "../../etc/passwd", "*", "A\x07B", "A\nB", "@SUM(A1)"])
def test_a_name_that_is_none_is_no_symbol(tmp_path, name):
    rows = pd.DataFrame({"date": DAYS, "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5,
                         "volume": 1000})  # fmt: skip
    both = pd.concat([rows.assign(symbol="AAA"), rows.assign(symbol=name)])
    both.to_csv(tmp_path / "prices.csv", index=False)
    given = files(tmp_path).bars()
    assert given.bars.index.get_level_values("symbol").unique().to_list() == ["AAA"]
    assert "30 rows of 1 names that are no symbols left out" in " ".join(given.notes)
