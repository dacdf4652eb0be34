from __future__ import annotations

import pytest

from pipeline.io.store.store import Store
from tests.io.store.made_bars import listed


@pytest.fixture
def store(tmp_path):
    opened = Store.open(tmp_path / "sample.db", lock_timeout=0.1)
    opened.write_symbols(listed("A", "B", "C"))
    opened.write_symbols(listed("^IXIC", kind="index"))
    yield opened
    opened.close()
