from __future__ import annotations

import pandas as pd

from pipeline.io.sources.protocol import Delivery
from pipeline.io.store.backup import back_up
from pipeline.io.store.revisions import EMPTY, numbers_in
from pipeline.io.store.store import Store
from tests.io.store.made_bars import NAN, causes, delivered, in_a_file, listed, quarantined


def test_a_new_symbol_is_no_change_and_another_description_of_one_is(store):
    store.write_symbols(listed("D"))
    assert store.revision() == EMPTY

    store.write_symbols(listed("D").assign(sector="Utilities"))

    assert store.changes()["kind"].to_list() == ["symbols"]
    assert pd.isna(store.changes()["first_session"].iloc[0])


def test_changes_tell_what_when_and_how_many_symbols(store):
    store.write_bars(delivered([[1, 1], [NAN, 2]]))

    newest = store.changes().iloc[-1]

    assert newest["kind"] == "bars"
    assert newest["first_session"] == pd.Timestamp("2010-01-04")
    assert newest["last_session"] == pd.Timestamp("2010-01-05")
    assert newest["symbols"] == 2


def test_the_newest_mark_of_a_build_counts(store):
    store.mark_built("labels", "one")
    store.mark_built("labels", "two", {"sessions": 3})

    built = store.built("labels")

    assert (built.revision, built.detail) == ("two", {"sessions": 3})
    assert store.built("features") is None


def test_the_first_bars_and_new_sessions_change_no_past(store):
    store.write_bars(delivered([[1, 1], [2, 2]]))
    store.write_bars(delivered([[3, 3]], first="2010-01-06"))
    assert causes(store) == []


def test_a_change_names_whose_past_it_changes_and_from_when_on(store):
    store.write_bars(delivered([[1, NAN], [2, 1], [3, 3]]))
    before = store.revision()

    store.write_bars(delivered([[1, 5, NAN], [2, 8, NAN], [9, 9, 7]], symbols="ABC"))

    assert causes(store, before) == [
        ("B", "came late", "04", 1),
        ("B", "changed", "05", 1),
        ("C", "new symbol", "06", 1),
    ]  # the last session's own bars are no past


def test_a_symbol_whose_last_bar_lies_long_ago_is_not_new(store):
    store.write_bars(delivered([[1, 1]]))
    store.write_bars(delivered([[1, NAN]], first="2010-06-01"))

    store.write_bars(delivered([[2, 2]], first="2010-06-02"))

    assert causes(store) == []


def test_bars_of_months_apart_are_changes_of_their_own(store):
    store.write_bars(delivered([[1, 1]]))
    store.write_bars(delivered([[1, 1]], first="2010-06-01"))
    before = store.revision()
    both = pd.concat(
        [delivered([[2, 1]]).bars, delivered([[1, 1], [3, 3]], first="2010-06-01").bars]
    )

    written = store.write_bars(Delivery(both, quarantined(), quarantined()[:0]))

    assert (written.new, written.changed, written.unchanged) == (2, 1, 3)
    spans = store.changes(before)[["first_session", "last_session"]]
    assert spans.map("{:%m-%d}".format).to_numpy().tolist() == [["01-04"] * 2, ["06-02"] * 2]


def test_every_change_has_a_revision_of_its_own_and_the_store_tells_their_order(store):
    assert store.revision() == EMPTY
    seen = []
    for day in range(4, 8):
        store.write_bars(delivered([[1, 2]], first=f"2010-01-0{day}"))
        seen.append(store.revision())

    assert len(set(seen)) == 4
    assert numbers_in(store.changes(), [EMPTY, *seen, "another"]).tolist() == [0, 1, 2, 3, 4, -1]
    assert store.changes(seen[1])["revision"].to_list() == seen[2:]


def test_all_is_new_since_a_revision_that_the_store_does_not_know(store):
    store.write_bars(delivered([[1, 1], [2, 2]]))
    store.write_bars(delivered([[1, 1], [9, 2]]))
    store.write_bars(delivered([[8, 8]]))

    assert len(store.changes("another")) == len(store.changes()) == 3
    assert len(store.causes("another")) == 2


@in_a_file
def test_a_backup_that_is_put_back_has_revisions_no_later_state_had(store, tmp_path):
    store.write_bars(delivered([[1, 1]]))
    back_up(store.database.path, tmp_path / "backup.db")
    with Store.open(tmp_path / "backup.db") as backup:
        store.write_bars(delivered([[2, 2]], first="2010-01-05"))
        backup.write_bars(delivered([[3, 3]], first="2010-01-05"))

        assert backup.store_id == store.store_id
        assert backup.revision() != store.revision()
        assert numbers_in(backup.changes(), [store.revision()]).tolist() == [-1]
