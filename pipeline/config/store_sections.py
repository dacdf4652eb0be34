"""Where bars, results and snapshots are kept; each value is described in ``conf/store/``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator

from pipeline.paths import ProjectPath
from pipeline.secrets import masked
from pipeline.values import Value

if TYPE_CHECKING:
    from pipeline.io.store.protocol import Database


def _no_address(value: object) -> object:
    if isinstance(value, str) and "://" in value:
        raise ValueError(
            f"{masked(value)} is an address, a file of this machine is needed; a PostgreSQL "
            "database is chosen by store=postgres"
        )
    return value


class SqliteStore(Value):
    """Where bars, results and snapshots are kept: a file."""

    path: Annotated[ProjectPath, BeforeValidator(_no_address)]
    snapshots: ProjectPath | None
    lock_timeout_seconds: Annotated[float, Field(ge=0)]

    @property
    def database(self) -> Database:
        """Where the store is."""
        from pipeline.io.store.sqlite import Sqlite  # brings SQLAlchemy

        return Sqlite(self.path)

    @property
    def snapshot_root(self) -> Path:
        """Folder of all snapshots."""
        return self.snapshots or self.path.parent / "snapshots"


DATABASE_URL = "DAYTRADE_DATABASE_URL"
"""Environment variable with the address of the database, which may hold a password."""


PASSWORD = re.compile(r"://[^/@:]*:[^@]*@|[?&](?i:password|passfile)=")


class PostgresStore(Value):
    """Where bars, results and snapshots are kept: a PostgreSQL database and a folder."""

    url: str | None
    schema_name: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
    folder: ProjectPath
    snapshots: ProjectPath | None
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
    def snapshot_root(self) -> Path:
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
