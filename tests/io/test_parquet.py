"""Nothing that changed on disk is read as data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import Damaged
from pipeline.io.parquet import read_columns, read_facts, read_parquet, write_parquet


@pytest.fixture
def rows() -> pd.DataFrame:
    index = pd.MultiIndex.from_product(
        [pd.DatetimeIndex(["2010-01-04", "2010-01-05"]).as_unit("us"), list("ABC")],
        names=["session", "symbol"],
    )
    return pd.DataFrame({"prediction": np.linspace(0, 1, 6), "step": "first"}, index=index)


def test_rows_index_and_facts_come_back(tmp_path, rows):
    write_parquet(tmp_path / "a.parquet", rows, store_id="one", sessions={"2010-01-04": "é"})

    found = read_parquet(tmp_path / "a.parquet", needed="")

    pd.testing.assert_frame_equal(found.rows, rows, check_exact=True)
    assert found.facts == {"store_id": "one", "sessions": {"2010-01-04": "é"}}
    assert read_facts(tmp_path / "a.parquet", needed="") == found.facts


def test_any_other_reader_reads_the_file(tmp_path, rows):
    write_parquet(tmp_path / "a.parquet", rows)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), rows, check_exact=True)


def test_some_columns_and_rows_are_read_alone(tmp_path, rows):
    table = pa.Table.from_pandas(rows.reset_index(), preserve_index=False)
    write_parquet(tmp_path / "a.parquet", table)

    part = read_columns(
        tmp_path / "a.parquet", ["prediction"], [("symbol", "in", ["B"])], needed=""
    )

    assert part.to_pydict() == {"prediction": rows.xs("B", level="symbol")["prediction"].tolist()}


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_is_served(tmp_path, rows, place, bit):
    path = tmp_path / "a.parquet"
    if not path.exists():
        write_parquet(path, rows)
        (tmp_path / "whole").write_bytes(path.read_bytes())
    content = bytearray((tmp_path / "whole").read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)

    with pytest.raises(Damaged, match=f"{path} is damaged"):
        read_parquet(path, needed="the file, made again")


@pytest.mark.parametrize("size", [0, 3, 8, 100, -1])
def test_a_cut_file_is_damaged(tmp_path, rows, size):
    path = tmp_path / "a.parquet"
    write_parquet(path, rows)
    path.write_bytes(path.read_bytes()[:size])
    for reader in (read_parquet, read_facts):
        with pytest.raises(Damaged):
            reader(path, needed="")
    with pytest.raises(Damaged):
        read_columns(path, None, None, needed="")


def test_a_file_without_a_seal_is_not_read(tmp_path, rows):
    rows.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(Damaged, match="a former version wrote it"):
        read_parquet(tmp_path / "a.parquet", needed="")


def test_a_flipped_bit_of_a_page_is_found_where_only_some_columns_are_read(tmp_path, rows):
    path = tmp_path / "a.parquet"
    write_parquet(path, rows)
    chunk = pq.read_metadata(path).row_group(0).column(0)
    content = bytearray(path.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start + chunk.total_compressed_size - 3] ^= 4
    path.write_bytes(content)

    assert read_facts(path, needed="") == {}
    with pytest.raises(Damaged):
        read_columns(path, [chunk.path_in_schema], None, needed="")
