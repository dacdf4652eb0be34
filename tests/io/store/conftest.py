from __future__ import annotations

import pytest

from pipeline.io.store.sqlite import Sqlite
from pipeline.io.store.store import Store
from tests.io.store.made_bars import listed


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request, tmp_path):
    """An empty place for a store, in each database."""
    if request.param == "sqlite":
        yield Sqlite(tmp_path / "sample.db")
        return
    server = request.getfixturevalue("postgres")
    schema = server.schema(tmp_path)
    yield schema
    server.execute(f'DROP SCHEMA IF EXISTS "{schema.schema}" CASCADE')


@pytest.fixture
def store(place):
    opened = Store.open(place, lock_timeout=0.1)
    opened.write_symbols(listed("A", "B", "C"))
    opened.write_symbols(listed("^IXIC", kind="index"))
    yield opened
    opened.close()
