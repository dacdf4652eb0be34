"""`status.deep=true` reads all that is kept again, and names what is not as it was written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
import pytest

from pipeline.contract import Artifacts
from pipeline.errors import Damaged
from pipeline.stages import status
from pipeline.stages._cli import step
from tests.stages.stocked import configured, newest


def looked(folder: Path) -> None:
    step("status", status.run, configured(folder, "status.deep=true"))


@contextmanager
def damaged(file: Path) -> Iterator[Path]:
    """A bit of a file is another one for a while."""
    whole = file.read_bytes()
    content = bytearray(whole)
    content[len(content) // 2] ^= 4
    file.write_bytes(content)
    yield file
    file.write_bytes(whole)


def changed_bars(folder: Path, factor: str) -> None:
    with closing(sqlite3.connect(folder / "sample.db")) as store, store:
        store.execute(f"UPDATE bars SET close = close {factor} WHERE session LIKE '2015-03-%'")


def test_each_kind_of_damage_is_named_with_what_heals_it(
    stocked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looked(stocked)
    assert "everything that is kept is as it was written" in capsys.readouterr().out
    run = newest("labels").info
    snapshot = max(stocked.glob("snapshots/sample/classic-*/2015-0*.parquet"))
    kept = Path(mlflow.artifacts.download_artifacts(f"{run.artifact_uri}/{Artifacts.CONFIG}"))
    with damaged(snapshot), damaged(kept):
        changed_bars(stocked, "* 2")
        with pytest.raises(Damaged, match="3 stored files or tables are not as written"):
            step("status", status.run, configured(stocked, "status.deep=true"))
        changed_bars(stocked, "/ 2")
    said = capsys.readouterr().out
    for part in (
        f"bars in {stocked / 'sample.db'} are not as they were written, in 1 months: 2015-03",
        "ingest -P start_date=2015-03-01 -P end_date=2015-03-31",
        f"{snapshot} is damaged",
        "features.overwrite=true",
        f"{Artifacts.CONFIG} of run {run.run_id}",
    ):
        assert part in said
    looked(stocked)
