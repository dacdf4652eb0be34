"""The store: facts and narrow results of one data source in one SQL database.

Every write is one transaction and idempotent: rows that are already there with the same values are
not touched, and only a write that changed something counts up the revision.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Engine, func, select

from pipeline.errors import Damaged, NotReady
from pipeline.io.cluster.jobs import lock_timeout
from pipeline.io.store import tables
from pipeline.io.store.database import INGEST, open_schema
from pipeline.io.store.evenings import Evenings
from pipeline.io.store.events import Events
from pipeline.io.store.facts import Facts
from pipeline.io.store.faults import faults
from pipeline.io.store.looks import Looks
from pipeline.io.store.protocol import Database
from pipeline.io.store.results import Results
from pipeline.io.store.revisions import Revisions
from pipeline.io.store.sqlite import Sqlite


class Store(Facts, Results, Revisions, Looks, Evenings, Events):
    """Facts and narrow results of one data source; open it with `Store.open`.

    Ranges are inclusive, None means no bound, and symbols default to all.

    Attributes
    ----------
    database
        Where it is.
    store_id
        Random, made with the store; a copy of it has the same.
    """

    def __init__(
        self, database: Database, engine: Engine, store_id: str, lock_timeout: float
    ) -> None:
        super().__init__(engine)
        self.database = database
        self.store_id = store_id
        self._lock_timeout = lock_timeout

    @classmethod
    def open(
        cls, where: str | Path | Database, *, create: bool = True, lock_timeout: float = 0.0
    ) -> Store:
        """Open the store in a database.

        Parameters
        ----------
        where
            A file of SQLite may be given as a path or as a ``sqlite:///`` URL.
        lock_timeout
            Seconds that `writer` waits for another writer; the configuration says how many.

        Raises
        ------
        NotReady
            There is no store and `create` is false, or the database does not answer.
        StoreTooOld
            Another version of the schema wrote it.
        InvalidData
            It is something else.
        """
        database = Sqlite.at(where) if isinstance(where, str | Path) else where
        if not database.exists():
            if not create:
                raise NotReady("store", f"there is no store at {database.name}", "prices", INGEST)
            database.make()
        engine = database.connect()
        try:
            return cls(database, engine, open_schema(engine), lock_timeout)
        except BaseException:
            engine.dispose()
            raise

    def close(self) -> None:
        """Release the database; so does the end of a ``with`` block."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def writer(self, stage: str) -> AbstractContextManager[None]:
        """Be the only writer of this store and its snapshots while the block runs.

        Raises
        ------
        StoreLocked
            Another process is writing; its stage and process id are named.
        """
        return self.database.lock("lock", stage, lock_timeout(self._lock_timeout))

    def faults(self, *, deep: bool = False) -> list[Damaged]:
        """What is not as it was written, each with the command that heals it; empty: nothing.

        Parameters
        ----------
        deep
            Every row is read and compared with the digest of its month, not only the structure of
            the database; rows from before there were digests get them.
        """
        return faults(self._engine, deep=deep)

    def row_counts(self, *names: str) -> dict[str, int]:
        """Rows of these tables."""
        with self._engine.connect() as connection:
            count = select(func.count())
            of = {name: count.select_from(tables.metadata.tables[name]) for name in names}
            return {name: int(connection.scalar(rows) or 0) for name, rows in of.items()}
