"""All that is kept, read again and compared with the digests recorded when it was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import AllDamaged, Damaged, PipelineError
from pipeline.io import journal
from pipeline.io.parquet import read_parquet
from pipeline.io.store.snapshots import SnapshotStore
from pipeline.io.tracking.damage import faults_of_runs
from pipeline.workspace import Workspace

RESUMED = "none: the next retrain quarantines it and predicts the step again"


def require_undamaged(workspace: Workspace | None) -> None:
    """Read all that is kept again.

    Parameters
    ----------
    workspace
        None: there is no store, only runs.

    Raises
    ------
    AllDamaged
        Something is not as it was written; it carries each fault with what heals it.
    """
    damages: list[PipelineError] = [] if workspace is None else list(faults_of_data(workspace))
    damages += faults_of_runs()
    if damages:
        raise AllDamaged(
            "status", f"{len(damages)} stored files or tables are not as written, named above",
            "each of them repaired", [fault.next_command for fault in damages if fault.next][:1],
            damages=damages,
        )  # fmt: skip


def faults_of_data(workspace: Workspace) -> Iterator[Damaged]:
    """Of the store's database, of the snapshots of all feature sets, of unfinished retrains."""
    yield from workspace.store.faults(deep=True)
    for folder in (workspace.snapshot_root / workspace.data_source).glob("*-*"):
        name, _, version = folder.name.rpartition("-")
        snapshots = SnapshotStore(workspace.snapshot_root, workspace.data_source, name, version)
        yield from snapshots.damaged(deep=True)
    for name in ("retrains", "refits"):
        yield from _of_unfinished(workspace.folder / name)


def _of_unfinished(folder: Path) -> Iterator[Damaged]:
    for file in sorted(folder.glob("*/search-*/*.log")):
        if not journal.is_intact(file):
            yield Damaged("retrain", f"{file} is damaged", RESUMED)
    for file in sorted(folder.glob("*/step-*.parquet")):
        try:
            read_parquet(file, needed=RESUMED)
        except Damaged as error:
            yield error
