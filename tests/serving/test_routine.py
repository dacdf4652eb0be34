"""The evening by the clock: a holiday with nothing left to do is said, and nothing else rests."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from pipeline.io.store.store import Store
from pipeline.serving.routine import holiday
from tests.indices import bars
from tests.monitor.made import evening
from tests.workspaces import listed, workspace

FRIDAY = pd.Timestamp("2024-05-24")
SATURDAY = pd.Timestamp("2024-05-25T22:00Z")
MEMORIAL_DAY = pd.Timestamp("2024-05-27T22:00Z")
TUESDAY = "2024-05-28"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Bars up to Friday."""
    opened = Store.open(tmp_path / "s.db")
    opened.write_symbols(listed("A"))
    opened.write_bars(bars("A", pd.bdate_range("2024-05-13", FRIDAY).as_unit("us"), 20.0))
    return opened


def resting(store: Store, now: pd.Timestamp, *, live: bool = True, last: pd.Timestamp = FRIDAY):
    source = SimpleNamespace(last_session=lambda: last)
    return holiday(workspace(store, is_live=live, open_source=lambda: source), now)


def test_a_holiday_after_an_evening_that_was_kept_has_nothing_to_do(store: Store) -> None:
    made = evening(session=TUESDAY, made_at="2024-05-24T22:00:00Z")
    store.append_evenings([(made, pd.Series({"A": 0.1}))])
    for day in (SATURDAY, MEMORIAL_DAY):
        assert "is no session of XNYS: nothing to do" in resting(store, day)
    assert "2024-05-27 is no session" in resting(store, MEMORIAL_DAY)
    assert resting(store, pd.Timestamp("2024-05-28T22:00Z")) == ""
    assert resting(store, MEMORIAL_DAY, live=False) == ""


def test_what_was_missed_is_made_up_for_on_a_holiday(store: Store) -> None:
    assert resting(store, SATURDAY) == ""  # no forecasts for Tuesday
    replay = evening(session=TUESDAY, kind="replay")
    store.append_evenings([(replay, pd.Series({"A": 0.1}))])
    assert resting(store, SATURDAY) == ""
    live = evening(session=TUESDAY, made_at="2024-05-24T22:00:00Z")
    store.append_evenings([(live, pd.Series({"A": 0.2}))])
    assert resting(store, SATURDAY) != ""
    later = pd.Timestamp("2024-05-28")
    assert resting(store, SATURDAY, last=later) == ""  # bars are missing


def test_the_day_is_the_exchanges(store: Store) -> None:
    live = evening(session=TUESDAY, made_at="2024-05-24T22:00:00Z")
    store.append_evenings([(live, pd.Series({"A": 0.2}))])
    assert resting(store, pd.Timestamp("2024-05-28T02:00Z")) != ""  # Monday evening in New York
