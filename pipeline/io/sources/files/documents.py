"""The files below a path: which hold tables, which are left alone, and how their bytes are read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

TEXT = (".csv", ".txt", ".tsv")
COLUMNAR = {".parquet": "parquet", ".pq": "parquet", ".feather": "feather", ".arrow": "feather"}
COMPRESSED: Mapping[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
}
NOT_READ = (
    ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".json", ".jsonl", ".ndjson", ".h5", ".hdf", ".hdf5",
    ".pkl", ".pickle", ".7z", ".rar", ".tar", ".tgz", ".zst", ".lz4", ".db", ".sqlite", ".orc",
    ".avro", ".dta", ".sas7bdat", ".mat", ".npz", ".npy", ".gz", ".bz2", ".xz",
)  # fmt: skip
"""Kinds of files that may hold prices; others that are not read, such as a README, hold none."""

HEAD_BYTES = 100_000


@dataclass(frozen=True)
class Document:
    """One table on disk: a file, or a member of a zip file.

    Attributes
    ----------
    name
        As messages show it: relative to the path that was given.
    kind
        text, parquet or feather.
    partitions
        Values by key of folders such as ``symbol=AAPL``.
    """

    path: Path
    name: str
    kind: str
    member: str = ""
    partitions: Mapping[str, str] = field(default_factory=dict)

    @property
    def on_disk(self) -> bool:
        """Whether the file itself is the table, neither packed nor compressed."""
        return not self.member and self.path.suffix.lower() not in COMPRESSED

    @property
    def written(self) -> pd.Timestamp:
        """When it was written, in UTC: the file's time stamp, or that of the zip's member."""
        if self.member:
            with zipfile.ZipFile(self.path) as archive:
                moment = pd.Timestamp(*archive.getinfo(self.member).date_time)
            stamp = pd.Timestamp(self.path.stat().st_mtime, unit="s")
            return min(moment, stamp)
        return pd.Timestamp(self.path.stat().st_mtime, unit="s")

    @property
    def file_name(self) -> str:
        """The name that may hold a symbol, without folders."""
        return Path(self.member or self.path).name

    @property
    def folder(self) -> str:
        """Name of the folder, or of the zip file, around it; empty for the path given itself."""
        parts = Path(self.name).parts
        return parts[-2] if len(parts) > 1 else ""

    def read(self) -> bytes:
        """Its content, unpacked."""
        if not self.member:
            return _uncompressed(self.path.name, self.path.read_bytes())
        with zipfile.ZipFile(self.path) as archive:
            return _uncompressed(self.member, archive.read(self.member))

    def head(self) -> bytes:
        """The first of its bytes."""
        if not self.on_disk:
            return self.read()[:HEAD_BYTES]
        with self.path.open("rb") as stream:
            return stream.read(HEAD_BYTES)


def listed(where: Path, others: Iterable[Path]) -> tuple[list[Document], dict[str, str]]:
    """Tables at or below a path, sorted by name; and the files that are not read, with the reason.

    Parameters
    ----------
    others
        Files and folders below it that hold something else.
    """
    if where.is_file():
        return _of_file(where, where.name, {})
    others = set(others)
    documents: list[Document] = []
    unread: dict[str, str] = {}
    for file in sorted(_visible(where)):
        if others & {file, *file.parents}:
            continue
        inner = file.relative_to(where)
        tables, reasons = _of_file(file, str(inner), _partitions(inner.parts[:-1]))
        documents += tables
        unread |= reasons
    return documents, unread


def ignored(where: Path, documents: Iterable[Document], unread: Iterable[str]) -> list[str]:
    """Names of the other files below a path, which hold no prices."""
    if where.is_file():
        return []
    known = {document.path for document in documents} | {where / name for name in unread}
    return sorted(str(file.relative_to(where)) for file in _visible(where) if file not in known)


def files(where: Path) -> list[Path]:
    """Every file at or below a path."""
    return [where] if where.is_file() else sorted(_visible(where))


def _visible(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        inner = file.relative_to(folder)
        if file.is_file() and not any(part.startswith((".", "~", "_")) for part in inner.parts):
            yield file


def _partitions(folders: Iterable[str]) -> dict[str, str]:
    pairs = (folder.partition("=") for folder in folders)
    return {key: unquote(value) for key, sign, value in pairs if sign and value}


def _of_file(
    file: Path, name: str, partitions: Mapping[str, str]
) -> tuple[list[Document], dict[str, str]]:
    if file.suffix.lower() == ".zip":
        return _of_zip(file, name, partitions)
    kind = _kind(file.name)
    if kind is not None:
        return [Document(file, name, kind, partitions=partitions)], {}
    if file.suffix.lower() in NOT_READ:
        return [], {name: "a kind of file that is not read; needed: a CSV or Parquet file"}
    return [], {}


def _of_zip(
    file: Path, name: str, partitions: Mapping[str, str]
) -> tuple[list[Document], dict[str, str]]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = [entry for entry in archive.infolist() if not entry.is_dir()]
    except zipfile.BadZipFile as error:
        return [], {name: f"cannot be unpacked: {error}; needed: a CSV or Parquet file"}
    if any(entry.flag_bits & 1 for entry in members):
        return [], {name: "a zip file with a password; needed: its files, unpacked"}
    documents, unread = [], {}
    for entry in members:
        inner = Path(entry.filename)
        if any(part.startswith((".", "~", "_")) for part in inner.parts):
            continue
        kind = _kind(inner.name)
        if kind is not None:
            whole = f"{name}/{entry.filename}"
            found_at = {**partitions, **_partitions(inner.parts[:-1])}
            documents.append(Document(file, whole, kind, entry.filename, found_at))
        elif inner.suffix.lower() in (*NOT_READ, ".zip"):
            unread[f"{name}/{entry.filename}"] = "not read inside a zip file; needed: unpack it"
    if not documents and not unread:
        unread[name] = "no CSV or Parquet file in it"
    return documents, unread


def _kind(name: str) -> str | None:
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    while suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
        if not suffixes or suffixes[-1] not in TEXT:
            return None
    if not suffixes:
        return None
    return "text" if suffixes[-1] in TEXT else COLUMNAR.get(suffixes[-1])


def _uncompressed(name: str, content: bytes) -> bytes:
    unpack = COMPRESSED.get(Path(name).suffix.lower())
    return content if unpack is None else unpack(content)
