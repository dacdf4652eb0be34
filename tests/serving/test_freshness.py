"""Signals are made of the bars of the session before; older ones are refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.errors import Fault, NotReady, Refused
from pipeline.io.sources.opening import open_source
from pipeline.io.sources.protocol import Delivery
from pipeline.io.store.store import Store
from pipeline.schemas import BAR_FIELDS, ROW
from pipeline.selection import Selection
from pipeline.serving import freshness
from pipeline.serving.freshness import SignalSession, signal_session, stale_symbols
from pipeline.workspace import Workspace
from tests.workspaces import delivery, listed, workspace

DAYS = pd.DatetimeIndex(
    ["2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08"], name="session"
).as_unit("us")
ALLOWED = 0.1
"""Of the symbols may be late; ``signals.max_stale_fraction``."""


def bars(last: dict[str, int], not_final: tuple[str, ...] = ()) -> Delivery:
    """Bars of each symbol on the first so many days."""
    index = pd.MultiIndex.from_tuples(
        sorted((day, name) for name, count in last.items() for day in DAYS[:count]), names=ROW
    )
    rows = pd.DataFrame(dict.fromkeys(BAR_FIELDS, 10.0), index).assign(final=True)
    newest = rows.index.get_level_values("session") == DAYS[-1]
    rows.loc[newest & rows.index.get_level_values("symbol").isin(not_final), "final"] = False
    return delivery(rows)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A has all five days, B all but the last, C and D stop after the second."""
    opened = Store.open(tmp_path / "s.db")
    opened.write_symbols(listed("ABCD"))
    opened.write_bars(bars({"A": 5, "B": 4, "C": 2, "D": 2}))
    yield opened
    opened.close()


def on(store: Store, day: str | None = None, **changes: Any) -> Workspace:
    """The workspace of a command with this `date=`."""
    chosen = None if day is None else pd.Timestamp(day)
    return workspace(store, selection=Selection(chosen, chosen), **changes)


def test_the_next_session_needs_the_last_one_of_the_store(store: Store) -> None:
    assert signal_session(on(store)) == SignalSession(pd.Timestamp("2024-07-09"), DAYS[-1])


@pytest.mark.parametrize(("day", "needed"), [("2024-07-09", DAYS[4]), ("2024-07-05", DAYS[2])])
def test_a_session_asked_for_needs_the_one_before_it(
    store: Store, day: str, needed: pd.Timestamp
) -> None:
    wanted = signal_session(on(store, day))
    assert (wanted.session, wanted.needed) == (pd.Timestamp(day), needed)


@pytest.mark.parametrize("day", ["2024-07-01", "2024-07-04", "2024-07-10"])
def test_a_day_without_a_session_before_it_is_refused(store: Store, day: str) -> None:
    with pytest.raises(NotReady):
        signal_session(on(store, day))


def test_symbols_without_the_bar_needed_are_named(store: Store) -> None:
    late = stale_symbols(on(store), DAYS[-1], 0.8)
    assert late.to_dict() == {"C": DAYS[1], "D": DAYS[1], "B": DAYS[3]}
    words = freshness.in_words(late, max_names=2)
    assert words == "C (last 2024-07-02), D (last 2024-07-02) and 1 more"
    ages = freshness.ages(store, late, DAYS[-1], pd.Series(["A", "B", "C"]))
    assert ages == [0, 1, 3]


def test_on_an_ordinary_evening_nobody_is_late(store: Store) -> None:
    store.write_bars(bars({"A": 5, "B": 5, "C": 5, "D": 5}))
    late = stale_symbols(on(store), DAYS[-1], ALLOWED)
    assert late.empty
    assert freshness.ages(store, late, DAYS[-1], pd.Series(["B", "A"])) == [0, 0]
    assert freshness.ages(store, late, DAYS[-1], pd.Series([], dtype="str")) == []


def test_too_many_of_them_are_refused_by_name(store: Store) -> None:
    with pytest.raises(Refused) as refused:
        stale_symbols(on(store), DAYS[-1], ALLOWED)
    assert "3 of 4 symbols have no bar of 2024-07-08" in refused.value.found
    assert "C (last 2024-07-02)" in refused.value.found
    assert Fault("C", "last bar 2024-07-02") in refused.value.faults
    assert len(refused.value.faults) == 3
    assert refused.value.next_command == "mlflow run . -e daily"


@pytest.mark.parametrize(("allowed", "is_refused"), [(0.5, False), (0.499, True)])
def test_exactly_as_many_as_allowed_are_not_refused(
    store: Store, allowed: float, is_refused: bool
) -> None:
    store.write_bars(bars({"A": 5, "B": 5, "C": 2, "D": 2}))
    if is_refused:
        with pytest.raises(Refused, match="2 of 4 symbols"):
            stale_symbols(on(store), DAYS[-1], allowed)
    else:
        assert len(stale_symbols(on(store), DAYS[-1], allowed)) == 2


def test_symbols_outside_of_the_universe_are_nobody_s(store: Store) -> None:
    assert stale_symbols(on(store, members=("A",)), DAYS[-1], 0.0).empty


def test_a_bar_read_before_its_session_closed_is_none(store: Store) -> None:
    store.write_bars(bars({"A": 5}, not_final=("A",)))
    with pytest.raises(Refused, match="4 of 4 symbols"):
        stale_symbols(on(store), DAYS[-1], ALLOWED)


def test_a_symbol_gone_for_a_month_is_not_late(tmp_path: Path) -> None:
    days = pd.bdate_range("2024-01-01", periods=30, name="session").as_unit("us")
    index = pd.MultiIndex.from_tuples(
        sorted([(day, "A") for day in days] + [(day, "B") for day in days[:5]]), names=ROW
    )
    rows = pd.DataFrame(dict.fromkeys(BAR_FIELDS, 10.0), index).assign(final=True)
    opened = Store.open(tmp_path / "s.db")
    opened.write_symbols(listed("AB"))
    opened.write_bars(delivery(rows))
    assert stale_symbols(on(opened), days[-1], ALLOWED).empty
    opened.close()


# ---- a source that goes on ----


@pytest.fixture
def live(tmp_path: Path) -> dict[str, Any]:
    """Of a workspace whose today is the exchange's."""
    symbols = tmp_path / "symbols.csv"
    symbols.write_text("symbol\nA\nB\nC\nD\n")
    chosen = check(compose(["data=yfinance", "universe=sp500", f"universe.path={symbols}"]))
    source = partial(open_source, chosen.data, build.universe(chosen))
    return {"open_source": source, "is_live": True, "data_source": "yfinance"}


def test_a_source_that_goes_on_needs_the_last_completed_session_of_the_exchange(
    store: Store, live: dict[str, Any]
) -> None:
    wanted = signal_session(on(store, **live))
    today = pd.Timestamp.now().normalize()
    assert today - pd.Timedelta(days=7) < wanted.needed <= today
    assert wanted.session > wanted.needed
    with pytest.raises(Refused, match=f"4 of 4 symbols have no bar of {wanted.needed:%Y-%m-%d}"):
        stale_symbols(on(store, **live), wanted.needed, ALLOWED)


def test_a_session_of_a_live_source_that_lies_further_ahead_is_refused(
    store: Store, live: dict[str, Any]
) -> None:
    ahead = pd.Timestamp.now().normalize() + pd.Timedelta(days=30)
    with pytest.raises(NotReady, match="no session with bars"):
        signal_session(on(store, f"{ahead:%Y-%m-%d}", **live))


def test_sessions_the_store_lacks_count_for_a_live_source(
    store: Store, live: dict[str, Any]
) -> None:
    """A holiday is no session, and a session that was not loaded is one all the same."""
    wanted = signal_session(on(store, "2024-07-10", **live))
    assert wanted.needed == pd.Timestamp("2024-07-09")
    with pytest.raises(Refused, match="of 2024-07-09"):
        stale_symbols(on(store, **live), wanted.needed, ALLOWED)


def test_where_no_symbol_has_a_final_bar_that_is_said_and_not_none_of_none(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as opened:
        opened.write_symbols(listed("AB"))
        made = bars({"A": 5, "B": 5})
        opened.write_bars(delivery(made.bars.assign(final=False)))
        with pytest.raises(Refused, match=r"no symbol has a final bar of the .* until 2024-07-08"):
            stale_symbols(on(opened), DAYS[-1], ALLOWED)
