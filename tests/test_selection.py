"""Sessions and symbols that a command is run for: a range, an exchange, names, or all."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline import selection as chosen
from pipeline.errors import NotReady
from pipeline.selection import Selection, blocks
from pipeline.values import listed_names

DAYS = pd.DatetimeIndex(["2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05"], name="session")
LISTED = pd.DataFrame(
    {"exchange": ["NYSE", "NASDAQ", "NYSE", None]}, pd.Index(list("ABCD"), name="symbol")
)


def day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


@pytest.mark.parametrize(
    ("selection", "is_partial", "by_symbol"),
    [
        (Selection(), False, False),
        (Selection(first=DAYS[0]), True, False),
        (Selection(last=DAYS[0]), True, False),
        (Selection(exchange="NYSE"), True, True),
        (Selection(symbols=("A",)), True, True),
        (Selection(symbols=()), True, True),
    ],
)
def test_each_part_that_is_given_makes_it_partial(
    selection: Selection, is_partial: bool, by_symbol: bool
) -> None:
    assert (selection.is_partial, selection.by_symbol) == (is_partial, by_symbol)


def test_both_ends_of_a_range_belong_to_it() -> None:
    chosen = Selection(DAYS[1], DAYS[2])
    assert chosen.within(DAYS, "labels").tolist() == [DAYS[1], DAYS[2]]
    assert Selection(DAYS[1]).within(DAYS, "labels").tolist() == DAYS[1:].tolist()
    assert Selection(last=DAYS[1]).within(DAYS, "labels").tolist() == DAYS[:2].tolist()
    assert Selection().within(DAYS, "labels").equals(DAYS)
    holiday = Selection(day("2024-07-04"), day("2024-07-07"))
    assert holiday.within(DAYS, "labels").tolist() == [DAYS[3]]


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection(day("2024-07-04"), day("2024-07-04")), "from 2024-07-04 to 2024-07-04"),
        (Selection(day("2024-07-06")), "from 2024-07-06 to the end"),
        (Selection(last=day("2024-06-30")), "from the start to 2024-06-30"),
    ],
)
def test_a_range_without_a_session_says_which_there_are(selection: Selection, said: str) -> None:
    with pytest.raises(NotReady) as caught:
        selection.within(DAYS, "labels")
    assert (caught.value.who, caught.value.found) == ("labels", f"no session with bars {said}")
    assert caught.value.needed == "dates from 2024-07-01 to 2024-07-05"


@pytest.mark.parametrize(
    ("selection", "symbols"),
    [
        (Selection(), None),
        (Selection(first=DAYS[0]), None),
        (Selection(symbols=("D", "A")), ["D", "A"]),
        (Selection(exchange="NYSE"), ["A", "C"]),
        (Selection(exchange="NYSE", symbols=("C", "B")), ["C"]),
        (Selection(exchange="NASDAQ", symbols=("A",)), []),
    ],
)
def test_symbols_are_those_named_on_the_exchange_named(
    selection: Selection, symbols: list[str] | None
) -> None:
    assert selection.among(LISTED, "features") == symbols


def test_an_exchange_without_a_symbol_is_answered_with_those_there_are() -> None:
    with pytest.raises(NotReady) as caught:
        Selection(exchange="XETRA").among(LISTED, "features")
    assert caught.value.found == "no symbol on exchange 'XETRA'"
    assert caught.value.needed == "one of: NASDAQ, NYSE"
    with pytest.raises(NotReady, match="one of: none recorded"):
        Selection(exchange="XETRA").among(LISTED.iloc[3:], "features")


def test_names_are_sorted_and_cut_where_they_are_many() -> None:
    assert listed_names(["B", "A"], 2) == (2, "A, B")
    assert listed_names(["C", "B", "A"], 2) == (3, "A, B, ...")
    assert listed_names([]) == (0, "")


def test_blocks_are_whole_months_as_long_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = pd.bdate_range("2023-01-02", "2024-12-31", name="session")
    assert [len(part) for part in blocks(sessions, 500, 100)] == [len(sessions)]
    monkeypatch.setattr(chosen, "CELLS", 10 * 150)
    parts = list(blocks(sessions, 10, 100))
    assert parts[0].append(parts[1:]).equals(sessions)
    assert max(map(len, parts)) <= 50 + 22
    ends = [part[-1].to_period("M") for part in parts[:-1]]
    assert not {part[0].to_period("M") for part in parts[1:]} & set(ends)


def test_a_block_is_at_least_half_as_long_as_it_looks_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "CELLS", 1)
    sessions = pd.bdate_range("2023-01-02", "2024-12-31", name="session")
    assert min(len(part) for part in list(blocks(sessions, 10, 100))[:-1]) >= 50
