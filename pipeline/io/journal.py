"""The journal of a search: what a killed process leaves, and the same command goes on from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from pipeline.io.files import replaced
from pipeline.io.lock import writer_lock

OWNER = "run"
"""File with the id of the run that searches, or searched last."""


@dataclass(frozen=True)
class Journal:
    """An open journal; one file a study.

    Attributes
    ----------
    left_by
        Id of the run that began this search and did not finish it, if any.
    """

    folder: Path
    left_by: str | None

    def study(self, name: str, direction: str) -> optuna.Study:
        """The study of this name as far as it got."""
        backend = JournalFileBackend(str(self.folder / f"{name}.log"))
        return optuna.create_study(
            study_name=name,
            storage=JournalStorage(backend),
            direction=direction,
            load_if_exists=True,
        )


@contextmanager
def opened(folder: Path, run_id: str) -> Iterator[Journal]:
    """The journal in a folder, for one process at a time.

    Raises
    ------
    StoreLocked
        Another process searches the same recipe on the same data.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with writer_lock(folder / f"{folder.name}.lock", "search", timeout_seconds=0):
        for file in folder.glob("*.log"):
            _mend(file)
        owner = folder / OWNER
        before = owner.read_text() if owner.exists() else None
        replaced(owner, lambda file: file.write_text(run_id))
        yield Journal(folder, None if before == run_id else before)


def _mend(file: Path) -> None:
    """Undo what a kill can leave: half a line at the end, and Optuna's lock without its holder.

    Optuna would append to the half line, and wait 30 s for the lock.
    """
    content = file.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(file, whole)
    file.with_name(f"{file.name}.lock").unlink(missing_ok=True)
