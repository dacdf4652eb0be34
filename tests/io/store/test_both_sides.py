"""Both sides of queries of a store: of nothing and of something, of one symbol and of many."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from pipeline.errors import InvalidSettings, Refused
from pipeline.io import calendar
from pipeline.io.quotes import parsed
from pipeline.io.store.delta import SHOWN, compare_with_store
from pipeline.io.store.store import Store
from pipeline.schemas import BAR_FIELDS, ROW
from tests.io.store.made_bars import listed as symbols
from tests.io.store.test_delta import ingested
from tests.io.store.test_events import actions, delivered, listed
from tests.monitor.made import evening
from tests.workspaces import delivery

DAY = pd.Timestamp("2021-01-04")


@pytest.fixture
def plain(tmp_path):
    with Store.open(tmp_path / "s.db") as opened:
        yield opened


def outcome(model: str) -> dict[str, object]:
    names = ("symbols", "rank_ic", "hit_rate", "calibration", "r2", "gross_return", "net_return",
             "decile_spread", *(f"decile_{n}" for n in range(1, 11)))  # fmt: skip
    return {"session": "2024-05-01", "model": model, "kind": "live", **dict.fromkeys(names, 0.5)}


def test_outcomes_of_no_model_of_one_and_of_all(plain) -> None:
    plain.write_outcomes(plain.outcomes())
    assert plain.outcomes().empty
    columns = plain.outcomes().columns
    rows = pd.DataFrame([outcome("1"), outcome("2")]).reindex(columns=columns)
    plain.write_outcomes(rows.assign(**{n: rows[n].fillna(0) for n in columns}))
    assert plain.outcomes()["model"].tolist() == ["1", "2"]
    assert plain.outcomes("2")["model"].tolist() == ["2"]
    assert plain.outcomes("3").empty


def test_forecasts_of_an_evening_without_any_of_some_entries_and_of_all(plain) -> None:
    none, some = pd.Series([], dtype="float64"), pd.Series({"A": 0.1, "B": 0.2})
    made = [(evening(), none), (evening(session="2024-05-02"), some)]
    entries = plain.append_evenings(made)
    assert [entry.symbols for entry in entries] == [0, 2]
    assert plain.forecasts([]).empty
    assert plain.forecasts([entries[0].number]).empty
    assert plain.forecasts([entries[1].number])["symbol"].tolist() == ["A", "B"]
    assert len(plain.forecasts()) == 2
    assert plain.ledger_faults() == []


def test_of_a_delivery_without_a_bar_no_split_is_withdrawn(plain) -> None:
    plain.write_symbols(symbols("A", "B", "C"))
    bars = replace(delivered([[1, 1, 1]], symbols="ABC"), actions=actions(A=2.0))
    plain.write_bars(bars)
    nothing = replace(bars, bars=bars.bars.iloc[:0], actions=bars.actions.iloc[:0])
    plain.withdraw_actions(nothing)
    assert listed(plain) == [("2010-01-04", "A", 2.0)]
    plain.withdraw_actions(replace(bars, actions=bars.actions.iloc[:0]))
    assert listed(plain) == []


@pytest.mark.parametrize("more", [0, 1])
def test_few_and_many_symbols_of_which_bars_are_withdrawn(plain, more) -> None:
    names = [f"S{n:02d}" for n in range(SHOWN + more)]
    index = pd.MultiIndex.from_product([[DAY, DAY + pd.Timedelta("1D")], names], names=ROW)
    bars = pd.DataFrame(dict.fromkeys(BAR_FIELDS, 10.0), index).assign(final=True)
    ingested(plain, delivery(bars))
    with pytest.raises(Refused) as refused:
        compare_with_store(plain, delivery(bars.iloc[: len(names)]), "stock", None, 0.2)
    assert ("..." in refused.value.found) == (more == 1)
    kept = compare_with_store(plain, delivery(bars), "stock", None, 0.2)
    assert kept.withdrawn.empty


@pytest.mark.parametrize(("name", "is_alike"), [("XNYX", True), ("?", False)])
def test_a_calendar_that_is_none_with_and_without_one_of_a_like_name(name, is_alike) -> None:
    with pytest.raises(InvalidSettings, match="a name of exchange_calendars") as caught:
        calendar.sessions(name, DAY, DAY)
    assert ("similar ones: " in str(caught.value)) == is_alike


def test_quotes_without_a_time_and_none_at_all() -> None:
    head = "symbol,price,time\n"
    told = parsed(f"{head}A,1,\nB,2,NaT\nC,3,2024-07-01 09:20\n", "q.csv", "America/New_York")
    assert told["time"].isna().tolist() == [True, True, False]
    assert parsed(head, "q.csv", "America/New_York").empty
