"""Digests of months follow every write, and nothing else: what changed on disk is found."""

from __future__ import annotations

import contextlib
import sqlite3

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Fault
from pipeline.io.sources.protocol import Delivery
from pipeline.io.store.database import transaction
from pipeline.io.store.store import Store
from pipeline.schemas import INDICATORS, LABELS, ROW
from tests.io.store.made_bars import delivered, in_a_file, listed, quarantined, wide


@pytest.fixture
def filled(store):
    """Two months of bars, with indicators, labels, regimes and signals."""
    store.write_bars(delivered([[1, 2], [3, 4]], first="2010-01-30"))
    store.write_bars(delivered([[5, 6]], first="2010-02-01"))
    panel = wide([[1, 1], [2, 2], [3, 3]], first="2010-01-30")
    store.write_indicators(dict.fromkeys(INDICATORS, panel))
    store.write_labels(dict.fromkeys(LABELS, panel))
    store.write_regimes(states(3), "^IXIC")
    store.write_signals(orders(2), "2010-02-02", 1)
    store.mark_built("labels", store.revision(), {"code": "abc"})
    return store


def states(count: int, first: str = "2010-01-30") -> pd.DataFrame:
    days = pd.date_range(first, periods=count, name="session", unit="us")
    floats = dict.fromkeys(("trend_strength", "volatility_percentile", "slope_20"), 1.0)
    return pd.DataFrame({**floats, "vix_level": np.nan, "regime": "RANGING"}, index=days)


def orders(count: int) -> pd.DataFrame:
    floats = (
        "prediction", "weight", "shares", "reference_price", "notional", "limit", "stop", "target",
        "edge_bps", "cost_bps",
    )  # fmt: skip
    symbols = {"symbol": list("AB")[:count], "rank": range(1, count + 1), "side": "buy"}
    return pd.DataFrame({**symbols, **dict.fromkeys(floats, 1.0)})


def changed(store: Store, statement: str) -> None:
    with transaction(store._engine) as connection:
        assert connection.exec_driver_sql(statement).rowcount > 0


def test_what_was_written_has_no_faults(filled):
    assert filled.faults(deep=True) == []


@pytest.mark.parametrize(
    ("statement", "found", "next_command"),
    [
        (
            "UPDATE bars SET close = 1.0000000000000002 WHERE close = 1",
            "bars in .* in 1 months: 2010-01",
            "ingest -P start_date=2010-01-01 -P end_date=2010-01-31",
        ),
        ("DELETE FROM bars WHERE session = '2010-02-01'", "2010-02", "ingest"),
        ("UPDATE bars SET final = false WHERE close = 6", "bars in .*2010-02", "ingest"),
        ("UPDATE labels SET symbol = 'C' WHERE symbol = 'B'", "2 months", "-e labels -P start"),
        ("UPDATE indicators SET obv = NULL WHERE obv = 3", "2010-02", "indicators.force=true"),
        ("UPDATE regimes SET regime = 'HIGH_VOL'", "2 months: 2010-01, 2010-02", "-e regimes"),
        ("UPDATE signals SET rank = 3 WHERE rank = 2", "signals in", "restore"),
        (
            "UPDATE changes SET last_session = '2010-01-30' WHERE kind = 'bars'",
            "changes in",
            "restore",
        ),
        ("UPDATE builds SET revision = 'another'", "builds in", "restore"),
        ("UPDATE symbols SET sector = 'Utilities' WHERE symbol = 'A'", "symbols in", "-e ingest"),
    ],
)
def test_a_value_that_changed_on_disk_is_named_with_what_heals_it(
    filled, statement, found, next_command
):
    changed(filled, statement)

    (fault,) = filled.faults(deep=True)

    assert pd.Series([fault.found]).str.contains(found).all()
    assert next_command in fault.next_command
    assert filled.faults() == []  # the structure of the file is whole


def test_each_month_that_changed_is_a_fault(filled):
    changed(filled, "UPDATE regimes SET regime = 'HIGH_VOL'")
    (damage,) = filled.faults(deep=True)
    assert [fault.key for fault in damage.faults] == ["regimes of 2010-01", "regimes of 2010-02"]
    changed(filled, "UPDATE symbols SET sector = 'Utilities' WHERE symbol = 'A'")
    assert (Fault("symbols", "is not as it was written"),) in [
        damage.faults for damage in filled.faults(deep=True)
    ]


def test_rows_made_again_are_whole_again(filled):
    changed(filled, "UPDATE bars SET close = 9 WHERE close = 1")

    filled.write_bars(delivered([[1, 2]], first="2010-01-30"))

    assert filled.faults(deep=True) == []


def test_every_kind_of_write_records_digests(filled):
    row = ("2010-01-30", "B", "withdrawn by the source")
    gone = pd.MultiIndex.from_tuples([(pd.Timestamp("2010-01-30"), "B")], names=ROW)
    nothing = delivered([[np.nan, np.nan]])
    filled.write_bars(Delivery(nothing.bars, quarantined(row), nothing.gaps), withdrawn=gone)
    filled.write_bars(delivered([[7, 8]], first="2010-02-01"), replaced=["A"])
    filled.write_regimes(states(1), "^IXIC", whole=True)
    filled.write_signals(orders(0), "2010-02-02", 1)
    filled.write_symbols(listed("D"))

    assert filled.faults(deep=True) == []
    assert filled.row_counts("regimes") == {"regimes": 1}


@pytest.mark.parametrize("symbols", ["AB", "BA"])
def test_digests_of_what_fills_months_are_those_of_reading_it_back(store, symbols):
    values = [[-0.0, 0.0], [np.nan, -np.nan], [1e-300, 3], [4, np.nan]]
    store.write_labels(dict.fromkeys(LABELS, wide(values, symbols, first="2010-01-30")))
    assert store.faults(deep=True) == []
    assert digests(store) == {"2010-01": 1, "2010-02": 1}

    store.write_labels(dict.fromkeys(LABELS, wide([[5, 6]], symbols, first="2010-02-10")))
    assert store.faults(deep=True) == []


def test_few_rows_of_others_in_months_that_are_filled_are_digested_along(store):
    few = wide([[1.0]], "C", first="2010-01-30")
    store.write_labels(dict.fromkeys(LABELS, few))
    store.write_labels(
        dict.fromkeys(LABELS, wide([[k, -k] for k in range(40)], "AB", "2010-01-30"))
    )
    assert store.faults(deep=True) == []

    store.write_labels(dict.fromkeys(LABELS, wide([[1.0]], "D", first="2011-01-30")))
    again = wide([[1.0], *[[k] for k in range(40)]], "D", first="2011-01-30")
    store.write_labels(dict.fromkeys(LABELS, again))
    assert store.faults(deep=True) == []


def digests(store: Store) -> dict[str, int]:
    """How many of labels there are, by month."""
    asked = "SELECT month, COUNT(*) FROM digests WHERE \"table\" = 'labels' GROUP BY month"
    with store._engine.connect() as connection:
        return dict(tuple(row) for row in connection.exec_driver_sql(asked))


@settings(max_examples=12, deadline=None)
@given(
    writes=st.lists(
        st.tuples(st.integers(0, 90), st.integers(1, 40), st.floats(1, 9), st.booleans()),
        max_size=6,
    )
)
def test_after_any_writes_all_digests_hold(tmp_path_factory, writes):
    with Store.open(tmp_path_factory.mktemp("any") / "any.db") as store:
        store.write_symbols(listed("A", "B"))
        for offset, count, value, whole in writes:
            first = pd.Timestamp("2010-01-04") + pd.Timedelta(days=offset)
            values = np.full((count, 2), value)
            values[0, 1] = np.nan
            bars = delivered(values, first=f"{first:%Y-%m-%d}")
            store.write_bars(bars, replaced=["B"] if whole else ())
            store.write_labels(dict.fromkeys(LABELS, wide(values, first=f"{first:%Y-%m-%d}")))
            store.write_regimes(states(count, f"{first:%Y-%m-%d}"), "^IXIC", whole=whole)
        assert store.faults(deep=True) == []


def test_rows_from_before_there_were_digests_get_them(filled):
    changed(filled, "DELETE FROM digests")
    assert filled.faults(deep=True) == []
    changed(filled, "UPDATE bars SET close = 9 WHERE close = 1")
    assert len(filled.faults(deep=True)) == 1


@in_a_file
def test_a_file_whose_pages_do_not_fit_together_is_said(filled):
    filled.close()
    with contextlib.closing(sqlite3.connect(filled.database.path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = file.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'bars'").fetchone()[0]
        size = file.execute("PRAGMA page_size").fetchone()[0]
    with filled.database.path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 64)

    (fault,) = filled.faults()

    assert f"{filled.database.path} is damaged" in fault.found
