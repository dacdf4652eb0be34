"""Where the rows of a text file begin, how they are split, and what is read of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files import sheets
from pipeline.io.sources.files.documents import Document
from tests.io.sources.files.hand_made import how

HEADER = "Date,Open,High,Low,Close,Volume"
NAMES = HEADER.split(",")
ROW = "2021-03-08,10,11,9,10.5,100"
PLACES = {name.lower(): str(place) for place, name in enumerate(NAMES, start=1)}


def document(folder: Path, text: str | bytes, name: str = "AAB.csv") -> Document:
    content = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    return Document(folder / name, name, "text")


def opened(folder: Path, text: str | bytes, name: str = "AAB.csv", **options) -> sheets.Sheet:
    return sheets.opened(document(folder, text, name), how(path=folder, **options))


def values(folder: Path, text: str | bytes, name: str = "AAB.csv", **options) -> list[list]:
    """The rows as read, in the order of the header."""
    file, given = document(folder, text, name), how(path=folder, **options)
    sheet = sheets.opened(file, given)
    rows, _ = sheets.rows(file, sheet, sheet.names, sheet.names, sheet.names[:1], 0, given)
    return [list(row.values()) for row in rows.to_pylist()]


@pytest.mark.parametrize("name", ["AAB.csv", "AAB.csv.gz"])
@pytest.mark.parametrize(
    ("before", "skip", "title"),
    [
        ("", 1, 0), ("\n\n", 3, 0), ("AAB\n\n", 3, 1), ("sep=,\n", 2, 0), ('"SEP=,"\n', 2, 0),
        ("sep=, \nAAB\n", 3, 1), ("AAB\n" * 29, 30, 29), (" ,;\t|\nAAB\n", 3, 1),
    ],
)  # fmt: skip
def test_rows_begin_behind_the_header_wherever_it_stands(tmp_path, name, before, skip, title):
    text = f"{before}{HEADER}\n{ROW}\n"
    sheet = opened(tmp_path, text, name)
    assert (sheet.skip, sheet.title, sheet.separator) == (skip, title, ",")
    assert (sheet.names, sheet.lines[1]) == (NAMES, ROW.split(","))
    assert values(tmp_path, text, name) == [["2021-03-08", 10.0, 11.0, 9.0, 10.5, 100.0]]


def test_a_header_behind_thirty_lines_is_none(tmp_path):
    assert opened(tmp_path, "AAB\n" * 30 + f"{HEADER}\n{ROW}\n").names == ["AAB"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_what_separates_columns_and_lines(tmp_path, separator, end):
    text = end.join(line.replace(",", separator) for line in ("AAB", "", HEADER, ROW)) + end
    assert opened(tmp_path, text).separator == separator
    assert values(tmp_path, text) == [["2021-03-08", 10.0, 11.0, 9.0, 10.5, 100.0]]


def test_a_separator_that_a_line_names_wins_over_the_most_frequent_one(tmp_path):
    more = opened(tmp_path, f"sep=;\n{HEADER.replace(',', ';')};A,B,C,D,E,F,G,H\n")
    assert more.names == [*NAMES, "A,B,C,D,E,F,G,H"]
    text = f"sep=;\n{HEADER.replace(',', ';')}\n2021-03-08;1,0;1,1;0,9;1,0;1,,,,,,\n"
    assert opened(tmp_path, text).separator == ";"
    assert values(tmp_path, text)[0][1] == "1,0"


@pytest.mark.parametrize("name", ["AAB.txt", "AAB.txt.gz"])
@pytest.mark.parametrize("gap", [" ", "   "])
def test_columns_apart_by_spaces(tmp_path, name, gap):
    lines = [line.replace(",", gap) for line in (HEADER, ROW)]
    text = f"  {lines[0]}\n {lines[1]} \n"
    assert values(tmp_path, text, name) == [["2021-03-08", 10.0, 11.0, 9.0, 10.5, 100.0]]


@pytest.mark.parametrize("word", ["Börse", "plain"])
def test_every_row_of_a_long_file_apart_by_spaces(tmp_path, word):
    lines = [HEADER.replace(",", " "), *[f"2021-03-08 10 11 9 10.5 {word}"] * 5000]
    rows = values(tmp_path, "\n".join(lines).encode("cp1252"))
    assert (len(rows), rows[-1][-1]) == (5000, word)


def test_tabs_are_no_spaces(tmp_path):
    lines = [HEADER.replace(",", "\t"), ROW.replace(",", "\t").replace("08", "08 00:00", 1)]
    assert values(tmp_path, "\n".join(lines) + "\n")[0][:2] == ["2021-03-08 00:00", 10.0]


def test_names_are_without_spaces_and_missing_ones_are_an_index_or_their_place(tmp_path):
    assert opened(tmp_path, f", Open ,High, Low,,Close\n{ROW}\n").names == [
        "index", "Open", "High", "Low", "index4", "Close",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "row", "names"),
    [
        (HEADER, f"7,{ROW}", ["index", *NAMES]),
        (HEADER, f"{ROW},", [*NAMES, "index6"]),
        (f"{HEADER},", ROW, NAMES),
        (f"{HEADER},", f"{ROW},", [*NAMES, "index6"]),
        (HEADER, f"{ROW}, ", [*NAMES, "index6"]),
        (f"{HEADER}, ", ROW, NAMES),
        (f"{HEADER},More", ROW, [*NAMES, "More"]),
        (f"\ufeff\ufeff{HEADER}", ROW, NAMES),
    ],
)
def test_a_header_with_one_column_more_or_less_than_each_row(tmp_path, header, row, names):
    assert opened(tmp_path, f"{header}\n{row}\n{row}\n").names == names


@pytest.mark.parametrize(
    "text",
    ['{"a": 1}', "[1]", "<!DOCTYPE html>", "<HTML>", "<html>", "<?xml ?>", "\ufeff {}", "\n\n {}"],
)
def test_a_web_services_answer_is_no_table(tmp_path, text):
    with pytest.raises(InvalidData, match="a web service's answer"):
        opened(tmp_path, text + "\n")


@pytest.mark.parametrize("text", ["", "\n\n", " ,;\t|\n"])
def test_a_file_without_a_line_is_empty(tmp_path, text):
    with pytest.raises(InvalidData, match="the file is empty"):
        opened(tmp_path, text)


def test_a_first_line_of_values_is_no_header_and_columns_go_by_their_places(tmp_path):
    sheet = opened(tmp_path, f"{ROW}\n{ROW}\n")
    assert (sheet.without_header, sheet.skip, sheet.names) == (True, 0, list("123456"))
    assert not opened(tmp_path, "date,o,1,2,3\n" * 2).without_header
    assert opened(tmp_path, "date,$1,-2,+3,€4,x\n" * 2).without_header
    assert not opened(tmp_path, f"{HEADER}\n{ROW}\n").without_header


def test_columns_that_config_calls_by_their_places_have_those_below_a_header_too(tmp_path):
    for text, skip in ((f"{ROW}\n", 0), (f"{HEADER}\n{ROW}\n", 1)):
        sheet = opened(tmp_path, text, columns=PLACES)
        assert (sheet.names, sheet.skip) == (list("123456"), skip)
    assert opened(tmp_path, f"{ROW[:-3]}6\n{ROW}\n", columns=PLACES).skip == 0


def test_a_column_that_config_names_makes_a_header_of_its_line(tmp_path):
    text = f"AAB\nd,o,h,l,c,v\n{ROW}\n"
    assert opened(tmp_path, text, columns={"date": "d"}).names == ["d", "o", "h", "l", "c", "v"]
    unknown = text.replace("d,o,h,l,c,v", "d,p1,p2,p3,p4,p5")
    named = opened(tmp_path, unknown, columns={"date": "d"})
    assert (named.names, named.title) == (["d", "p1", "p2", "p3", "p4", "p5"], 1)
    assert opened(tmp_path, unknown).names == ["AAB"]
    assert opened(tmp_path, "a,b\nx,y\n" + f"{ROW}\n").names == ["a", "b"]


def test_numbers_stay_texts_until_a_point_is_proven(tmp_path):
    text = f"{HEADER}\n2021-03-08,10,11,9,1.234,100\n"
    assert values(tmp_path, text)[0][1:] == ["10", "11", "9", "1.234", "100"]
    assert values(tmp_path, text, decimal=".")[0][1:] == [10.0, 11.0, 9.0, 1.234, 100.0]
    proven = text + "2021-03-09,10,11,9,10.5,100\n"
    assert values(tmp_path, proven)[0][4] == 1.234
    assert values(tmp_path, proven, decimal=",")[0][4] == "1.234"
    for name in ("AAB.csv", "AAB.csv.gz"):
        rows = values(tmp_path, proven + "2021-03-10,10,11,9,halted,100\n", name)
        assert [row[4] for row in rows] == ["1.234", "10.5", "halted"]


def test_lines_of_another_width_are_left_out_up_to_a_tenth_or_three(tmp_path):
    def remarks(rows: int, odd: int, before: str = "") -> tuple[str, ...]:
        text = before + "\n".join([HEADER, *[ROW] * rows, *["Source: us"] * odd, ",,"]) + "\n"
        file, given = document(tmp_path, text), how(path=tmp_path)
        sheet = sheets.opened(file, given)
        return sheets.rows(file, sheet, NAMES, NAMES, ["Date"], 0, given)[1]

    assert remarks(9, 0) == ()
    assert remarks(9, 0, "AAB\n") == ("1 lines before the header left out",)
    for rows, odd in ((1, 3), (36, 4)):
        assert remarks(rows, odd) == (f"{odd} lines that are no rows left out: 'Source: us'",)
    for rows, odd in ((35, 4), (0, 1)):
        with pytest.raises(InvalidData, match=f"{odd} lines have not 6 columns: 'Source: us'"):
            remarks(rows, odd)


def test_bytes_that_are_no_unicode_far_behind_are_read_as_their_market_writes_them(tmp_path):
    lines = [HEADER.replace("Volume", "Sector")] + [f"{ROW[:-4]},plain text"] * 9000
    text = "\n".join([*lines, f"{ROW[:-4]},Müll"]) + "\n"
    rows = values(tmp_path, text.encode("cp1252"), columns={})
    assert rows[-1][-1] == "Müll"
    assert len(rows) == 9001


def test_utf_16_that_is_cut_within_its_last_character(tmp_path):
    content = f"{HEADER}\n{ROW}\n".encode("utf-16") + b"\x41"
    assert values(tmp_path, content)[0][:2] == ["2021-03-08", 10.0]
    assert isinstance(opened(tmp_path, content).source, pa.BufferReader)
    assert opened(tmp_path, f"{HEADER}\n{ROW}\n").source == str(tmp_path / "AAB.csv")
