"""Where bars, results and snapshots are kept; each value is described in ``conf/store/``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator

from pipeline.io.objects import ObjectPath, Place
from pipeline.paths import ProjectPath
from pipeline.secrets import masked
from pipeline.values import Value

if TYPE_CHECKING:
    from pipeline.io.store.protocol import Database


PASSWORD = re.compile(r"://[^/@:]*:[^@]*@|[?&](?i:password|passfile)=")

OBJECT_STORES = ("s3", "memory")
"""Kinds of addresses that snapshots may have; `memory` lasts as long as the process."""


def _no_address(value: object) -> object:
    if isinstance(value, str) and "://" in value:
        raise ValueError(
            f"{masked(value)} is an address, a file of this machine is needed; a PostgreSQL "
            "database is chosen by store=postgres"
        )
    return value


def _object_store(value: object) -> object:
    """The address of an object store; a path of this machine stays what it is."""
    if not (isinstance(value, str) and "://" in value):
        return value
    if value.partition("://")[0] not in OBJECT_STORES:
        raise ValueError(
            f"{masked(value)} is an address, but of no object store: {', '.join(OBJECT_STORES)}"
        )
    if PASSWORD.search(value):
        raise ValueError(
            "keys in an address are seen in the list of processes: export them as "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return ObjectPath(value)


Snapshots = Annotated[ObjectPath | ProjectPath | None, BeforeValidator(_object_store)]
"""Where snapshots are kept."""


class SqliteStore(Value):
    """Where bars, results and snapshots are kept: a file."""

    path: Annotated[ProjectPath, BeforeValidator(_no_address)]
    snapshots: Snapshots
    lock_timeout_seconds: Annotated[float, Field(ge=0)]

    @property
    def database(self) -> Database:
        """Where the store is."""
        from pipeline.io.store.sqlite import Sqlite  # brings SQLAlchemy

        return Sqlite(self.path)

    @property
    def snapshot_root(self) -> Place:
        """Folder of all snapshots."""
        return self.snapshots or self.path.parent / "snapshots"


DATABASE_URL = "DAYTRADE_DATABASE_URL"
"""Environment variable with the address of the database, which may hold a password."""


class PostgresStore(Value):
    """Where bars, results and snapshots are kept: a PostgreSQL database and a folder."""

    url: str | None
    schema_name: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
    folder: ProjectPath
    snapshots: Snapshots
    lock_timeout_seconds: Annotated[float, Field(ge=0)]

    @field_validator("url")
    @classmethod
    def _holds_no_password(cls, url: str | None) -> str | None:
        if url is not None and PASSWORD.search(url):
            raise ValueError(
                "an address with a password is seen in the list of processes: export it as "
                f"{DATABASE_URL}, or the password as PGPASSWORD, or write it into ~/.pgpass"
            )
        return url

    @property
    def database(self) -> Database:
        """Where the store is."""
        from pipeline.io.store.postgres import Postgres  # brings a driver that SQLite does without

        address = self.url or os.environ.get(DATABASE_URL) or "postgresql:///daytrade"
        return Postgres(address, self.schema_name, self.folder)

    @property
    def snapshot_root(self) -> Place:
        """Folder of all snapshots."""
        return self.snapshots or self.folder / "snapshots"


SQLITE, POSTGRES = "in a file", "in a database"


def _kind(value: Any) -> str:
    keys = value if isinstance(value, Mapping) else vars(value)
    return POSTGRES if "url" in keys else SQLITE


StoreSettings = Annotated[
    Annotated[SqliteStore, Tag(SQLITE)] | Annotated[PostgresStore, Tag(POSTGRES)],
    Discriminator(_kind),
]
"""The chosen database, known by its keys."""
