"""The journal of a search: what a killed process leaves, and the same command goes on from."""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from pipeline.io.files import quarantine_file, write_atomically
from pipeline.io.lock import writer_lock

log = logging.getLogger("pipeline.retrain")

OWNER = "run"
"""File with the id of the run that searches, or searched last, and a checksum of it."""

CHECK = "crc32"
"""Key of a line's checksum, the last one of each line."""


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
        backend = CheckedBackend(str(self.folder / f"{name}.log"))
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
            _repair(file)
        owner = folder / OWNER
        before = _owner(owner)
        signed = f"{run_id} {_checksum(run_id.encode())}"
        write_atomically(owner, lambda file: file.write_text(signed))
        yield Journal(folder, None if before == run_id else before)


def _repair(file: Path) -> None:
    """Undo what a kill can leave, and quarantine what changed on disk.

    A kill leaves half a line at the end, and Optuna's lock without its holder: Optuna would append
    to the half line, and wait 30 s for the lock. A line that is not as it was written ends what can
    be trusted: the search goes on from the lines before it, as after a kill at that moment.
    """
    file.with_name(f"{file.name}.lock").unlink(missing_ok=True)
    content = file.read_bytes()
    *lines, rest = content.split(b"\n")
    intact = list(takewhile(_is_intact, lines))
    if len(intact) < len(lines):
        quarantined = quarantine_file(file)
        log.warning(
            "retrain: %s is damaged: goes on from %d of %d lines before the damage; kept as %s",
            file, len(intact), len(lines), quarantined.name,
        )  # fmt: skip
        write_atomically(file, lambda new: new.write_bytes(b"".join(x + b"\n" for x in intact)))
    elif rest:
        os.truncate(file, len(content) - len(rest))


def is_intact(file: Path) -> bool:
    """Whether every line of a journal is as it was written; half a last line is of a kill."""
    return all(map(_is_intact, file.read_bytes().split(b"\n")[:-1]))


class CheckedBackend(JournalFileBackend):  # type: ignore[misc]
    """Optuna's journal file, with a checksum at the end of each line, which Optuna ignores."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """As Optuna does it."""
        super().append_logs([{**entry, CHECK: _checksum(_as_written(entry))} for entry in logs])


def _as_written(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode()


def _checksum(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


def _is_intact(line: bytes) -> bool:
    """Whether a line ends with the checksum of what stands before it."""
    end = len(_as_written({CHECK: _checksum(b"")}))  # its brace is a comma here
    entry = line[:-end] + b"}"
    return line[-end:] == f',"{CHECK}":"{_checksum(entry)}"}}'.encode()


def _owner(file: Path) -> str | None:
    """The run that a file names; None where it names none, or is damaged."""
    if not file.exists():
        return None
    run_id, _, checksum = file.read_bytes().rpartition(b" ")
    return run_id.decode() if checksum.decode(errors="replace") == _checksum(run_id) else None
