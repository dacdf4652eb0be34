"""What PostgreSQL has to do beyond what every database does: sessions, locks, bits, passwords."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, OperationalError

from pipeline.errors import InvalidSettings, NotReady, StoreLocked
from pipeline.io.outside import explained
from pipeline.io.store import tables
from pipeline.io.store.database import transaction
from pipeline.io.store.postgres import Postgres
from pipeline.io.store.store import Store
from pipeline.schemas import BAR_FIELDS
from tests import postgres as server_of_tests
from tests.io.store.made_bars import delivered, listed, written

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("place", ["postgres"], indirect=True),
]


def any_bits(count: int) -> np.ndarray:
    """Finite and infinite floats of any size, minus zero and the smallest among them."""
    bits = np.random.default_rng(3).integers(-(2**63), 2**63, count, dtype=np.int64)
    values = bits.view(np.float64)
    named = [0.0, -0.0, 5e-324, np.inf, -np.inf, 0.1 + 0.2, np.nextafter(1, 2), np.nan]
    return np.concatenate([values[~np.isnan(values)], named])


def test_every_float_comes_back_with_its_bits(store, tmp_path):
    values = any_bits(12_000)
    values = values[: len(values) // 2 * 2]
    sent = delivered(np.ones((len(values) // 2, 2)))
    bars = sent.bars.assign(close=values, volume=values[::-1])
    store.write_bars(type(sent)(bars, sent.quarantine, sent.gaps))

    again = store.bars()

    assert again.index.equals(bars.index)
    with Store.open(tmp_path / "beside.db") as beside:
        beside.write_symbols(listed("A", "B"))
        beside.write_bars(type(sent)(bars, sent.quarantine, sent.gaps))
        same = beside.bars()
    for name in BAR_FIELDS:
        assert again[name].to_numpy().tobytes() == same[name].to_numpy().tobytes()
        assert again[name].to_numpy().tobytes() == (bars[name] + 0.0).to_numpy().tobytes()
    assert store.write_bars(type(sent)(bars, sent.quarantine, sent.gaps)).rows == 0


def test_a_float_that_is_not_a_number_is_null_however_it_is_written(store, postgres):
    floats = dict.fromkeys(tables.SIGNAL_FLOATS, float("nan"))
    orders = pd.DataFrame({"symbol": ["A"], "rank": [1], "side": ["long"], **floats})
    store.write_signals(orders, "2010-01-04", 7)
    store.write_bars(delivered([[1, 2]]))
    bars = delivered([[1, 2]]).bars.assign(volume=np.nan)
    store.write_bars(
        type(delivered([[1]]))(bars, delivered([[1]]).quarantine, delivered([[1]]).gaps)
    )

    schema = store.database.schema
    kept = postgres.execute(f'SELECT count("limit"), count(weight) FROM "{schema}".signals')
    assert kept == [(0, 0)]
    assert postgres.execute(f'SELECT count(volume) FROM "{schema}".bars') == [(0,)]


def test_texts_are_sorted_by_code_points_and_kept_as_they_are(store):
    names = ["a", "Z", "^A", "Ä", "A-B", "AB", 'say "x", y', "NULL", "\\N", "", "two\nlines"]
    store.write_symbols(listed(*names))
    assert store.symbols("stock").index.to_list() == sorted([*names, "A", "B", "C"])


def test_the_refusal_names_the_process_that_writes(store):
    with (
        store.writer("ingest"),
        pytest.raises(StoreLocked, match=rf"'ingest' \(process {os.getpid()} on .*UTC\)"),
        store.writer("features"),
    ):
        pass
    with store.writer("features"):
        pass


def test_two_stores_of_a_database_have_writers_of_their_own(store, postgres, tmp_path):
    other = postgres.schema(tmp_path)
    with (
        store.writer("ingest"),
        Store.open(other, lock_timeout=0.1) as beside,
        beside.writer("ingest"),
    ):
        pass
    postgres.execute(f'DROP SCHEMA "{other.schema}" CASCADE')


def test_without_its_lock_a_writer_writes_nothing_more(store, postgres):
    with store.writer("ingest"):
        store.write_bars(delivered([[1, 2]]))
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name LIKE 'ingest|%'"
        )
        with pytest.raises(StoreLocked, match="the connection that held the lock"):
            store.write_bars(delivered([[9, 9]]))
    assert store.bar_panel().close.to_numpy().tolist() == [[1, 2]]


def test_a_write_waits_for_another_one_and_then_says_who_is_busy(place, monkeypatch):
    monkeypatch.setattr("pipeline.io.store.postgres.BUSY_MILLISECONDS", 50)
    with (
        Store.open(place) as first,
        Store.open(place) as second,
        transaction(first._engine),
        pytest.raises(StoreLocked, match="another process is writing"),
    ):
        second.write_symbols(listed("Z"))


def test_a_reader_sees_one_state_of_the_store_and_waits_for_nobody(store):
    count = select(tables.bars.c.symbol)
    with store._engine.connect() as reading:
        assert reading.execute(count).all() == []
        store.write_bars(delivered([[1, 2]]))
        assert reading.execute(count).all() == []
        with transaction(store._engine) as writing:
            writing.execute(tables.bars.delete())
            assert store.bar_count() == 2


def test_a_lost_connection_is_replaced_by_the_next_command(store, postgres):
    assert store.bar_count() == 0
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND datname = current_database()"
    )
    assert store.write_bars(delivered([[1, 2]])).new == 2


def test_a_connection_that_ends_within_a_write_is_explained_and_leaves_nothing(store, postgres):
    def broken_off() -> None:
        with transaction(store._engine) as connection:
            connection.execute(tables.symbols.insert(), {"symbol": "Z", "kind": "stock"})
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            postgres.execute(f"SELECT pg_terminate_backend({pid})")
            connection.execute(tables.symbols.insert(), {"symbol": "Y", "kind": "stock"})

    with pytest.raises(OperationalError) as lost:
        broken_off()
    said = explained("ingest", lost.value)
    assert isinstance(said, NotReady)
    assert "the database does not answer" in said.found
    assert "Z" not in store.symbols().index


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("SET TRANSACTION READ ONLY; DELETE FROM bars", "may only be read"),
        ("SET LOCAL ROLE pg_monitor; CREATE SCHEMA other", "may not do this"),
    ],
)
def test_a_right_that_is_missing_is_explained(store, statement, found):
    with pytest.raises(DBAPIError) as refused, transaction(store._engine) as connection:
        connection.exec_driver_sql(statement)
    assert found in str(explained("ingest", refused.value))


WRITER = """
import sys
from tests.io.store.made_bars import delivered
from pipeline.io.store.store import Store
first, symbols = sys.argv[1:]
with Store.open(PLACE, lock_timeout=60) as store:
    for day in range(1, 11):
        with store.writer(symbols):
            store.write_bars(delivered([[day, day]], symbols=symbols, first=f"2010-01-{day:02d}"))
"""


def test_two_writers_at_once_lose_nothing(place):
    with Store.open(place) as store:
        store.write_symbols(listed(*"ABCD"))
    command = [sys.executable, "-c", written(WRITER, place), "1"]
    processes = [subprocess.Popen([*command, symbols]) for symbols in ("AB", "CD")]
    assert [process.wait() for process in processes] == [0, 0]

    with Store.open(place) as store:
        closes = store.bar_panel().close
        assert closes.shape == (10, 4)
        assert (closes.to_numpy() == np.arange(1, 11)[:, None]).all()
        assert store.changes().index.to_list() == list(range(1, 21))
        assert store.faults(deep=True) == []


REWRITER = """
import itertools, time
from tests.io.store.made_bars import delivered
from pipeline.io.store.store import Store
with Store.open(PLACE, lock_timeout=60) as store:
    for value in itertools.count(time.time_ns() // 1000):
        with store.writer("ingest"):
            store.write_bars(delivered([[value] * 4] * 400, symbols="ABCD"))
        print("written", flush=True)
"""


def killed_while_writing(place: Postgres, kills: int, chance: random.Random) -> set[float]:
    """Values of the store after each of so many kills of a process that writes it again and again.

    Each is one of 1600 equal bars, whole, unlocked, and with digests that fit.
    """
    command = [sys.executable, "-c", written(REWRITER, place)]
    seen: set[float] = set()
    for _ in range(kills):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        with Store.open(place, lock_timeout=10) as store, store.writer("status"):
            closes = store.bar_panel().close
            assert closes.shape == (400, 4)
            assert closes.to_numpy().min() == closes.to_numpy().max()
            assert store.faults(deep=True) == []
            numbers = store.changes().index.to_list()
            assert numbers == list(range(1, len(numbers) + 1))
            seen.add(float(closes.iloc[0, 0]))
    return seen


def test_kills_leave_whole_writes_and_no_lock(place):
    with Store.open(place) as store:
        store.write_symbols(listed(*"ABCD"))
    assert len(killed_while_writing(place, 3, random.Random(5))) == 3


def test_an_empty_database_has_no_store_and_reading_makes_none(place, postgres):
    with pytest.raises(NotReady, match=rf"no store at postgresql://.*{place.schema}"):
        Store.open(place, create=False)
    assert postgres.execute(f"SELECT to_regnamespace('{place.schema}')") == [(None,)]


def test_a_schema_that_holds_other_tables_is_refused(place, postgres):
    postgres.execute(f'CREATE SCHEMA "{place.schema}"')
    postgres.execute(f'CREATE TABLE "{place.schema}".runs (id int)')
    with pytest.raises(Exception, match="holds the tables runs"):
        Store.open(place)


def test_a_user_who_may_make_no_schema_uses_one_that_was_made(place, postgres, monkeypatch):
    user = f"u_{place.schema}"
    postgres.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'x'")
    mine = Postgres(postgres.url.replace("trader@", f"{user}:x@"), place.schema, place.folder)
    with pytest.raises(
        NotReady, match=r"permission denied for database daytrade(.|\n)*make a schema"
    ):
        Store.open(mine)
    postgres.execute(f'CREATE SCHEMA "{place.schema}" AUTHORIZATION {user}')
    with Store.open(mine) as store:
        store.write_symbols(listed("A"))
        assert store.symbols().index.to_list() == ["A"]
    postgres.execute(f'DROP SCHEMA "{place.schema}" CASCADE')
    postgres.execute(f"DROP ROLE {user}")


SECRET = "hunter2"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://trader:{secret}@127.0.0.1:{port}/daytrade",
        "postgresql://trader:{secret}@127.0.0.1:1/daytrade",
        "postgresql://trader:{secret}@127.0.0.1:{port}/none",
        "postgres://127.0.0.1:{port}/daytrade?user=trader&password={secret}",
        "postgresql://trader:{secret}@127.0.0.1:port/daytrade",
        "mysql://trader:{secret}@127.0.0.1/daytrade",
    ],
)
def test_no_fault_of_an_address_repeats_its_password(place, postgres, address):
    wrong = Postgres(address.format(secret=SECRET, port=postgres.port), "s", place.folder)
    with pytest.raises((NotReady, InvalidSettings)) as refused:
        Store.open(wrong)
    assert SECRET not in str(refused.value) + repr(refused.value) + repr(wrong)
    assert refused.value.__cause__ is None


def test_a_dump_is_put_back_with_its_past(store, postgres, tmp_path):
    store.write_bars(delivered([[1, 2]]))
    then, schema = store.revision(), store.database.schema
    file = str(postgres.folder / f"{schema}.dump")
    postgres.client("pg_dump", "-Fc", "-n", schema, "-f", file)
    store.write_bars(delivered([[9, 9]]))
    store.close()

    postgres.client("pg_restore", "--clean", "--single-transaction", "-d", "daytrade", file)

    with Store.open(store.database, create=False) as again:
        assert again.revision() == then
        assert again.bar_panel().close.to_numpy().tolist() == [[1, 2]]
        assert again.faults(deep=True) == []
        again.write_bars(delivered([[3, 4]], first="2010-01-05"))
        assert again.changes().index.to_list() == [1, 2]


def test_rows_of_any_order_and_type_are_the_same_in_both_databases(store, tmp_path):
    rng = np.random.default_rng(1)
    bars = delivered(rng.normal(10, 1, (40, 3)), symbols="ABC").bars
    bars = bars.assign(final=rng.random(len(bars)) < 0.5).sample(frac=0.7, random_state=1)
    sent = delivered([[1]])
    with Store.open(tmp_path / "beside.db") as beside:
        for each in (store, beside):
            each.write_symbols(listed("A", "B", "C"))
            each.write_bars(type(sent)(bars.sort_index(), sent.quarantine, sent.gaps))
        pd.testing.assert_frame_equal(store.bars(), beside.bars())
        assert digests(store) == digests(beside) != {}


def digests(store: Store) -> dict[tuple[str, str], str]:
    with store._engine.connect() as connection:
        rows = connection.execute(select(tables.digests).where(tables.digests.c.month != "all"))
        return {(row.table, row.month): row.digest for row in rows}


def test_without_a_server_the_tests_fail_and_say_what_is_missing(place, monkeypatch):
    monkeypatch.setattr(server_of_tests, "programs", lambda: None)
    with pytest.raises(AssertionError, match="apt-get install postgresql"):
        server_of_tests.running_server().__enter__()
