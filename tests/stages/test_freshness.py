"""Signals are made of the bars of the session before; older ones are refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from pipeline.errors import NotReady, Refused
from pipeline.io.providers import Delivery
from pipeline.io.store import Store
from pipeline.schemas import BAR_FIELDS, ROW
from pipeline.settings import Settings
from pipeline.stages import _freshness
from pipeline.stages._runner import check, compose

DAYS = pd.DatetimeIndex(
    ["2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08"], name="session"
).as_unit("us")


def settings(*overrides: str) -> Settings:
    return check(compose(list(overrides)))


def bars(last: dict[str, int], not_final: tuple[str, ...] = ()) -> Delivery:
    """Bars of each symbol on the first so many days."""
    index = pd.MultiIndex.from_tuples(
        sorted((day, name) for name, count in last.items() for day in DAYS[:count]), names=ROW
    )
    rows = pd.DataFrame(dict.fromkeys(BAR_FIELDS, 10.0), index).assign(final=True)
    newest = rows.index.get_level_values("session") == DAYS[-1]
    rows.loc[newest & rows.index.get_level_values("symbol").isin(not_final), "final"] = False
    nothing = pd.DataFrame(columns=[*ROW, "reason", *BAR_FIELDS])
    return Delivery(rows, nothing, nothing[[*ROW, "reason"]])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A has all five days, B all but the last, C and D stop after the second."""
    opened = Store.open(tmp_path / "s.db")
    names = pd.Index(list("ABCD"), name="symbol")
    listed = pd.DataFrame({"exchange": None, "sector": None, "name": None, "kind": "stock"}, names)
    opened.write_symbols(listed.astype("str"))
    opened.write_bars(bars({"A": 5, "B": 4, "C": 2, "D": 2}))
    yield opened
    opened.close()


def test_the_next_session_needs_the_last_one_of_the_store(store):
    asked = _freshness.asked(settings(), store)
    assert asked == _freshness.Asked(pd.Timestamp("2024-07-09"), DAYS[-1])


@pytest.mark.parametrize(("day", "needed"), [("2024-07-09", DAYS[4]), ("2024-07-05", DAYS[2])])
def test_a_session_asked_for_needs_the_one_before_it(store, day, needed):
    asked = _freshness.asked(settings(f"date={day}"), store)
    assert (asked.session, asked.needed) == (pd.Timestamp(day), needed)


@pytest.mark.parametrize("day", ["2024-07-01", "2024-07-04", "2024-07-10"])
def test_a_day_without_a_session_before_it_is_refused(store, day):
    with pytest.raises(NotReady):
        _freshness.asked(settings(f"date={day}"), store)


def test_symbols_without_the_bar_needed_are_named(store):
    late = _freshness.stale(settings("signals.max_stale_fraction=0.8"), store, DAYS[-1])
    assert late.to_dict() == {"C": DAYS[1], "D": DAYS[1], "B": DAYS[3]}
    assert _freshness.named(late, most=2) == "C (last 2024-07-02), D (last 2024-07-02) and 1 more"
    ages = _freshness.ages(store, late, DAYS[-1], pd.Series(["A", "B", "C"]))
    assert ages == [0, 1, 3]


def test_on_an_ordinary_evening_nobody_is_late(store):
    store.write_bars(bars({"A": 5, "B": 5, "C": 5, "D": 5}))
    late = _freshness.stale(settings(), store, DAYS[-1])
    assert late.empty
    assert _freshness.ages(store, late, DAYS[-1], pd.Series(["B", "A"])) == [0, 0]
    assert _freshness.ages(store, late, DAYS[-1], pd.Series([], dtype="str")) == []


def test_too_many_of_them_are_refused_by_name(store):
    with pytest.raises(Refused) as refused:
        _freshness.stale(settings(), store, DAYS[-1])
    assert "3 of 4 symbols have no bar of 2024-07-08" in refused.value.found
    assert "C (last 2024-07-02)" in refused.value.found
    assert refused.value.next_command == "mlflow run . -e daily"


def test_a_bar_read_before_its_session_closed_is_none(store):
    store.write_bars(bars({"A": 5}, not_final=("A",)))
    with pytest.raises(Refused, match="4 of 4 symbols"):
        _freshness.stale(settings(), store, DAYS[-1])


def test_a_symbol_gone_for_a_month_is_not_late(tmp_path):
    days = pd.bdate_range("2024-01-01", periods=30, name="session").as_unit("us")
    index = pd.MultiIndex.from_tuples(
        sorted([(day, "A") for day in days] + [(day, "B") for day in days[:5]]), names=ROW
    )
    rows = pd.DataFrame(dict.fromkeys(BAR_FIELDS, 10.0), index).assign(final=True)
    nothing = pd.DataFrame(columns=[*ROW, "reason", *BAR_FIELDS])
    opened = Store.open(tmp_path / "s.db")
    names = pd.Index(["A", "B"], name="symbol")
    listed = pd.DataFrame({"exchange": None, "sector": None, "name": None, "kind": "stock"}, names)
    opened.write_symbols(listed.astype("str"))
    opened.write_bars(Delivery(rows, nothing, nothing[[*ROW, "reason"]]))
    assert _freshness.stale(settings(), opened, days[-1]).empty
    opened.close()


@pytest.fixture
def live(tmp_path: Path) -> list[str]:
    """Overrides for a source whose today is the exchange's."""
    listed = tmp_path / "symbols.csv"
    listed.write_text("symbol\nA\nB\nC\nD\n")
    return ["data=yfinance", "universe=sp500", f"universe.path={listed}"]


def test_a_source_that_goes_on_needs_the_last_completed_session_of_the_exchange(store, live):
    asked = _freshness.asked(settings(*live), store)
    today = pd.Timestamp.now().normalize()
    assert today - pd.Timedelta(days=7) < asked.needed <= today
    assert asked.session > asked.needed
    with pytest.raises(Refused, match=f"4 of 4 symbols have no bar of {asked.needed:%Y-%m-%d}"):
        _freshness.stale(settings(*live), store, asked.needed)


def test_a_session_of_a_live_source_that_lies_further_ahead_is_refused(store, live):
    ahead = pd.Timestamp.now().normalize() + pd.Timedelta(days=30)
    with pytest.raises(NotReady, match="no session with bars"):
        _freshness.asked(settings(*live, f"date={ahead:%Y-%m-%d}"), store)


def test_sessions_the_store_lacks_count_for_a_live_source(store, live):
    """A holiday is no session, and a session that was not loaded is one all the same."""
    asked = _freshness.asked(settings(*live, "date=2024-07-10"), store)
    assert asked.needed == pd.Timestamp("2024-07-09")
    with pytest.raises(Refused, match="of 2024-07-09"):
        _freshness.stale(settings(*live), store, asked.needed)
