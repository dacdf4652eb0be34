"""Splits lead from stored prices to quoted ones, and a change of them is a change of the past."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from pipeline.io.sources.protocol import cut
from pipeline.io.store.coverage import MADE_OF
from pipeline.io.store.reported_splits import mark_splits, without_splits
from pipeline.io.store.store import Store
from tests.io.store.made_bars import delivered

DAYS = pd.date_range("2010-01-04", periods=4, name="session", unit="us")


def split(*rows: tuple[str, str, float], told: str = ""):
    """Four sessions of A and B whose prices were divided so."""
    table = pd.DataFrame(rows, columns=["session", "symbol", "split"]).assign(dividend=float("nan"))
    table["session"] = pd.to_datetime(table["session"]).astype("datetime64[us]")
    bars = delivered([[8, 5], [8, 5], [8, 5], [8, 5]])
    return replace(bars, actions=table.astype({"split": "float64"}), all_splits=frozenset(told))


def factors(store: Store) -> dict[str, list[float]]:
    found = store.price_factor(DAYS)
    return {} if found is None else {name: found[name].to_list() for name in found}


def test_ratios_multiply_up_to_the_session_before_the_split(store):
    store.write_bars(split(("2010-01-05", "A", 2.0), ("2010-01-07", "A", 3.0)))
    assert factors(store) == {"A": [6.0, 3.0, 3.0, 1.0]}


def test_only_another_split_changes_what_snapshots_are_made_of(store):
    store.write_bars(split(("2010-01-05", "A", 2.0)))
    before = store.revision()
    store.write_bars(split(("2010-01-05", "A", 2.0)))
    assert store.revision() == before
    paid = pd.DataFrame({"session": DAYS[1:2], "symbol": "B", "split": float("nan"),
                         "dividend": 0.3})  # fmt: skip
    store.write_bars(replace(split(), actions=paid))
    assert set(store.changes(before)["kind"]) == {"actions"}
    store.write_bars(split(("2010-01-07", "A", 3.0)))
    whole = split(("2010-01-05", "A", 2.0))
    store.withdraw_actions(whole)
    made = store.changes(before)
    made = made[made["kind"].isin(MADE_OF)]
    assert made["kind"].to_list() == ["splits", "splits"]
    assert made["first_session"].isna().all()
    assert (made["last_session"] == DAYS[3]).all()
    assert factors(store) == {"A": [2.0, 1.0, 1.0, 1.0]}
    assert store.faults(deep=True) == []


def test_of_whom_every_split_is_known_stays_known_until_a_whole_source_tells_less(store):
    assert without_splits(store, "AB") == ["A", "B"]
    mark_splits(store, split(told="AB"), is_whole=False)
    mark_splits(store, split(), is_whole=False)
    assert without_splits(store, "ABC") == ["C"]
    mark_splits(store, split(told="B"), is_whole=True)
    assert without_splits(store, "AB") == ["A"]


def test_a_part_of_a_source_in_time_does_not_have_all_splits():
    whole = split(("2010-01-06", "A", 3.0), told="A")
    assert cut(whole, {"A"}, None, None).all_splits == {"A"}
    assert cut(whole, None, DAYS[1], None).all_splits == frozenset()
