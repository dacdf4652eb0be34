"""Stores of an older schema are brought to the present one in place, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.io.store import upgrades
from pipeline.io.store.revisions import EMPTY
from pipeline.io.store.store import Store
from tests.io.store.made_bars import causes, delivered, listed

SCHEMA_1 = """
CREATE TABLE meta (schema_version INTEGER NOT NULL, store_id VARCHAR NOT NULL,
  PRIMARY KEY (schema_version));
CREATE TABLE symbols (symbol VARCHAR NOT NULL, exchange VARCHAR, sector VARCHAR, name VARCHAR,
  kind VARCHAR NOT NULL, PRIMARY KEY (symbol));
CREATE TABLE bars (session DATE NOT NULL, symbol VARCHAR NOT NULL, open FLOAT, high FLOAT,
  low FLOAT, close FLOAT, volume FLOAT, final BOOLEAN, PRIMARY KEY (session, symbol))
  WITHOUT ROWID;
CREATE TABLE changes (revision INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, kind VARCHAR NOT NULL,
  first_session DATE, last_session DATE, symbols INTEGER NOT NULL, at DATETIME NOT NULL);
CREATE TABLE bar_changes (revision INTEGER NOT NULL, symbol VARCHAR NOT NULL, what VARCHAR NOT NULL,
  first_session DATE NOT NULL, bars INTEGER NOT NULL, PRIMARY KEY (revision, symbol, what));
CREATE TABLE builds (name VARCHAR NOT NULL, revision INTEGER NOT NULL, detail JSON NOT NULL,
  PRIMARY KEY (name));
INSERT INTO meta VALUES (1, 'the-id');
INSERT INTO symbols VALUES ('A', NULL, 'Energy', NULL, 'stock');
INSERT INTO bars VALUES ('2010-01-04', 'A', 1.0, 1.0, 1.0, 1.0, 1.0, 1);
INSERT INTO changes (kind, first_session, last_session, symbols, at) VALUES
  ('bars', '2010-01-04', '2010-01-04', 1, '2026-01-01 00:00:00'),
  ('bars', '2010-01-04', '2010-01-04', 1, '2026-01-02 00:00:00'),
  ('labels', '2010-01-04', '2010-01-04', 1, '2026-01-03 00:00:00');
INSERT INTO bar_changes VALUES (2, 'A', 'changed', '2010-01-04', 1);
INSERT INTO builds VALUES ('labels', 2, '{"code": "abc"}'), ('ingest', 0, '{}');
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store as version 1 wrote it."""
    path = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.executescript(SCHEMA_1)
    return path


def test_a_store_of_version_1_keeps_its_rows_changes_and_marks(old):
    with Store.open(old) as store:
        assert store.store_id == "the-id"
        assert store.bar_count() == 1
        assert store.changes()["revision"].to_list() == ["1", "2", "3"]
        assert causes(store, "1") == [("A", "changed", "04", 1)]
        labels, ingest = store.built("labels"), store.built("ingest")
        assert (labels.revision, labels.detail) == ("2", {"code": "abc"})
        assert store.changes(labels.revision)["kind"].to_list() == ["labels"]
        assert ingest.revision == EMPTY
        assert len(store.changes(ingest.revision)) == 3


def test_no_later_change_has_a_revision_that_version_1_could_have_given(old):
    with Store.open(old) as store:
        store.write_symbols(listed("A"))
        store.write_bars(delivered([[1]], symbols="A", first="2010-01-05"))
        assert store.changes().index.to_list() == [1, 2, 3, 4]
        assert store.changes()["revision"].iloc[-1] != "4"


def test_a_second_opening_changes_nothing(old):
    Store.open(old).close()
    with Store.open(old) as store:
        assert store.changes()["revision"].to_list() == ["1", "2", "3"]


KILLED = """
import os, signal, sys
from pipeline.io.store import upgrades
from pipeline.io.store.store import Store
first = upgrades.UPGRADES[1]
upgrades.UPGRADES[1] = lambda c: (first(c), os.kill(os.getpid(), signal.SIGKILL))
Store.open(sys.argv[1])
"""


def test_a_process_killed_while_it_upgrades_leaves_the_old_store(old):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(old)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with contextlib.closing(sqlite3.connect(old)) as file:
        assert file.execute("SELECT schema_version FROM meta").fetchone() == (1,)

    with Store.open(old) as store:
        assert store.changes()["revision"].to_list() == ["1", "2", "3"]


def test_processes_that_upgrade_at_once_agree(old):
    command = [sys.executable, "-c", KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "0")]
    processes = [subprocess.Popen([*command, str(old)], env=os.environ) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    with Store.open(old) as store:
        assert len(store.changes()) == 3


def test_every_older_version_has_a_way_to_the_present_one():
    from pipeline.io.store.tables import SCHEMA_VERSION

    assert sorted(upgrades.UPGRADES) == list(range(1, SCHEMA_VERSION))
