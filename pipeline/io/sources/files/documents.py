"""The files below a path: which hold tables, which are left alone, and how their bytes are read."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

import pandas as pd

from pipeline.errors import InvalidData
from pipeline.io.files import MEGABYTE
from pipeline.io.sources.files.sniffing import HEAD_BYTES as SNIFFED
from pipeline.io.sources.files.sniffing import is_table

TEXT = (".csv", ".txt", ".tsv", ".tab", ".dat", ".asc", ".prn")
COLUMNAR = {
    ".parquet": "parquet", ".pq": "parquet", ".parq": "parquet",
    ".feather": "feather", ".arrow": "feather", ".ftr": "feather", ".fea": "feather",
    ".ipc": "feather", ".arrows": "feather",
}  # fmt: skip
COMPRESSED = (".gz", ".bz2", ".xz")
PACKED: Mapping[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
}
"""By the first bytes: a suffix may be missing or wrong."""

MAGIC = {b"PAR1": "parquet", b"ARROW1": "feather", b"FEA1": "feather"}
NO_TABLES = {b"\xd0\xcf\x11\xe0": "an old Excel file", b"SQLite format 3": "a SQLite database"}
NOT_READ = (
    ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".json", ".jsonl", ".ndjson", ".h5", ".hdf", ".hdf5",
    ".pkl", ".pickle", ".7z", ".rar", ".tar", ".tgz", ".zst", ".lz4", ".db", ".sqlite", ".sqlite3",
    ".duckdb", ".mdb", ".orc", ".avro", ".dta", ".sas7bdat", ".sav", ".mat", ".npz", ".npy", ".rds",
    ".rdata", ".xml", ".html", ".msgpack", ".gz", ".bz2", ".xz", ".lzma", ".z", ".zstd", ".br",
)  # fmt: skip
"""Kinds of files that may hold prices; others that are not read, such as a README, hold none."""

OPENED: Mapping[Callable[[bytes], bytes], Callable[..., Any]] = {
    gzip.decompress: gzip.open,
    bz2.decompress: bz2.open,
    lzma.decompress: lzma.open,
}
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

    @cached_property
    def on_disk(self) -> bool:
        """Whether the file itself is the table, neither packed nor compressed."""
        return not self.member and _unpacking(_first(self.path)) is None

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
    def folders(self) -> tuple[str, ...]:
        """Names of the folders, or of the zip file, around it, the nearest first."""
        return tuple(reversed(Path(self.name).parts[:-1]))

    def read(self) -> bytes:
        """Its content, unpacked."""
        if not self.member:
            return _unpacked(self.path.read_bytes())
        with zipfile.ZipFile(self.path) as archive:
            return _unpacked(archive.read(self.member))

    def require_size(self, megabytes: int) -> None:
        """Refuse a table that would fill the memory, before it is unpacked.

        Raises
        ------
        InvalidData
            Unpacked it has more.
        """
        enough = megabytes * MEGABYTE
        if self._size(enough) > enough:
            raise InvalidData(
                "data",
                f"{self.name} has more than {megabytes:,} MB, unpacked",
                f"parts of it, such as a file a year; or data.max_megabytes={2 * megabytes}",
            )

    def _size(self, enough: int) -> int:
        """Bytes as they are unpacked, counted up to a little more than is enough."""
        with contextlib.ExitStack() as opened:
            stream: IO[bytes] = opened.enter_context(self.path.open("rb"))
            size = self.path.stat().st_size
            if self.member:
                archive = opened.enter_context(zipfile.ZipFile(stream))
                stream = opened.enter_context(archive.open(self.member))
                size = archive.getinfo(self.member).file_size
            unpack = _unpacking(stream.read(16))
            if unpack is None or size > enough:
                return size
            stream.seek(0)
            try:
                unpacked, size = opened.enter_context(OPENED[unpack](stream)), 0
                while size <= enough and (part := len(unpacked.read(MEGABYTE))):
                    size += part
            except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error):
                pass  # what is wrong with it is reported where it is read
            return size

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
    known = {document.path for document in documents}
    known |= {path for name in unread for path in (where / name, *(where / name).parents)}
    others = {*_visible(where), *_visible(where, hidden_tables=True)} - known
    return sorted(str(file.relative_to(where)) for file in others)


def files(where: Path) -> list[Path]:
    """Every file at or below a path."""
    return [where] if where.is_file() else sorted(_visible(where))


def _visible(folder: Path, *, hidden_tables: bool = False) -> Iterator[Path]:
    """Files whose names, or those of tables all but, begin as those of hidden ones."""
    for file in folder.rglob("*"):
        *parts, name = file.relative_to(folder).parts
        is_table = hidden_tables and file.suffix.lower() in (*TEXT, *COLUMNAR)
        parts += [] if is_table and name[:2] != "._" else [name]
        if not any(part.startswith((".", "~", "_")) for part in parts) and file.is_file():
            yield file


def _partitions(folders: Iterable[str]) -> dict[str, str]:
    pairs = (folder.partition("=") for folder in folders)
    nothing = ("", "__HIVE_DEFAULT_PARTITION__")
    return {key: unquote(value) for key, sign, value in pairs if sign and value not in nothing}


def _of_file(
    file: Path, name: str, partitions: Mapping[str, str]
) -> tuple[list[Document], dict[str, str]]:
    first, suffix = _first(file), file.suffix.lower()
    no_table = next((what for mark, what in NO_TABLES.items() if first.startswith(mark)), None)
    if no_table:
        return [], {name: f"{no_table}, which is not read; needed: a CSV or Parquet file"}
    if suffix == ".zip" or (first.startswith(b"PK\x03\x04") and suffix not in NOT_READ):
        return _of_zip(file, name, partitions)
    kind = _kind(file.name, first) or _by_lines(file)
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
    if any(entry.filename.startswith("xl/") for entry in members):
        return [], {name: "an Excel file, which is not read; needed: a CSV or Parquet file"}
    if any(entry.flag_bits & 1 for entry in members):
        return [], {name: "a zip file with a password; needed: its files, unpacked"}
    documents, unread = [], {}
    for entry in members:
        inner = Path(entry.filename)
        if any(part.startswith((".", "~", "_")) for part in inner.parts):
            continue
        kind = _kind(inner.name) or _by_lines(file, entry.filename)
        if kind is not None:
            whole = f"{name}/{entry.filename}"
            folders = {**partitions, **_partitions(inner.parts[:-1])}
            documents.append(Document(file, whole, kind, entry.filename, folders))
        elif inner.suffix.lower() in (*NOT_READ, ".zip"):
            unread[f"{name}/{entry.filename}"] = "not read inside a zip file; needed: unpack it"
    if not documents and not unread:
        unread[name] = "no CSV or Parquet file in it"
    return documents, unread


def _kind(name: str, first: bytes = b"") -> str | None:
    """By the first bytes, where they say it, else by the suffix, below that of a compression."""
    by_content = next((kind for mark, kind in MAGIC.items() if first.startswith(mark)), None)
    if by_content:
        return by_content
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    compressed = False
    while suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
        compressed = True
    if not suffixes or (suffixes[-1] not in (*TEXT, *COLUMNAR, *NOT_READ) and compressed):
        return "text" if compressed else None
    return "text" if suffixes[-1] in TEXT else COLUMNAR.get(suffixes[-1])


def _by_lines(file: Path, member: str = "") -> str | None:
    """Of a suffix that says nothing, such as .mst, or none at all, or of a table called .xls."""
    suffix = Path(member or file).suffix.lower()
    if suffix in NOT_READ and suffix != ".xls":
        return None
    with contextlib.ExitStack() as opened:
        stream: IO[bytes] = opened.enter_context(file.open("rb"))
        if member:
            archive = opened.enter_context(zipfile.ZipFile(stream))
            stream = opened.enter_context(archive.open(member))
        return "text" if is_table(member or file.name, stream.read(SNIFFED)) else None


def _first(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(16)


def _unpacking(first: bytes) -> Callable[[bytes], bytes] | None:
    return next((unpack for mark, unpack in PACKED.items() if first.startswith(mark)), None)


def _unpacked(content: bytes) -> bytes:
    unpack = _unpacking(content[:16])
    return content if unpack is None else unpack(content)
