from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.errors import InvalidData, InvalidSettings, NotReady, StoreLocked, StoreTooOld
from pipeline.io.providers import Delivery
from pipeline.io.store import Store
from pipeline.schemas import BAR_FIELDS, INDICATORS, LABELS, ROW, Regime

NAN = float("nan")


@pytest.fixture
def store(tmp_path):
    opened = Store.open(tmp_path / "sample.db", lock_timeout=0.1)
    opened.write_symbols(listed("A", "B", "C"))
    opened.write_symbols(listed("^IXIC", kind="index"))
    yield opened
    opened.close()


def listed(*symbols, kind="stock"):
    index = pd.Index(symbols, name="symbol")
    return pd.DataFrame(
        {"exchange": None, "sector": "Energy", "name": None, "kind": kind}, index=index
    ).astype("str")


def delivered(close, *, symbols="AB", first="2010-01-04", final=True):
    """Bars with the given closes (sessions x symbols); NaN is no bar."""
    close = np.array(close, float)
    sessions = pd.date_range(first, periods=len(close), name="session", unit="us")
    index = pd.MultiIndex.from_product([sessions, list(symbols)], names=ROW)
    bars = pd.DataFrame(dict.fromkeys(BAR_FIELDS, close.ravel()), index=index)
    return Delivery(bars.dropna().assign(final=final), quarantined(), quarantined()[:0])


def quarantined(*rows):
    left_out = pd.DataFrame(rows, columns=[*ROW, "reason"])
    left_out["session"] = pd.to_datetime(left_out["session"])
    return left_out.assign(**dict.fromkeys(BAR_FIELDS, 1.0))


def wide(values, symbols="AB", first="2010-01-04"):
    return pd.DataFrame(
        np.array(values, float),
        index=pd.date_range(first, periods=len(values), name="session", unit="us"),
        columns=pd.Index(list(symbols), name="symbol", dtype="str"),
    )


def test_bars_come_back_as_they_were_written(store):
    store.write_bars(delivered([[1.5, NAN], [2.5, 3.5]]))

    panel = store.bar_panel()

    for field in BAR_FIELDS:
        pd.testing.assert_frame_equal(
            getattr(panel, field), wide([[1.5, NAN], [2.5, 3.5]]), check_freq=False
        )


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    arrays(
        float,
        st.tuples(st.integers(1, 6), st.integers(1, 4)),
        elements=st.floats(allow_nan=True, allow_infinity=False),
    )
)
def test_any_panel_survives_the_store_bit_for_bit(tmp_path_factory, values):
    values = values + 0.0  # SQLite keeps no sign of zero
    panel = dict.fromkeys(LABELS, wide(values, "ABCD"[: values.shape[1]]))
    store = Store.open(tmp_path_factory.mktemp("store") / "any.db")

    store.write_labels(panel)
    found = store.labels()[LABELS[0]]
    store.close()

    expected = panel[LABELS[0]].stack().dropna()
    assert found.index.to_list() == expected.index.to_list()
    assert found.to_numpy().tobytes() == expected.to_numpy().tobytes()


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
    with pytest.raises(InvalidData, match="1 symbols that are not listed: X"):
        store.write_bars(delivered([[1, 2]], symbols="AX"))
    assert store.sessions().empty


def test_a_write_that_fails_leaves_nothing(store):
    broken = delivered([[1, 2]])
    broken.quarantine["reason"] = "no such column comes next"
    with pytest.raises(KeyError):
        store.write_bars(Delivery(broken.bars, broken.quarantine, pd.DataFrame({"day": []})))
    assert store.counts()["bars"]["rows"] == 0


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


def test_a_mask_limits_which_indicators_are_written(store):
    store.write_bars(delivered([[1, 1], [2, 2]]))
    panel = dict.fromkeys(INDICATORS, wide([[1, 2], [3, 4]]))

    written = store.write_indicators(panel, only=wide([[0, 0], [1, 0]]).astype(bool))

    assert written.new == 1
    np.testing.assert_array_equal(store.indicator_panel()["obv"], [[NAN], [3]])


def test_regimes_come_back_by_index_symbol(store):
    states = pd.DataFrame(
        {
            "trend_strength": [NAN, 20.0],
            "volatility_percentile": 50.0,
            "slope_20": 0.1,
            "vix_level": NAN,
            "regime": [Regime.UNKNOWN, Regime.RANGING],
        },
        index=pd.DatetimeIndex(["2010-01-04", "2010-01-05"], name="session").as_unit("us"),
    )
    store.write_regimes(states, "^IXIC")
    store.write_regimes(states.assign(regime="HIGH_VOL"), "UNIVERSE")

    found = store.regimes("^IXIC")

    pd.testing.assert_frame_equal(found, states.astype({"regime": "str"}), check_freq=False)
    assert store.write_regimes(states, "^IXIC").rows == 0


def test_signals_of_a_session_and_version_are_replaced_as_a_whole(store):
    orders = pd.DataFrame(
        {
            "symbol": ["A", "B"], "rank": [1, 2], "side": "buy", "prediction": 0.01,
            "weight": 0.5, "shares": 10.0, "reference_price": 5.0, "notional": 50.0,
            "limit": [5.05, NAN], "stop": [4.9, NAN], "target": [5.2, NAN], "edge_bps": 100.0,
            "cost_bps": [9.5, 10.0],
        }
    )  # fmt: skip
    store.write_signals(orders, "2010-01-04", 1)
    store.write_signals(orders, "2010-01-04", 2)

    store.write_signals(orders.iloc[:1], "2010-01-04", 2)

    assert store.signals(model_version=1)["symbol"].to_list() == ["A", "B"]
    assert store.signals("2010-01-04", 2)["symbol"].to_list() == ["A"]
    assert store.signals("2010-01-05").empty
    kept = store.signals(model_version=1)[orders.columns]
    pd.testing.assert_frame_equal(kept.astype(orders.dtypes), orders, check_exact=True)


def test_a_store_from_before_a_column_gets_it_and_keeps_its_rows(tmp_path):
    path = tmp_path / "old.db"
    Store.open(path).close()
    new = ("limit", "stop", "target", "edge_bps", "cost_bps")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for name in new:
            connection.execute(f'ALTER TABLE signals DROP COLUMN "{name}"')
        connection.execute(
            "INSERT INTO signals VALUES ('2010-01-04','7','A',1,'long',0.01,0.5,10.0,5.0,50.0)"
        )
        connection.commit()

    with contextlib.closing(Store.open(path)) as store:
        kept = store.signals()

    assert kept[["model_version", "symbol", "shares"]].to_numpy().tolist() == [["7", "A", 10.0]]
    assert kept[list(new)].isna().all(axis=None)
    with contextlib.closing(Store.open(path)) as again:
        pd.testing.assert_frame_equal(again.signals(), kept)


def test_a_new_symbol_is_no_change_and_another_description_of_one_is(store):
    store.write_symbols(listed("D"))
    assert store.revision() == 0

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
    store.mark_built("labels", 1)
    store.mark_built("labels", 2, {"sessions": 3})

    built = store.built("labels")

    assert (built.revision, built.detail) == (2, {"sessions": 3})
    assert store.built("features") is None


def test_symbols_that_are_not_listed_again_stay(store):
    store.write_symbols(listed("A").assign(sector="Utilities"))
    symbols = store.symbols("stock")
    assert symbols["sector"].to_dict() == {"A": "Utilities", "B": "Energy", "C": "Energy"}
    assert symbols["exchange"].isna().all()


def test_counts_tell_what_is_there(store):
    store.write_bars(delivered([[1, NAN], [2, 3]]))
    counts = store.counts()
    assert counts["bars"]["rows"] == 3
    assert (counts["bars"]["sessions"], counts["bars"]["symbols"]) == (2, 2)
    assert str(counts["bars"]["last"]) == "2010-01-05"
    assert counts["symbols"] == {"rows": 4}


def test_a_store_keeps_its_id_and_another_has_another(tmp_path):
    first = Store.open(tmp_path / "a.db").store_id
    assert Store.open(f"sqlite:///{tmp_path}/a.db").store_id == first
    assert Store.open(tmp_path / "b.db").store_id != first


def test_a_store_of_another_schema_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "old.db"
    Store.open(path).close()
    with sqlite3.connect(path) as file:
        file.execute("UPDATE meta SET schema_version = 0")
    with pytest.raises(StoreTooOld, match=r"schema 0, this code 1(.|\n)*mv .*old.db"):
        Store.open(path)


def test_a_missing_store_is_not_made_unasked(tmp_path):
    with pytest.raises(NotReady, match="ingest"):
        Store.open(tmp_path / "none.db", create=False)
    assert not (tmp_path / "none.db").exists()


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
import os, signal, sys
import pandas as pd
from sqlalchemy import insert
from pipeline.io import tables
from pipeline.io.database import writing
from pipeline.io.store import Store
store = Store.open(sys.argv[1])
with writing(store._engine) as connection:
    connection.execute(insert(tables.symbols), {"symbol": "Z", "kind": "stock"})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_inside_a_transaction_leaves_nothing(store):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(store.path)], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert "Z" not in store.symbols().index
    assert store.write_bars(delivered([[1, 2]])).new == 2


OPENED = """
import sys
from pipeline.io.store import Store
print(Store.open(sys.argv[1]).store_id)
"""


def test_processes_that_make_the_store_at_once_agree_on_it(tmp_path):
    command = [sys.executable, "-c", OPENED, str(tmp_path / "new.db")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert len(printed) == 1


def causes(store, since=0):
    found = store.causes(since)[["symbol", "what", "first_session", "bars"]]
    return [(n, w, f"{d:%d}", b) for n, w, d, b in found.itertuples(index=False)]


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


def test_bars_that_go_take_what_was_made_of_them_along(store):
    store.write_bars(delivered([[1, 1], [2, 2]]))
    store.write_indicators(dict.fromkeys(INDICATORS, wide([[1, 1], [2, 2]])))
    store.write_labels(dict.fromkeys(LABELS, wide([[1, 1], [2, 2]])))
    nothing = delivered([[NAN, NAN]])
    row = ("2010-01-04", "B", "withdrawn by the source")
    gone = pd.MultiIndex.from_tuples([(pd.Timestamp("2010-01-04"), "B")], names=ROW)

    store.write_bars(Delivery(nothing.bars, quarantined(row), nothing.gaps), gone=gone)

    np.testing.assert_array_equal(store.bar_panel().close, [[1, NAN], [2, 2]])
    np.testing.assert_array_equal(store.indicator_panel()["obv"], [[1, NAN], [2, 2]])
    assert len(store.labels()) == 3
    assert store.quarantine()["reason"].to_list() == ["withdrawn by the source"]
    assert causes(store) == [("B", "gone", "04", 1)]


@settings(max_examples=20, deadline=None)
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


def test_a_store_from_before_a_table_came_gets_it(tmp_path):
    path = tmp_path / "older.db"
    Store.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE bar_changes")

    opened = Store.open(path)

    assert opened.causes().empty
    opened.close()
