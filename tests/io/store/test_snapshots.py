from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.commands import Command
from pipeline.errors import Damaged
from pipeline.io.store.snapshots import SnapshotStore
from pipeline.schemas import ROW


@pytest.fixture
def snapshots(tmp_path):
    return SnapshotStore(tmp_path, "sample", "classic", "abc123")


def rows(sessions, symbols="AB", value=1.0):
    index = pd.MultiIndex.from_product([pd.DatetimeIndex(sessions).as_unit("us"), list(symbols)])
    return pd.DataFrame(
        {"return_1": np.float32(value), "sector": pd.array(["Energy"] * len(index), "str")},
        index=index.set_names(ROW),
    )


def write(snapshots, written, *, revision="one", store_id="one", sessions=None, **options):
    built = written.index.unique("session") if sessions is None else pd.DatetimeIndex(sessions)
    return snapshots.write(written, sessions=built, revision=revision, store_id=store_id, **options)


def test_a_forgotten_session_is_neither_covered_nor_read(snapshots):
    write(snapshots, rows(["2010-01-04", "2010-01-05", "2010-02-01"]))

    snapshots.forget(pd.DatetimeIndex(["2010-01-05", "2010-03-01"]))

    left = [pd.Timestamp("2010-01-04"), pd.Timestamp("2010-02-01")]
    assert snapshots.covered().index.tolist() == left
    assert snapshots.read().index.unique("session").tolist() == left


def test_rows_come_back_as_they_were_written_one_file_a_month(snapshots):
    written = rows(["2010-01-29", "2010-02-01", "2010-02-02"])

    months = write(snapshots, written)

    assert months == 2
    assert [path.name for path in sorted(snapshots.folder.iterdir())] == [
        "2010-01.parquet",
        "2010-02.parquet",
    ]
    assert snapshots.folder.relative_to(snapshots.root).as_posix() == "sample/classic-abc123"
    pd.testing.assert_frame_equal(snapshots.read(), written)


def test_a_part_is_read_by_session_symbol_and_column(snapshots):
    write(snapshots, rows(["2010-01-29", "2010-02-01"]))

    part = snapshots.read(pd.DatetimeIndex(["2010-02-01", "2010-02-02"]), ["B"], ["return_1"])

    assert part.index.to_list() == [(pd.Timestamp("2010-02-01"), "B")]
    assert part.columns.to_list() == ["return_1"]
    assert part["return_1"].dtype == np.float32


def test_nothing_written_reads_as_no_rows(snapshots):
    assert snapshots.read(columns=["return_1"]).shape == (0, 1)
    assert snapshots.covered().empty


def test_a_session_built_again_replaces_all_its_rows_and_no_other(snapshots):
    write(snapshots, rows(["2010-01-04", "2010-01-05"]))

    write(snapshots, rows(["2010-01-05"], symbols="A", value=2), revision="seven")

    found = snapshots.read()["return_1"].unstack()
    np.testing.assert_array_equal(found, [[1, 1], [2, np.nan]])
    assert snapshots.covered()["revision"].to_list() == ["one", "seven"]


def test_rows_of_some_symbols_leave_the_others_and_the_coverage(snapshots):
    write(snapshots, rows(["2010-01-04"]))

    part = rows(["2010-01-04", "2010-01-05"], symbols="B", value=2)
    write(snapshots, part, revision="seven", whole=False)

    found = snapshots.read()["return_1"].unstack()
    np.testing.assert_array_equal(found, [[1, 2], [np.nan, 2]])
    assert snapshots.covered()["revision"].to_dict() == {pd.Timestamp("2010-01-04"): "one"}


def test_a_session_without_any_row_is_covered_too(snapshots):
    write(snapshots, rows(["2010-01-05"]), sessions=["2010-01-04", "2010-01-05"])
    assert len(snapshots.covered()) == 2


def test_rows_of_another_store_are_not_covered_and_are_dropped_when_their_month_is_written(
    snapshots,
):
    write(snapshots, rows(["2010-01-04", "2010-02-01"]), store_id="one")

    write(snapshots, rows(["2010-01-05"]), store_id="two")

    assert snapshots.covered("two").index.to_list() == [pd.Timestamp("2010-01-05")]
    assert snapshots.covered("one").index.to_list() == [pd.Timestamp("2010-02-01")]
    assert len(snapshots.read(pd.DatetimeIndex(["2010-01-04"]))) == 0


def test_a_text_column_without_text_reads_beside_one_with_text(snapshots):
    write(snapshots, rows(["2010-01-04"]).assign(sector=None))
    write(snapshots, rows(["2010-02-01"]))

    sector = snapshots.read()["sector"]

    assert sector.dtype == "str"
    assert sector.isna().to_list() == [True, True, False, False]


def test_a_month_is_the_table_that_pyarrow_makes_of_its_rows(snapshots):
    given = rows(["2010-01-04", "2010-01-05"]).assign(
        exact=[0.1, np.nan, 0.3, -0.0], number=[1, 2, 3, 4], flag=[True, False, True, True]
    )
    given.iloc[1, 0] = np.nan
    write(snapshots, given)

    table = pq.read_table(snapshots.folder / "2010-01.parquet")

    plain = pa.Table.from_pandas(given.reset_index(), preserve_index=False)
    assert table.replace_schema_metadata(None) == plain.replace_schema_metadata(None)


def test_rows_are_divided_by_their_months(snapshots):
    days = ["2009-12-31", "2010-01-01", "2010-01-31", "2010-02-01", "2010-12-31"]
    write(snapshots, rows(days))

    months = {path.stem: pq.read_table(path)["session"] for path in snapshots.folder.iterdir()}

    assert {month: [str(day.date()) for day in sessions.unique().to_pylist()]
            for month, sessions in months.items()} == {
        "2009-12": days[:1], "2010-01": days[1:3], "2010-02": days[3:4], "2010-12": days[4:],
    }  # fmt: skip


def test_a_damaged_month_is_named_with_the_command_that_heals_it(snapshots):
    write(snapshots, rows(["2010-02-04"]))
    (snapshots.folder / "2010-02.parquet").write_bytes(b"PAR1 half a file")
    with pytest.raises(Damaged, match=r"2010-02.parquet is damaged") as raised:
        snapshots.read()
    expected = Command(
        "features", "features.overwrite=true", start_date="2010-02-01", end_date="2010-02-28"
    )
    assert str(raised.value.next) == str(expected)


def damage_page(path):
    """Change one bit in the middle of the first column's page; the footer stays as it is."""
    chunk = pq.read_metadata(path).row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    at = start + chunk.total_compressed_size - 3
    content = bytearray(path.read_bytes())
    content[at] ^= 16
    path.write_bytes(content)


def test_a_month_with_a_damaged_page_is_not_served_and_is_healed_by_all_of_its_sessions(snapshots):
    days = ["2010-01-04", "2010-01-05"]
    write(snapshots, rows([*days, "2010-02-01"]))
    damage_page(snapshots.folder / "2010-01.parquet")
    with pytest.raises(Damaged):
        snapshots.read(pd.DatetimeIndex(days))
    assert [error.found for error in snapshots.damaged(deep=True)]
    assert snapshots.damaged() == []
    with pytest.raises(Damaged):
        write(snapshots, rows(days[:1]))

    write(snapshots, rows(days, value=3.0))

    assert snapshots.read()["return_1"].tolist() == [3, 3, 3, 3, 1, 1]


def test_a_month_with_a_damaged_footer_counts_as_not_built(snapshots):
    write(snapshots, rows(["2010-01-04", "2010-02-01"]))
    path = snapshots.folder / "2010-01.parquet"
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.write_bytes(content)

    assert snapshots.covered().index.to_list() == [pd.Timestamp("2010-02-01")]
    assert len(snapshots.damaged()) == 1
    write(snapshots, rows(["2010-01-04"]))
    assert len(snapshots.covered()) == 2


def test_a_month_of_a_version_that_sealed_no_files_counts_as_not_built(snapshots):
    write(snapshots, rows(["2010-01-04"]))
    path = snapshots.folder / "2010-01.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)

    assert snapshots.covered().empty
    with pytest.raises(Damaged, match="a former version wrote it"):
        snapshots.read()


def test_forgetting_a_session_of_a_damaged_month_forgets_the_month(snapshots):
    write(snapshots, rows(["2010-01-04", "2010-01-05", "2010-02-01"]))
    damage_page(snapshots.folder / "2010-01.parquet")

    snapshots.forget(pd.DatetimeIndex(["2010-01-05"]))

    assert snapshots.covered().index.to_list() == [pd.Timestamp("2010-02-01")]


KILLED = """
import os, signal, sys
from pathlib import Path
import pandas as pd
from pipeline.io.store.snapshots import SnapshotStore
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
snapshots = SnapshotStore(Path(sys.argv[1]), "sample", "classic", "abc123")
written = snapshots.read() * 0
snapshots.write(written, sessions=written.index.unique("session"), revision="two", store_id="one")
"""


def test_a_writer_killed_half_way_leaves_the_old_month_whole(snapshots):
    before = rows(["2010-01-04"])[["return_1"]]
    write(snapshots, before)

    command = [sys.executable, "-c", KILLED, str(snapshots.root)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL

    assert len(os.listdir(snapshots.folder)) == 2
    pd.testing.assert_frame_equal(snapshots.read(), before)
    write(snapshots, before)
    assert os.listdir(snapshots.folder) == ["2010-01.parquet"]
