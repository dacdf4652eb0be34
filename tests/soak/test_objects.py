"""Snapshots in an object store, by a server of Amazon's kind; by hand, with `-m soak`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.io.objects import ObjectPath
from pipeline.io.store.snapshots import SnapshotStore
from tests.object_server import object_server
from tests.stages.conftest import Project

pytestmark = pytest.mark.soak


def of_set(root: Path | ObjectPath, folder: Path) -> SnapshotStore:
    name, _, version = folder.name.rpartition("-")
    return SnapshotStore(root, "sample", name, version)


def test_snapshots_of_an_object_store_are_those_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, address = Project(tmp_path), "s3://team/snapshots"
    project.python("daily")
    with object_server(tmp_path, "team") as exported:
        for name, value in exported.items():
            monkeypatch.setenv(name, value)
        there = f"store.snapshots={address}"
        project.python("features", there)
        [folder] = (tmp_path / "snapshots" / "sample").iterdir()
        here = of_set(tmp_path / "snapshots", folder).read()
        pd.testing.assert_frame_equal(of_set(ObjectPath(address), folder).read(), here)
        assert "up to date" in project.python("features", there).stdout
        said = project.python("retrain", there, "experiment=quick", "retrain.refresh=false").stdout
        assert "version 1" in said
    refused = project.python("features", there, code=None)
    assert "cannot be reached" in refused.stderr
    assert refused.returncode == 1
