"""A backup is whole while others write, and is put back whole or not at all."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys

import pytest

from pipeline.errors import Damaged, NotReady, Refused, StoreLocked
from pipeline.io.store.backup import back_up, main, restore
from pipeline.io.store.sqlite import Sqlite
from pipeline.io.store.store import Store
from tests.io.store.made_bars import delivered


@pytest.fixture
def place(tmp_path):
    return Sqlite(tmp_path / "sample.db")


def test_a_backup_holds_what_was_written_last_and_is_put_back(store, tmp_path):
    store.write_bars(delivered([[1, 2]]))
    back_up(store.database.path, tmp_path / "kept" / "backup.db")
    then = store.revision()
    store.write_bars(delivered([[9, 9]]))
    store.write_bars(delivered([[3, 4]], first="2010-01-05"))

    restore(tmp_path / "kept" / "backup.db", store.database.path)

    assert store.revision() == then
    assert store.bar_panel().close.to_numpy().tolist() == [[1, 2]]
    assert store.sessions().day.to_list() == [4]


def test_the_command_saves_and_restores_a_store_and_the_database_of_mlflow(store, tmp_path, capsys):
    store.write_bars(delivered([[1, 2]]))
    saved = [str(tmp_path / "kept" / name) for name in ("store.db", "mlflow.db")]
    tracked = tmp_path / "mlflow.db"
    with contextlib.closing(sqlite3.connect(tracked)) as file, file:
        file.execute("CREATE TABLE alembic_version (version_num TEXT)")
        file.execute("CREATE TABLE runs (name TEXT)")
    assert main(["save", str(store.database.path), saved[0]]) == 0
    assert main(["save", str(tracked), saved[1]]) == 0
    store.write_bars(delivered([[9, 9]]))
    tracked.unlink()
    assert main(["restore", saved[0], str(store.database.path)]) == 0
    assert main(["restore", saved[1], str(tracked)]) == 0
    assert store.bar_panel().close.to_numpy().tolist() == [[1, 2]]
    with contextlib.closing(sqlite3.connect(tracked)) as file:
        assert file.execute("SELECT count(*) FROM runs").fetchone() == (0,)
    assert main(["restore", saved[1], str(store.database.path)]) == 1
    assert "a backup of another store" in capsys.readouterr().err


def test_a_lost_store_is_put_back(store, tmp_path):
    store.write_bars(delivered([[1, 2]]))
    back_up(store.database.path, tmp_path / "backup.db")

    restore(tmp_path / "backup.db", tmp_path / "new" / "sample.db")

    with Store.open(tmp_path / "new" / "sample.db", create=False) as again:
        assert (again.store_id, again.bar_count()) == (store.store_id, 2)


def test_a_backup_is_not_put_back_while_another_process_writes(store, tmp_path):
    back_up(store.database.path, tmp_path / "backup.db")
    with store.writer("ingest"), pytest.raises(StoreLocked, match="'ingest'"):
        restore(tmp_path / "backup.db", store.database.path, lock_timeout=0)


def test_a_backup_of_another_store_is_refused(store, tmp_path):
    Store.open(tmp_path / "other.db").close()
    with pytest.raises(Refused, match="another store"):
        restore(tmp_path / "other.db", store.database.path)


def test_what_is_missing_or_no_store_is_named(store, tmp_path):
    (tmp_path / "text.db").write_text("open,high,low,close\n" * 100)
    with pytest.raises(NotReady, match=r"none\.db"):
        restore(tmp_path / "none.db", store.database.path)
    with pytest.raises(Damaged, match=r"text.db.*not a database"):
        restore(tmp_path / "text.db", store.database.path)
    assert store.symbols().shape[0] == 4


def test_a_store_that_cannot_be_read_replaces_no_backup(store, tmp_path):
    store.write_bars(delivered([[1, 2]] * 20))
    back_up(store.database.path, tmp_path / "backup.db")
    before = (tmp_path / "backup.db").read_bytes()
    store.close()
    spoiled(store.database.path)

    with pytest.raises(Damaged, match=r"sample.db is no whole store"):
        back_up(store.database.path, tmp_path / "backup.db")
    assert (tmp_path / "backup.db").read_bytes() == before


def spoiled(path):
    """The file of a store gets pages of nonsense."""
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 16384)


def test_a_backup_is_put_in_the_place_of_a_damaged_store_which_is_kept(store, tmp_path, capsys):
    store.write_bars(delivered([[1, 2]] * 20))
    path = store.database.path
    back_up(path, tmp_path / "backup.db")
    store.close()
    spoiled(path)
    damaged = path.read_bytes()

    restore(tmp_path / "backup.db", path)

    assert "kept as sample.db.damaged" in capsys.readouterr().err
    assert (tmp_path / "sample.db.damaged").read_bytes() == damaged
    with Store.open(path, create=False) as again:
        assert (again.bar_count(), again.faults(deep=True)) == (40, [])


def test_the_log_of_a_lost_store_is_not_rolled_into_its_backup(store, tmp_path):
    store.write_bars(delivered([[1, 2]]))
    path = store.database.path
    back_up(path, tmp_path / "backup.db")
    store.write_bars(delivered([[9, 9]]))
    log = path.with_name(f"{path.name}-wal").read_bytes()
    store.close()
    path.unlink()
    path.with_name(f"{path.name}-wal").write_bytes(log)

    restore(tmp_path / "backup.db", path)

    assert not path.with_name(f"{path.name}-wal").exists()
    with Store.open(path, create=False) as again:
        assert again.bar_panel().close.to_numpy().tolist() == [[1, 2]]


def test_what_is_no_store_is_not_set_aside(store, tmp_path):
    back_up(store.database.path, tmp_path / "backup.db")
    other = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(other)) as file:
        file.execute("CREATE TABLE notes (text)")
    with pytest.raises(Damaged, match=r"other\.db is no whole store"):
        restore(tmp_path / "backup.db", other)
    assert other.exists()


def test_an_address_is_answered_with_the_programs_of_postgresql(tmp_path, capsys):
    address = "postgresql://me:hunter2@host/daytrade"
    with pytest.raises(SystemExit):
        main(["save", address, str(tmp_path / "backup.db")])
    said = capsys.readouterr().err
    assert "pg_dump" in said
    assert "hunter2" not in said


KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
from pipeline.io.store.backup import restore
def kill(): time.sleep(float(sys.argv[3])); os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=kill).start()
while True: restore(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("seconds", ["0.005", "0.02", "0.05"])
def test_a_kill_while_a_backup_is_put_back_leaves_the_one_or_the_other(store, tmp_path, seconds):
    store.write_bars(delivered([[1, 2]] * 200))
    back_up(store.database.path, tmp_path / "backup.db")
    store.write_bars(delivered([[9, 9]] * 200))

    command = [
        sys.executable,
        "-c",
        KILLED,
        str(tmp_path / "backup.db"),
        str(store.database.path),
        seconds,
    ]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL

    closes = store.bar_panel().close
    assert closes.eq([1, 2]).all(axis=None) or closes.eq([9, 9]).all(axis=None)
