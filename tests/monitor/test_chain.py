"""The forecast ledger: whatever is done to a past entry is named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from pipeline.errors import Fault
from pipeline.io.store.store import Store
from pipeline.monitor.chain import Evening, Sealed, countable, entry_hash, sealed
from tests.monitor.made import evening


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with five evenings of one model on three symbols."""
    with Store.open(tmp_path / "s.db") as store:
        for day in range(1, 6):
            made = evening(session=f"2024-05-0{day}", made_at=f"2024-05-0{day}T01:00:00Z")
            store.append_evenings([(made, forecasts(day))])
    return tmp_path / "s.db"


def forecasts(day: int) -> pd.Series:
    return pd.Series({"A": 0.001 * day, "B": -0.002, "C": 0.0})


def changed(path: Path, *statements: str) -> list[Fault]:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    with Store.open(path) as store:
        return store.ledger_faults()


def test_a_ledger_as_it_was_written_has_no_fault(path: Path) -> None:
    assert changed(path) == []


@pytest.mark.parametrize("field", ["session", "model", "made_at", "rules", "orders", "previous"])
def test_one_changed_byte_of_an_entry_names_it(path: Path, field: str) -> None:
    fault = changed(path, f"UPDATE evenings SET {field} = {field} || ' ' WHERE number = 3")[0]
    assert fault.key.startswith("entry 3 (")
    assert fault.found == "was changed"


def test_a_changed_hash_names_the_entry(path: Path) -> None:
    faults = changed(path, "UPDATE evenings SET hash = 'f' || substr(hash, 2) WHERE number = 3")
    assert faults == [Fault("entry 3 (2024-05-03, 1)", "was changed")]


def test_one_changed_forecast_names_entry_and_symbol(path: Path) -> None:
    (fault,) = changed(
        path,
        "UPDATE forecasts SET prediction = prediction + 1e-18 WHERE number = 2 AND symbol = 'A'",
        "UPDATE forecasts SET prediction = 0.0020000000000000005 WHERE number = 2 AND symbol = 'A'",
    )
    assert fault.key == "entry 2 (2024-05-02, 1)"
    assert fault.found.startswith("its forecasts are not those that were sealed: A; 3 rows, 3 were")


def test_a_removed_entry_is_named_by_its_neighbours(path: Path) -> None:
    faults = changed(path, "DELETE FROM evenings WHERE number = 3",
                     "DELETE FROM forecasts WHERE number = 3")  # fmt: skip
    missing = "one or more entries before it and after entry 2 are missing"
    assert faults == [Fault("entry 4 (2024-05-04, 1)", missing)]


def test_a_removed_first_entry_is_named(path: Path) -> None:
    (fault, _) = changed(path, "DELETE FROM evenings WHERE number = 1")
    missing = "one or more entries before it and after the beginning are missing"
    assert fault == Fault("entry 2 (2024-05-02, 1)", missing)


def test_a_removed_or_added_forecast_is_told_by_its_count(path: Path) -> None:
    (fault,) = changed(path, "DELETE FROM forecasts WHERE number = 2 AND symbol = 'B'")
    assert "2 rows, 3 were written" in fault.found
    (fault,) = changed(path, "INSERT INTO forecasts SELECT 2, 'B', -0.002, seal FROM forecasts"
                             " WHERE number = 1 AND symbol = 'B'",
                             "INSERT INTO forecasts VALUES (9, 'A', 0.1, 'x')")  # fmt: skip
    assert fault == Fault("entry 9", "is not there, 1 forecasts are of it")


def test_an_entry_put_in_is_named_even_with_a_hash_of_its_own(path: Path) -> None:
    with Store.open(path) as store:
        before = store.evenings()[2]
    forged = sealed(0, evening(session="2024-05-03", model="2"), forecasts(3), before.hash)
    row = {"number": 40, **vars(forged.evening), "symbols": 3, "content": forged.content,
           "previous": before.hash}  # fmt: skip
    entry = Sealed(40, forged.evening, 3, forged.content, before.hash, "")
    row["hash"] = entry_hash(entry)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE evenings SET number = number + 100 WHERE number > 3")
        connection.execute("UPDATE forecasts SET number = number + 100 WHERE number > 3")
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        connection.execute(f"INSERT INTO evenings ({names}) VALUES ({marks})", row)
    with Store.open(path) as store:
        faults = store.ledger_faults()
    put_in = "was put in, no later entry is chained to it"
    assert Fault("entry 40 (2024-05-03, 2)", put_in) in faults


def test_a_cut_off_end_is_told_by_what_was_noted_elsewhere(path: Path) -> None:
    with Store.open(path) as store:
        anchors = {store.evenings()[-1].hash: "run abc"}
        assert store.ledger_faults(anchors) == []
    changed(path, "DELETE FROM evenings WHERE number = 5", "DELETE FROM forecasts WHERE number = 5")
    with Store.open(path) as store:
        (fault,) = store.ledger_faults(anchors)
    assert fault.key == "run abc"
    assert fault.found.startswith("the entry that it noted is missing")


def test_an_entry_that_was_made_before_the_one_it_follows_is_named(path: Path) -> None:
    with Store.open(path) as store:
        late = evening(session="2024-05-02", model="2", made_at="2024-05-01T02:00:00Z")
        store.append_evenings([(late, forecasts(2))])
        (fault,) = store.ledger_faults()
    assert fault.found.startswith("says it was made before entry 5")


def test_the_same_evening_twice_is_one_entry(path: Path) -> None:
    again = evening(session="2024-05-05", made_at="2024-05-05T09:00:00Z", revision="other")
    with Store.open(path) as store:
        (entry,) = store.append_evenings([(again, forecasts(5))])
        assert entry.number == 5
        (entry,) = store.append_evenings([(again, forecasts(6))])
        assert (entry.number, len(store.evenings())) == (6, 6)


def test_a_replay_of_live_forecasts_is_not_kept_beside_them(path: Path) -> None:
    with Store.open(path) as store:
        replay = evening(session="2024-05-05", kind="replay", made_at="2024-05-09T09:00:00Z")
        (entry,) = store.append_evenings([(replay, forecasts(5))])
        assert (entry.number, entry.evening.kind) == (5, "live")
        (entry,) = store.append_evenings([(replay, forecasts(7))])
        assert (entry.number, entry.evening.kind) == (6, "replay")


def test_all_of_an_evening_is_kept_or_nothing(path: Path) -> None:
    broken = pd.Series({"A": None})
    with Store.open(path) as store:
        with pytest.raises(TypeError):
            store.append_evenings([(evening(session="2024-05-06"), forecasts(6)),
                                   (evening(session="2024-05-06", model="2"), broken)])  # fmt: skip
        assert len(store.evenings()) == 5


def test_every_field_of_an_entry_is_under_its_hash() -> None:
    entry = sealed(1, evening(), forecasts(1), "")
    for name, value in vars(entry.evening).items():
        other = Evening(**{**vars(entry.evening), name: not value if value is True else f"{value}1"
                           if isinstance(value, str) else 7.0})  # fmt: skip
        changed_entry = Sealed(1, other, 3, entry.content, "", "")
        assert entry_hash(changed_entry) != entry.hash, name


def test_the_newest_entry_counts_and_a_replay_of_known_bars_never() -> None:
    entries = [
        sealed(1, evening(), forecasts(1), ""),
        sealed(2, evening(), forecasts(2), "x"),
        sealed(3, evening(kind="replay"), forecasts(1), "y"),
        sealed(4, evening(kind="replay", unseen=False, model="2"), forecasts(1), "z"),
    ]
    assert [entry.number for entry in countable(entries)] == [2, 3]
