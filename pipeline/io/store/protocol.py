"""What a store asks of its database beyond the SQL that all of them understand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, cast

import pandas as pd
from sqlalchemy import Connection, Engine, Select, Table
from sqlalchemy.exc import DBAPIError

from pipeline.errors import PipelineError

READ_CHUNK = 500  # fewer tuples than wake the garbage collector: 2.4 s for 1.6 M rows, else 3.7 s
BUSY_SECONDS = 30
"""How long a write waits for another one's transaction; readers never wait."""

OPTION = "database"
"""Under this name, an engine's execution options hold the database it leads to."""


class Database(Protocol):
    """A place for one store.

    Its engine keeps itself under `OPTION`, begins a transaction with the option ``writes`` as the
    only writing one, and lets a transaction without it read one state of the store throughout. A
    float that is not a number is kept as NULL, and zero without its sign.
    """

    @property
    def name(self) -> str:
        """As messages show it; no password, no user."""

    @property
    def folder(self) -> Path:
        """On this machine, for what is under way."""

    def exists(self) -> bool:
        """Whether a store is there."""

    def make(self) -> None:
        """Make the place for its tables, if there is none."""

    def connect(self) -> Engine:
        """A new engine."""

    def lock(self, what: str, stage: str, timeout_seconds: float) -> AbstractContextManager[None]:
        """Hold the lock of this name while the block runs. Not re-entrant; ends with the process.

        Raises
        ------
        StoreLocked
            Another process held it for so long; the message names it.
        """

    def is_busy(self, error: DBAPIError) -> bool:
        """Whether a transaction failed since another one went on for `BUSY_SECONDS`."""

    def unusable(self, error: DBAPIError) -> PipelineError:
        """Why it cannot be opened, in words."""

    def old_schema_commands(self) -> tuple[str, ...]:
        """What moves a store away that this code can neither read nor upgrade."""

    def restore_commands(self) -> tuple[str, ...]:
        """What puts back a backup that was made as docs/howto.md and docs/scale.md say."""

    def damage(self, connection: Connection) -> list[str]:
        """What the database itself sees of damage, in words; quick."""

    def fetch(self, connection: Connection, statement: Select) -> Iterator[list[tuple]]:
        """Rows as the driver gives them, a list of at most `READ_CHUNK` at a time."""

    def upsert(self, connection: Connection, table: Table, rows: pd.DataFrame) -> None:
        """Insert rows indexed by session and symbol; one whose key exists is replaced."""


def database_of(bind: Engine | Connection) -> Database:
    """The database an engine or a connection of it leads to."""
    return cast(Database, bind.get_execution_options()[OPTION])
