"""Files that are there whole or not at all, and are found out when they are not as written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from pipeline.errors import InvalidData

DAMAGED = ".damaged"
"""Ending of the name under which a damaged file is kept."""

SIDE_FILES = ("-journal", "-wal", "-shm")
"""Endings of the files beside one of SQLite; what is left of one that is gone would be rolled into
the next of its name."""

MEGABYTE = 1_000_000


def read_limited(stream: IO[bytes], name: str, who: str, setting: str, megabytes: int) -> bytes:
    """All that a stream holds, unless it is more than allowed: what never ends fills no memory.

    Parameters
    ----------
    name
        As the message calls it.
    setting
        The key whose value `megabytes` is.

    Raises
    ------
    InvalidData
        It holds more.
    """
    parts, size = [], 0
    while part := stream.read(MEGABYTE):
        size += len(part)
        if size > megabytes * MEGABYTE:
            raise InvalidData(
                who, f"{name} has more than {megabytes:,} MB",
                f"a smaller one; or {setting}={2 * megabytes}",
            )  # fmt: skip
        parts.append(part)
    return b"".join(parts)


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary neighbour, then put it in the place of `path` at once.

    Both the content and the name survive a power cut; a killed writer leaves only the neighbour.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp")
    write(temporary)
    flush(temporary)
    temporary.replace(path)
    flush(path.parent)


def quarantine_file(path: Path) -> Path:
    """Rename a damaged file, so that nothing reads it and somebody may still look at it.

    Returns
    -------
    Path
        Its new name, free before: ``<name>.damaged``, ``<name>.damaged2`` and so on.
    """
    number = 1
    while (
        renamed := path.with_name(f"{path.name}{DAMAGED}{number if number > 1 else ''}")
    ).exists():
        number += 1
    path.rename(renamed)
    flush(path.parent)
    return renamed


def quarantine_database(path: Path) -> Path:
    """`quarantine_file` for a file of SQLite with what lies beside it."""
    renamed = quarantine_file(path)
    for ending in SIDE_FILES:
        beside = path.with_name(f"{path.name}{ending}")
        if beside.exists():
            beside.replace(renamed.with_name(f"{renamed.name}{ending}"))
    return renamed


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folder
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
