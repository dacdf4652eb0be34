from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys

import pandas as pd
import pytest

from pipeline.errors import InvalidData, InvalidSettings, NotReady, StoreLocked, StoreTooOld
from pipeline.io.store.database import transaction
from pipeline.io.store.store import Store
from tests.io.store.made_bars import delivered, written


def test_a_store_from_before_a_column_gets_it_and_keeps_its_rows(place):
    new = ("limit", "stop", "target", "edge_bps", "cost_bps")
    with Store.open(place) as store, transaction(store._engine) as connection:
        for name in new:
            connection.exec_driver_sql(f'ALTER TABLE signals DROP COLUMN "{name}"')
        connection.exec_driver_sql(
            "INSERT INTO signals VALUES ('2010-01-04','7','A',1,'long',0.01,0.5,10.0,5.0,50.0)"
        )

    with Store.open(place) as store:
        kept = store.signals()

    assert kept[["model_version", "symbol", "shares"]].to_numpy().tolist() == [["7", "A", 10.0]]
    assert kept[list(new)].isna().all(axis=None)
    with Store.open(place) as again:
        pd.testing.assert_frame_equal(again.signals(), kept)


def test_a_store_keeps_its_id_and_another_has_another(tmp_path):
    first = Store.open(tmp_path / "a.db").store_id
    assert Store.open(f"sqlite:///{tmp_path}/a.db").store_id == first
    assert Store.open(tmp_path / "b.db").store_id != first


def test_a_store_of_another_schema_is_refused_with_what_to_do(place):
    with Store.open(place) as store, transaction(store._engine) as connection:
        connection.exec_driver_sql("UPDATE meta SET schema_version = 0")
    away = r"schema 0, this code 2(.|\n)*(mv .*sample\.db|psql postgresql:.*RENAME TO)"
    with pytest.raises(StoreTooOld, match=away):
        Store.open(place)


def test_a_missing_store_is_not_made_unasked(place):
    with pytest.raises(NotReady, match="ingest"):
        Store.open(place, create=False)
    assert not place.exists()


def test_files_that_are_no_store_are_refused(tmp_path):
    (tmp_path / "text.db").write_text("open,high,low,close\n" * 100)
    with sqlite3.connect(tmp_path / "mlflow.db") as file:
        file.execute("CREATE TABLE runs (id)")
    with pytest.raises(InvalidData, match="not a database"):
        Store.open(tmp_path / "text.db")
    with pytest.raises(InvalidData, match="holds the tables runs"):
        Store.open(tmp_path / "mlflow.db")


def test_another_database_is_refused():
    with pytest.raises(InvalidSettings, match="sqlite:///"):
        Store.open("postgresql://localhost/prices")


def test_one_writer_at_a_time(store):
    with (
        store.writer("ingest"),
        pytest.raises(StoreLocked, match="'ingest'"),
        store.writer("features"),
    ):
        pass


KILLED = """
import os, signal
import pandas as pd
from sqlalchemy import insert
from pipeline.io.store import tables
from pipeline.io.store.database import transaction
from pipeline.io.store.store import Store
store = Store.open(PLACE)
with transaction(store._engine) as connection:
    connection.execute(insert(tables.symbols), {"symbol": "Z", "kind": "stock"})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_inside_a_transaction_leaves_nothing(store):
    killed = subprocess.run([sys.executable, "-c", written(KILLED, store.database)], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert "Z" not in store.symbols().index
    assert store.write_bars(delivered([[1, 2]])).new == 2


OPENED = """
from pipeline.io.store.store import Store
print(Store.open(PLACE).store_id)
"""


def test_processes_that_make_the_store_at_once_agree_on_it(place):
    command = [sys.executable, "-c", written(OPENED, place)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert len(printed) == 1


def test_a_store_from_before_a_table_came_gets_it(place):
    with Store.open(place) as store, transaction(store._engine) as connection:
        connection.exec_driver_sql("DROP TABLE bar_changes")

    opened = Store.open(place)

    assert opened.causes().empty
    opened.close()
