from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Fault, InvalidData
from pipeline.io.sources.protocol import Delivery
from pipeline.io.store.store import Store
from pipeline.schemas import BAR_FIELDS, INDICATORS, LABELS, ROW
from tests.io.store.made_bars import NAN, causes, delivered, listed, quarantined, wide


def test_bars_come_back_as_they_were_written(store):
    store.write_bars(delivered([[1.5, NAN], [2.5, 3.5]]))

    panel = store.bar_panel()

    for field in BAR_FIELDS:
        pd.testing.assert_frame_equal(
            getattr(panel, field), wide([[1.5, NAN], [2.5, 3.5]]), check_freq=False
        )


def test_writing_the_same_bars_again_changes_nothing(store):
    bars = delivered([[1, 2], [3, NAN]])
    store.write_bars(bars)
    before = store.revision()

    written = store.write_bars(bars)

    assert (written.new, written.changed, written.unchanged) == (0, 0, 3)
    assert store.revision() == before


def test_a_write_reports_what_is_new_changed_and_as_before(store):
    store.write_bars(delivered([[1, 2], [3, 4]]))

    written = store.write_bars(delivered([[1, 2], [3, 5], [6, NAN]]))

    assert (written.new, written.changed, written.unchanged) == (1, 1, 3)
    assert (written.first, written.last) == (pd.Timestamp("2010-01-05"), pd.Timestamp("2010-01-06"))
    assert written.symbols == 2
    assert store.bar_panel().close.loc["2010-01-05"].to_list() == [3, 5]


def test_a_provisional_bar_becomes_final(store):
    store.write_bars(delivered([[1, 2]], final=False))
    assert store.label_ready_sessions().empty

    written = store.write_bars(delivered([[1, NAN]]))

    assert written.changed == 1
    assert store.final_mask().loc["2010-01-04"].to_list() == [True, False]
    assert store.label_ready_sessions().to_list() == [pd.Timestamp("2010-01-04")]


def test_bars_of_a_symbol_that_is_not_listed_are_refused(store):
    with pytest.raises(InvalidData, match="1 symbols that are not listed: X") as caught:
        store.write_bars(delivered([[1, 2]], symbols="AX"))
    assert caught.value.faults == (Fault("X", "is not listed"),)
    assert store.sessions().empty


def test_a_write_that_fails_leaves_nothing(store):
    broken = delivered([[1, 2]])
    broken.quarantine["reason"] = "no such column comes next"
    with pytest.raises(KeyError):
        store.write_bars(Delivery(broken.bars, broken.quarantine, pd.DataFrame({"day": []})))
    assert store.row_counts("bars") == {"bars": 0}


def test_sessions_of_the_panel_are_those_of_the_whole_store(store):
    store.write_bars(delivered([[1, NAN], [NAN, 2]]))

    panel = store.bar_panel(symbols=["C", "A"])

    np.testing.assert_array_equal(panel.close, [[1, NAN], [NAN, NAN]])
    assert panel.symbols.to_list() == ["A", "C"]


def test_a_range_is_inclusive(store):
    store.write_bars(delivered([[1, 1], [2, 2], [3, 3], [4, 4]]))
    assert store.bar_panel("2010-01-05", "2010-01-06").close["A"].to_list() == [2, 3]


def test_indices_and_stocks_are_apart(store):
    store.write_bars(delivered([[1, 2]]))
    store.write_bars(delivered([[5], [6]], symbols=["^IXIC"], first="2010-01-03"))

    assert store.bar_panel().symbols.to_list() == ["A", "B"]
    assert store.bar_panel(kind="index").close["^IXIC"].to_list() == [5, 6]
    assert len(store.sessions()) == 1
    assert len(store.sessions("index")) == 2


def test_an_empty_store_answers_with_empty_panels(store):
    assert store.bar_panel().close.shape == (0, 0)
    assert store.indicator_panel()["rsi_14"].empty
    assert store.labels().empty
    assert store.labels().index.names == ROW


def test_a_bar_that_comes_later_leaves_quarantine_and_gaps(store):
    monday = ("2010-01-04", "A", "high below another price")
    first = delivered([[NAN, 2]])
    store.write_bars(Delivery(first.bars, quarantined(monday), first.gaps))
    assert store.quarantine()["reason"].to_list() == ["high below another price"]

    store.write_bars(delivered([[1, 2]]))

    assert store.quarantine().empty


def test_symbols_that_are_not_listed_again_stay(store):
    store.write_symbols(listed("A").assign(sector="Utilities"))
    symbols = store.symbols("stock")
    assert symbols["sector"].to_dict() == {"A": "Utilities", "B": "Energy", "C": "Energy"}
    assert symbols["exchange"].isna().all()


def test_counts_tell_what_is_there(store):
    store.write_bars(delivered([[1, NAN], [2, 3]]))
    assert store.row_counts("bars", "symbols", "labels") == {"bars": 3, "symbols": 4, "labels": 0}


def test_bars_that_go_take_what_was_made_of_them_along(store):
    store.write_bars(delivered([[1, 1], [2, 2]]))
    store.write_indicators(dict.fromkeys(INDICATORS, wide([[1, 1], [2, 2]])))
    store.write_labels(dict.fromkeys(LABELS, wide([[1, 1], [2, 2]])))
    nothing = delivered([[NAN, NAN]])
    row = ("2010-01-04", "B", "withdrawn by the source")
    gone = pd.MultiIndex.from_tuples([(pd.Timestamp("2010-01-04"), "B")], names=ROW)

    store.write_bars(Delivery(nothing.bars, quarantined(row), nothing.gaps), withdrawn=gone)

    np.testing.assert_array_equal(store.bar_panel().close, [[1, NAN], [2, 2]])
    np.testing.assert_array_equal(store.indicator_panel()["obv"], [[1, NAN], [2, 2]])
    assert len(store.labels()) == 3
    assert store.quarantine()["reason"].to_list() == ["withdrawn by the source"]
    assert causes(store) == [("B", "gone", "04", 1)]


@settings(max_examples=10, deadline=None)
@given(
    kinds=st.lists(
        st.tuples(st.integers(0, 120), st.sampled_from(["A", "B", "^IXIC"]), st.booleans()),
        max_size=12,
        unique_by=lambda bar: bar[:2],
    )
)
def test_sessions_are_those_with_a_bar_of_the_kind(tmp_path_factory, kinds):
    store = Store.open(tmp_path_factory.mktemp("sessions") / "s.db")
    store.write_symbols(listed("A", "B"))
    store.write_symbols(listed("^IXIC", kind="index"))
    day = pd.Timestamp("2010-01-04").as_unit("us")
    rows = [(day + pd.Timedelta(days=n), name, final) for n, name, final in kinds]
    for at, name, final in rows:
        bars = delivered([[1.0]], symbols=[name], first=f"{at:%Y-%m-%d}", final=final)
        store.write_bars(bars)
    expected = {
        "stock": sorted({at for at, name, _ in rows if name != "^IXIC"}),
        "index": sorted({at for at, name, _ in rows if name == "^IXIC"}),
    }

    assert {kind: store.sessions(kind).to_list() for kind in expected} == expected
    assert store.sessions(symbols=["B"]).to_list() == sorted(at for at, n, _ in rows if n == "B")
    ready = sorted({at for at, name, final in rows if name != "^IXIC" and final})
    assert store.label_ready_sessions().to_list() == ready
    late = day + pd.Timedelta(days=60)
    assert store.bar_panel(start=late).sessions.to_list() == [
        at for at in expected["stock"] if at >= late
    ]
    store.close()
