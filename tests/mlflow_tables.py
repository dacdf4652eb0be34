"""MLflow's tables in SQLite by a copy, for tests: it makes them by some sixty migrations, 1.5 s."""

from __future__ import annotations

import functools
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from mlflow.store.db import utils
from mlflow.store.model_registry import sqlalchemy_store as registry
from sqlalchemy import Engine, create_engine

migrate = utils._initialize_tables
"""MLflow's own way, for every database that is not an empty file of SQLite."""


@functools.cache
def tables() -> bytes:
    """A database that MLflow migrated from nothing; made once a process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        engine = create_engine(f"sqlite:///{path}")
        migrate(engine)
        engine.dispose()
        with closing(sqlite3.connect(path)) as made:
            return made.serialize()


def copied(engine: Engine) -> None:
    """What `migrate` makes."""
    if engine.dialect.name != "sqlite" or not utils._is_empty_database(engine):
        migrate(engine)
        return
    with (
        closing(sqlite3.connect(":memory:")) as source,
        closing(sqlite3.connect(str(engine.url.database), timeout=30)) as target,
    ):
        source.deserialize(tables())
        source.backup(target)


def by_copy() -> None:
    """From now on, in this process and those forked from it."""
    utils._initialize_tables = registry._initialize_tables = copied
    utils._get_latest_schema_revision = functools.cache(utils._get_latest_schema_revision)
