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
    (why,) = given.set_aside.values()
    assert "more than 2 MB, unpacked; needed:" in why
    assert "data.max_megabytes=4" in why


def test_one_that_is_too_large_alone_is_refused(tmp_path):
    (tmp_path / "B.csv").write_bytes(BOMB)
    with pytest.raises(InvalidData, match="has more than 2 MB"):
        files(tmp_path / "B.csv").bars()


def test_a_field_without_end_leaves_its_row_out_or_its_file(tmp_path):
    long = TABLE.replace("10,11,9", f"10,11,{'9' * 1_500_000}", 1)
    (tmp_path / "A.csv").write_text(TABLE)
    (tmp_path / "B.csv").write_text(long)
    given = files(tmp_path).bars()
    kept = given.bars.index.get_level_values("symbol").value_counts()
    assert kept["A"] == len(DAYS) - 1  # one is no session
    assert kept.get("B", 0) in (0, len(DAYS) - 2)


@pytest.mark.parametrize("name", ["=1+1", "../../etc/passwd", "*", "A\x07B", "A\nB", "@SUM(A1)"])
def test_a_name_that_is_none_is_no_symbol(tmp_path, name):
    rows = pd.DataFrame({"date": DAYS, "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5,
                         "volume": 1000})  # fmt: skip
    both = pd.concat([rows.assign(symbol="AAA"), rows.assign(symbol=name)])
    both.to_csv(tmp_path / "prices.csv", index=False)
    given = files(tmp_path).bars()
    assert given.bars.index.get_level_values("symbol").unique().to_list() == ["AAA"]
    assert "30 rows of 1 names that are no symbols left out" in " ".join(given.notes)
