"""Files in an object store such as S3: as much of `pathlib.Path` as snapshots need."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from fsspec import AbstractFileSystem

from pipeline.commands import Command
from pipeline.errors import NotReady

S3 = "s3://"


@dataclass(frozen=True, order=True)
class ObjectPath:
    """An object, or the objects whose names begin alike.

    Attributes
    ----------
    address
        As fsspec takes it, ``s3://bucket/folder``. Keys, region and the address of a server of
        one's own come from ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION`` and
        ``AWS_ENDPOINT_URL``, or from the machine's role.
    """

    address: str

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, name: str | Path) -> ObjectPath:
        return ObjectPath(f"{self.address.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        """Of the object, without what stands before it."""
        return PurePosixPath(self.address).name

    @property
    def stem(self) -> str:
        """Its name without the ending."""
        return PurePosixPath(self.address).stem

    def exists(self) -> bool:
        """Whether there is such an object.

        Raises
        ------
        NotReady
            The store does not answer, or refuses.
        """
        with self._reached() as (system, key):
            return bool(system.exists(key))

    def glob(self, pattern: str) -> list[ObjectPath]:
        """Those right below that match.

        Raises
        ------
        NotReady
            The store does not answer, or refuses.
        """
        with self._reached() as (system, key):
            system.invalidate_cache()
            try:  # not by its `glob`, which passes over what does not answer
                listed = system.ls(key, detail=False)
            except FileNotFoundError:
                return []
        names = (PurePosixPath(each).name for each in listed)
        return [self / name for name in fnmatch.filter(names, pattern)]

    def open(self, mode: str = "rb") -> BinaryIO:
        """To read, from any place of it.

        Raises
        ------
        FileNotFoundError
            There is none.
        NotReady
            The store does not answer, or refuses.
        """
        with self._reached() as (system, key):
            return cast(BinaryIO, system.open(key, mode))

    def write_bytes(self, content: bytes) -> None:
        """Put it in the place of what is there, whole or not at all, as object stores do.

        Raises
        ------
        NotReady
            The store does not answer, or refuses.
        """
        with self._reached() as (system, key):
            system.pipe_file(key, content)

    def unlink(self) -> None:
        """Remove it.

        Raises
        ------
        NotReady
            The store does not answer, or refuses.
        """
        with self._reached() as (system, key):
            system.rm_file(key)

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        """Nothing: an object store has no folders."""

    @contextmanager
    def _reached(self) -> Iterator[tuple[AbstractFileSystem, str]]:
        try:
            system = _file_system("/".join(self.address.split("/")[:3]))
            yield system, str(system._strip_protocol(self.address))
        except FileNotFoundError:
            raise
        except (OSError, ImportError, ValueError) as error:
            why = " ".join(str(error).split())[:300]
            raise NotReady(
                "snapshots", f"{self.address} cannot be reached: {why}",
                "a bucket that is there, with keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
                "AWS_ENDPOINT_URL where it is none of Amazon's",
                Command("status"),
            ) from None  # fmt: skip


Place = Path | ObjectPath
"""A file or folder of this machine, or one in an object store."""


@cache
def _file_system(bucket: str) -> Any:
    """Of a bucket: S3 by Arrow, which needs no other package; others by what fsspec has."""
    if bucket.startswith(S3):
        from fsspec.implementations.arrow import ArrowFSWrapper
        from pyarrow.fs import FileSystem

        return ArrowFSWrapper(FileSystem.from_uri(bucket)[0])
    from fsspec.core import url_to_fs

    return url_to_fs(bucket)[0]
