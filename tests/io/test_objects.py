"""Snapshots in an object store are those of a folder; what does not answer is said in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.errors import Damaged, NotReady
from pipeline.io.objects import ObjectPath
from pipeline.io.store.snapshots import SnapshotStore
from pipeline.schemas import ROW

DAYS = pd.to_datetime(["2010-01-28", "2010-01-29", "2010-02-01"]).as_unit("us")


@pytest.fixture
def bucket() -> ObjectPath:
    MemoryFileSystem.store.clear()
    return ObjectPath("memory://bucket/team")


def rows(days: pd.DatetimeIndex, value: float) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([days, ["A", "B"]], names=ROW)
    return pd.DataFrame({"return_1": np.float32(value)}, index)


def filled(root: Path | ObjectPath) -> SnapshotStore:
    store = SnapshotStore(root, "sample", "classic", "abc")
    for days, value in ((DAYS, 1.0), (DAYS[1:2], 2.0)):
        store.write(rows(days, value), sessions=days, revision="one", store_id="id")
    store.forget(DAYS[:1])
    return store


def test_they_are_those_of_a_folder(bucket: ObjectPath, tmp_path: Path) -> None:
    there, here = filled(bucket), filled(tmp_path)
    pd.testing.assert_frame_equal(there.read(), here.read())
    pd.testing.assert_frame_equal(there.covered("id"), here.covered("id"))
    assert [each.name for each in there._months()] == [each.name for each in here._months()]
    assert str(there.folder) == "memory://bucket/team/sample/classic-abc"


def test_a_changed_byte_is_found(bucket: ObjectPath) -> None:
    store = filled(bucket)
    [month, _] = store._months()
    with month.open() as file:
        content = bytearray(file.read())
    content[len(content) // 2] ^= 1
    month.write_bytes(bytes(content))  # type: ignore[union-attr]
    assert [error.found.partition(" is damaged")[0] for error in store.damaged(deep=True)] == [
        str(month)
    ]
    with pytest.raises(Damaged):
        store.read()


def test_a_store_that_does_not_answer_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be reached must not count as never built, and be built again elsewhere."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    store = SnapshotStore(ObjectPath("s3://nobody"), "sample", "classic", "abc")
    with pytest.raises(NotReady, match=r"s3://nobody.* cannot be reached"):
        store.covered()
