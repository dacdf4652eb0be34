"""Which bars are final: by what was there when a file was downloaded, not by its stamp alone."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from tests.io.sources.files.hand_made import HEADER, WEEK, files, rows, write

CLOSE = pd.Timestamp("2021-03-12 21:00", tz="UTC")
"""Of the newest session of the week, 16:00 in New York."""


def stamped(file: Path, at: pd.Timestamp) -> Path:
    os.utime(file, (at.timestamp(), at.timestamp()))
    return file


def final(path: Path) -> list[bool]:
    return files(path).bars().bars["final"].tolist()


@pytest.mark.parametrize(
    ("written", "newest"),
    [
        (CLOSE + pd.Timedelta("1min"), True),
        (CLOSE - pd.Timedelta("1min"), False),
        (pd.Timestamp("1980-01-01", tz="UTC"), True),  # unpacked: the stamp proves nothing
        (pd.Timestamp("2021-03-10 12:00", tz="UTC"), True),  # before days that the file holds
    ],
)
def test_the_newest_bar_is_final_if_it_can_have_been_downloaded_after_the_close(
    tmp_path, written, newest
):
    file = stamped(write(tmp_path / "ABC.csv", HEADER, *rows()), written)
    assert final(file) == [True] * 4 + [newest]


def test_a_bar_before_the_newest_of_its_file_was_over_when_that_was_written(tmp_path):
    stamped(
        write(tmp_path / "ABC.csv", HEADER, *rows()), pd.Timestamp("2021-03-12 15:00", tz="UTC")
    )
    assert final(tmp_path) == [True] * 4 + [False]


def test_a_stamp_that_proves_nothing_is_said(tmp_path):
    file = stamped(
        write(tmp_path / "ABC.csv", HEADER, *rows()), pd.Timestamp("1980-01-01", tz="UTC")
    )
    assert any("time stamps of ABC.csv lie before" in note for note in files(file).bars().notes)


def test_of_a_zip_file_the_time_of_its_member_counts(tmp_path):
    with zipfile.ZipFile(tmp_path / "ABC.zip", "w") as archive:
        entry = zipfile.ZipInfo("ABC.csv", (2021, 3, 12, 15, 0, 0))
        archive.writestr(entry, "\n".join([HEADER, *rows()]))
    assert final(tmp_path) == [True] * 4 + [False]


@pytest.mark.parametrize(("clock", "newest"), [("11:03:27", False), ("16:20:00", True)])
def test_a_time_of_day_that_the_newest_bar_alone_has_is_when_it_was_read(tmp_path, clock, newest):
    days = pd.bdate_range("2021-03-01", periods=10).strftime("%Y-%m-%d")
    lines = [
        line.replace(day, f"{day} 09:30:00") for day, line in zip(days, rows(days), strict=True)
    ]
    lines[-1] = lines[-1].replace("09:30:00", clock)
    file = write(tmp_path / "ABC.csv", HEADER, *lines)
    assert final(file) == [True] * 9 + [newest]
    assert WEEK[-1] == days[-1]
