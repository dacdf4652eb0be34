"""The table by rule at the end of `ingest`."""

from __future__ import annotations

import pandas as pd

from pipeline.io.sources.quality import quality
from tests.io.sources.files.hand_made import HEADER, files, rows, write


def test_a_row_for_each_rule_with_bars_symbols_and_sessions(tmp_path):
    write(tmp_path / "ABC.csv", HEADER, *rows(), "2021-03-15,,,,,", "2021-03-17,10,11,9,10,1")
    write(tmp_path / "XYZ.csv", HEADER, *rows(), "2021-03-16,10,11,9,10,1")
    write(tmp_path / "BAD.csv", "{", "}")
    table = quality({"stocks": files(tmp_path).bars()}).set_index(["what", "rule"])
    assert table["bars"].to_dict() == {
        ("read", ""): 13, ("kept", ""): 12, ("quarantined", "empty row"): 1,
        ("missing", "bar missing"): 1, ("missing", "session quarantined"): 1,
        ("refused whole", ""): 0,
    }  # fmt: skip
    assert table.loc[("quarantined", "empty row"), "first"] == pd.Timestamp("2021-03-15")
    assert table.loc[("refused whole", ""), "symbols"] == 1


def test_of_nothing_there_is_no_row():
    assert quality({}).empty
