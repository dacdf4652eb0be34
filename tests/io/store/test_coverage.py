"""Which results belong to the bars as they are now: after corrections, and after a backup."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import NotReady
from pipeline.io.store.backup import back_up
from pipeline.io.store.coverage import (
    ANOTHER_STATE,
    missing_sessions,
    oldest_revision,
    rebuild_reasons,
    require_current,
    stale_results,
)
from pipeline.io.store.snapshots import SnapshotStore
from pipeline.io.store.store import Store
from pipeline.schemas import ROW
from tests.io.store.made_bars import delivered, in_a_file

DAYS = pd.date_range("2010-01-04", periods=10, name="session", unit="us")
MADE_BY = {"indicators": {"code": "i"}, "regimes": {"code": "r"}, "labels": {"code": "l"}}
LOOK_BACK = 2


@pytest.fixture
def snapshots(tmp_path) -> SnapshotStore:
    return SnapshotStore(tmp_path, "sample", "classic", "abc123")


@pytest.fixture
def built(store, snapshots):
    """Nine sessions of bars, with all that is made of them; features reach one session further."""
    store.write_bars(delivered([[n, n] for n in range(1, 10)]))
    build(store, snapshots)
    return store


def build(store: Store, snapshots: SnapshotStore, sessions: pd.DatetimeIndex = DAYS) -> None:
    revision = store.revision()
    for name, made_by in MADE_BY.items():
        store.mark_built(name, revision, made_by)
    index = pd.MultiIndex.from_product([sessions, list("AB")], names=ROW)
    rows = pd.DataFrame({"return_1": np.float32(1)}, index=index)
    snapshots.write(rows, sessions=sessions, revision=revision, store_id=store.store_id)


def stale(store, snapshots, sessions=DAYS, made_by=MADE_BY):
    found = stale_results(store, snapshots, sessions, made_by=made_by, look_back=LOOK_BACK)
    return {result.name: f"{result.since:%d}" for result in found}


def test_nothing_is_stale_right_after_it_was_made(built, snapshots):
    assert stale(built, snapshots) == {}
    assert missing_sessions(built, snapshots, DAYS, LOOK_BACK).empty


def test_a_corrected_bar_makes_all_that_was_made_of_it_stale_from_its_session_on(built, snapshots):
    built.write_bars(delivered([[9.5, 3]], first="2010-01-06"))

    assert stale(built, snapshots) == {
        "indicators": "06", "regimes": "06", "features": "06", "labels": "06",
    }  # fmt: skip
    missing = missing_sessions(built, snapshots, DAYS, LOOK_BACK)
    assert missing.day.to_list() == [6, 7, 8]  # a look-back of two sessions reaches no further


def test_only_what_the_sessions_in_use_are_made_of_counts(built, snapshots):
    built.write_bars(delivered([[9.5, 3]], first="2010-01-06"))

    assert stale(built, snapshots, DAYS[:2]) == {}
    assert stale(built, snapshots, DAYS[6:]) == {"indicators": "10", "regimes": "10"}
    assert stale(built, snapshots, DAYS[4:]) == {
        "indicators": "08", "regimes": "08", "features": "08",
    }  # fmt: skip


def test_a_new_session_is_missed_by_those_who_use_the_one_after_it(built, snapshots):
    built.write_bars(delivered([[10, 10]], first="2010-01-13"))

    assert stale(built, snapshots, DAYS[-1:]) == {
        "indicators": "13", "regimes": "13", "features": "13", "labels": "13",
    }  # fmt: skip
    assert stale(built, snapshots, DAYS[:-1]) == {}


def test_results_of_other_code_are_stale_as_a_whole(built, snapshots):
    other = MADE_BY | {"labels": {"code": "changed"}}
    assert stale(built, snapshots, DAYS[3:], other) == {"labels": "07"}


def test_what_was_never_made_is_stale(store, snapshots):
    store.write_bars(delivered([[1, 1], [2, 2]]))
    assert set(stale(store, snapshots, DAYS[:2])) == {*MADE_BY, "features"}


def test_a_session_without_snapshots_is_named(built, snapshots):
    snapshots.forget(DAYS[4:6])
    assert stale(built, snapshots) == {"features": "08"}


def test_snapshots_of_another_store_are_none(built, snapshots, tmp_path):
    with Store.open(tmp_path / "other.db") as other:
        other.write_symbols(built.symbols())
        other.write_bars(delivered([[n, n] for n in range(1, 10)]))
        assert stale(other, snapshots, made_by={}) == {"features": "04"}


@in_a_file
def test_snapshots_newer_than_a_backup_that_is_put_back_are_stale_and_older_ones_are_not(
    built, snapshots, tmp_path
):
    """The backup gets as many changes as the store had: numbers alone would call all current."""
    backup_path = tmp_path / "backup.db"
    back_up(built.database.path, backup_path)
    built.write_bars(delivered([[99, 99]], first="2010-01-08"))
    build(built, snapshots, DAYS[4:7])

    with Store.open(backup_path) as backup:
        assert stale(backup, snapshots) == {"features": "08"}
        assert missing_sessions(backup, snapshots, DAYS, LOOK_BACK).day.to_list() == [8, 9, 10]
        backup.write_bars(delivered([[77, 77]], first="2010-01-12"))
        assert backup.changes().index[-1] == built.changes().index[-1]
        assert backup.revision() != built.revision()
        assert {8, 9, 10} <= set(missing_sessions(backup, snapshots, DAYS, LOOK_BACK).day)


def test_the_oldest_of_revisions_is_the_unknown_one(built):
    first = built.revision()
    built.write_bars(delivered([[99, 99]]))
    assert oldest_revision(built, []) is None
    assert oldest_revision(built, [built.revision(), first]) == first
    assert oldest_revision(built, [first, "another"]) == "another"


def test_what_was_made_of_an_unknown_state_is_said_to_be(built):
    before = built.revision()
    built.write_bars(delivered([[9.5, 3]], first="2010-01-06"))

    assert rebuild_reasons(built, "another", ["A"]) == [ANOTHER_STATE]
    (reason,) = rebuild_reasons(built, before, ["A"])
    assert reason.startswith("other values of old bars: 1 symbol (A)")


def test_stale_results_are_refused_with_the_commands_that_make_them_again(built, snapshots):
    require_current("signals", [])
    built.write_bars(delivered([[9.5, 3]], first="2010-01-06"))
    found = stale_results(built, snapshots, DAYS[4:], made_by=MADE_BY, look_back=LOOK_BACK)

    with pytest.raises(NotReady, match=r"indicators from 2010-01-08 on \(bars changed") as raised:
        require_current("signals", found)
    commands = [command.stage for command in raised.value.next]
    assert commands == ["indicators", "regimes", "features"]
