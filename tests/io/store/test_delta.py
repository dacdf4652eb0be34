"""What is new in a source that gives all it has: by hand, and for any history and any edits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import Fault, Refused
from pipeline.io.sources.protocol import Delivery
from pipeline.io.store.delta import Delta, compare_with_store, mark_digests
from pipeline.io.store.store import Store
from tests.io.store.made_months import DAYS, closes, delivery


@pytest.fixture
def store(tmp_path):
    opened = Store.open(tmp_path / "files.db")
    yield opened
    opened.close()


def ingested(
    store: Store, given: Delivery, symbols: list[str] | None = None, max_withdrawn: float = 0.2
) -> Delta:
    """As the stage does it."""
    names = pd.Index(given.bars.index.unique("symbol"), name="symbol")
    described = pd.DataFrame("", index=names, columns=["exchange", "sector", "name"])
    store.write_symbols(described.assign(kind="stock"))
    found = compare_with_store(store, given, "stock", symbols, max_withdrawn)
    store.write_bars(found.delivery, withdrawn=found.withdrawn.index)
    mark_digests(store, "stock", symbols, found)
    return found


def keys(bars: pd.DataFrame) -> list[tuple[str, str]]:
    return [(f"{session:%m-%d}", name) for session, name in bars.index]


def test_a_month_that_stands_in_the_store_as_delivered_is_not_looked_at_again(store, monkeypatch):
    ingested(store, delivery(closes()))
    read: list[str] = []
    monkeypatch.setattr(store, "bars", lambda first, *rest: read.append(f"{first:%Y-%m}"))

    found = compare_with_store(store, delivery(closes()), "stock", None, 0.2)

    assert found.delivery.bars.empty
    assert found.unchanged == 300
    assert read == []


def test_a_changed_old_bar_is_found_in_its_month(store):
    ingested(store, delivery(closes()))
    changed = closes()
    changed.loc["2021-01-06", "B"] = 99.0

    found = ingested(store, delivery(changed))

    assert set(found.delivery.bars.index.get_level_values("session").month) == {1}
    assert store.bar_panel().close.loc["2021-01-06", "B"] == 99.0


def test_a_month_written_by_something_else_since_is_looked_at_again(store):
    ingested(store, delivery(closes()))
    other = closes()[1:2] + 1.0
    store.write_bars(delivery(other))

    found = ingested(store, delivery(closes()))

    assert found.unchanged == 300 - 5 * 20
    pd.testing.assert_frame_equal(
        store.bar_panel().close, closes(), check_freq=False, check_column_type=False
    )


def test_a_withdrawn_bar_is_set_aside_with_its_last_values(store):
    ingested(store, delivery(closes()))
    without = closes()
    without.loc["2021-02-03", "B"] = np.nan

    found = ingested(store, delivery(without))

    assert keys(found.withdrawn) == [("02-03", "B")]
    aside = store.quarantine().iloc[0]
    assert (aside["reason"], aside["close"]) == (
        "withdrawn by the source",
        closes().loc["2021-02-03", "B"],
    )
    assert np.isnan(store.bar_panel().close.loc["2021-02-03", "B"])

    ingested(store, delivery(closes()))
    assert store.quarantine().empty
    assert store.bar_count() == 300


def test_a_bar_that_breaks_a_rule_now_goes_with_that_reason(store):
    ingested(store, delivery(closes()))
    without = closes()
    without.loc["2021-02-03", "B"] = np.nan
    broken = [("2021-02-03", "B", "price missing")]

    found = ingested(store, delivery(without, broken))

    assert keys(found.withdrawn) == [("02-03", "B")]
    assert store.quarantine()["reason"].to_list() == ["price missing"]


def test_a_rolling_window_withdraws_nothing_before_its_first_bar_of_a_symbol(store):
    ingested(store, delivery(closes()))
    window = closes().loc["2021-02-10":]
    window.loc[:"2021-02-19", "C"] = np.nan  # C's file begins later
    window["D"] = np.nan  # D is gone altogether: since the window's first session

    found = ingested(store, delivery(window), max_withdrawn=1.0)

    assert {name for _, name in keys(found.withdrawn)} == {"D"}
    assert keys(found.withdrawn)[0] == ("02-10", "D")
    assert store.bar_panel().close["C"].notna().all()
    assert store.bar_panel().close["D"].last_valid_index() == pd.Timestamp("2021-02-09")
    assert list(found.digests) == ["2021-03"]  # of February the store has more than the files


def test_a_symbol_delisted_before_the_window_stays(store):
    gone = closes()
    gone.loc["2021-02-01":, "E"] = np.nan
    ingested(store, delivery(gone))

    found = ingested(store, delivery(closes("ABCD").loc["2021-02-10":]))

    assert found.withdrawn.empty
    assert store.bar_count() == 240 + 20


def test_what_cannot_be_read_now_was_not_withdrawn(store):
    ingested(store, delivery(closes()))

    suspect = ingested(store, delivery(closes("ABCD"), refused={"E": "two readings"}))
    hidden = ingested(store, delivery(closes("ABCD"), refused={"E.csv": "?"}, all_read=False))

    for found in (suspect, hidden):
        assert found.withdrawn.empty
        assert {name for _, name in keys(found.undecided)} == {"E"}
    assert store.bar_count() == 300


def test_symbols_that_were_not_asked_for_are_not_withdrawn(store):
    ingested(store, delivery(closes()))

    found = ingested(store, delivery(closes("AB")), symbols=["A", "B"])

    assert found.withdrawn.empty
    assert store.bar_count() == 300
    back = ingested(store, delivery(closes("ABCD")), max_withdrawn=1.0)
    assert {name for _, name in keys(back.withdrawn)} == {"E"}


def test_a_truncated_file_is_refused_with_the_numbers_and_changes_nothing(store):
    ingested(store, delivery(closes()))
    before = store.revision()

    with pytest.raises(Refused) as refusal:
        ingested(store, delivery(closes()[:40]))

    text = str(refusal.value)
    assert "100 of the 300 stored bars since 2021-01-04 (33%), of 5 symbols (A, B, C" in text
    assert "data.max_withdrawn=0.34" in text
    gone = "20 bars are no longer in the files"
    assert refusal.value.faults == tuple(Fault(name, gone) for name in "ABCDE")
    assert (store.revision(), store.bar_count()) == (before, 300)
    assert len(ingested(store, delivery(closes()[:40]), max_withdrawn=0.34).withdrawn) == 100
    assert store.sessions()[-1] == DAYS[39]


def test_a_delivery_without_this_kind_withdraws_nothing(store):
    ingested(store, delivery(closes()))
    found = ingested(store, delivery(closes()[:0]))
    assert found.withdrawn.empty


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seeds=st.lists(st.integers(0, 10_000), min_size=1, max_size=3))
def test_after_any_edits_the_store_holds_what_was_delivered_last(tmp_path_factory, seeds):
    """Each delivery has holes, changed bars and other symbols; all begin on the same day."""
    store = Store.open(tmp_path_factory.mktemp("any") / "files.db")
    last = closes()
    for seed in [0, *seeds]:
        rng = np.random.default_rng(seed)
        values = closes().to_numpy(copy=True)
        values[rng.random(values.shape) < 0.01] += 1
        values[rng.random(values.shape) < 0.05] = np.nan
        values[20 * rng.integers(3) :, rng.integers(5)] = np.nan
        values[0] = 1.0
        last = pd.DataFrame(values, DAYS, closes().columns)[: rng.integers(1, 61)]
        ingested(store, delivery(last), max_withdrawn=1.0)
    found = store.bar_panel().close
    expected = last.dropna(how="all").dropna(axis=1, how="all")
    pd.testing.assert_frame_equal(found, expected, check_freq=False, check_column_type=False)
    store.close()
