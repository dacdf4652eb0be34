"""Splits and payments by their rules: which events there are, and which of them prices have in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.io.sources.files import splits
from pipeline.io.sources.files.splits import Event

DAYS = pd.bdate_range("2021-03-01", periods=200).as_unit("us")


def table(close, symbol="AAB", **columns) -> pd.DataFrame:
    """Bars of one price a day; split, adjusted_close and dividend are missing unless given."""
    close = np.asarray(close, dtype="float64")
    given = dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": 100.0}
    given |= dict.fromkeys(("split", "adjusted_close", "dividend"), np.nan)
    held = pd.DataFrame(given | columns, index=range(len(close)))
    held.insert(0, "session", DAYS[: len(close)])
    return held.assign(symbol=pd.Categorical([symbol] * len(close), ["AAB", "BBC"]))


def both(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([one, other], ignore_index=True)


def day(place: int) -> np.datetime64:
    return DAYS.to_numpy()[place]


def event(place: int, ratio: float, *, symbol: str = "AAB", sure: bool = False) -> Event:
    return Event(symbol, day(place), ratio, sure)


def test_events_are_those_of_the_column_else_of_the_adjusted_close_and_those_given():
    by_column = table(
        [10.0] * 7, split=[0.5, 0, 1, 2, -1, np.inf, 3], adjusted_close=[5] + [10] * 6
    )
    by_factor = table([10.0] * 3, "BBC", adjusted_close=[5, 10, 10])
    known = event(6, 4.0, sure=True)
    found = splits.events(both(by_column, by_factor), [known])
    assert found == [known, event(0, 0.5), event(3, 2.0), event(1, 2.0, symbol="BBC")]


@pytest.mark.parametrize(
    ("before", "right"), [(5, 2), (5 * 1.015, 2), (5 * 1.025, np.nan), (20, 0.5), (9.9, np.nan)]
)
def test_a_split_that_the_adjusted_close_implies_is_near_a_ratio(before, right):
    bars = both(table([10.0], "AAB", adjusted_close=1.0), table([10.0] * 2, "BBC"))
    bars.loc[1:, "adjusted_close"] = [before, 10]
    np.testing.assert_array_equal(splits.implied(bars), [np.nan, np.nan, right])


@pytest.mark.parametrize(
    ("columns", "known", "said"),
    [
        ({"dividend": [0, 2.0, 0]}, [], "AAB 2021-03-02 20 %"),
        ({"dividend": [0, 1.0, 0]}, [], ""),
        ({"dividend": [0, 1.01, 0]}, [], "AAB 2021-03-02 10 %"),
        ({"dividend": [2.0, 0, 0]}, [], ""),
        ({"dividend": [0, 10.0, 0]}, [], ""),
        ({"dividend": [0, 2.0, 0]}, [event(1, 2.0)], ""),
        ({"adjusted_close": [8.0, 10, 10]}, [], "AAB 2021-03-02 20 %"),
        ({"adjusted_close": [8.0, 10, 10], "dividend": [0, 3.0, 0]}, [], "AAB 2021-03-02 30 %"),
        ({"adjusted_close": [8.0, 10, 10], "dividend": [0, 0, 0]}, [], "AAB 2021-03-02 20 %"),
        ({"adjusted_close": [9.5, 10, 10]}, [], ""),
        ({"adjusted_close": [12.0, 10, 10]}, [], ""),
    ],
)  # fmt: skip
def test_a_payment_of_more_than_a_tenth_of_the_price_is_named(columns, known, said):
    lines = splits.payments(table([10.0] * 3, **columns), known)
    assert [line.rpartition(": ")[2] for line in lines] == ([said] if said else [])


@pytest.mark.parametrize(
    ("columns", "known", "right"),
    [
        ({"dividend": [0, 0.4, 0]}, [], [(1, np.nan, 0.4)]),
        ({"adjusted_close": [49.965, 50, 50]}, [], []),
        ({"adjusted_close": [49.96, 50, 50]}, [], [(1, np.nan, 0.04)]),
        ({"adjusted_close": [49.0, 50, 50], "dividend": [0, 0.4, 0]}, [], [(1, np.nan, 0.4)]),
        ({"dividend": [0, 0.4, 0.3]}, [event(1, 2.0)], [(1, 2, np.nan), (2, np.nan, 0.3)]),
        ({}, [event(1, 1.0), event(2, 2.0)], [(2, 2, np.nan)]),
        ({}, [], []),
    ],
)
def test_dividends_and_splits_go_ex_on_their_days(columns, known, right):
    found = splits.actions(table([50.0] * 3, **columns), known)
    assert [day(place) for place, _, _ in right] == list(found["session"].to_numpy())
    values = found[["split", "dividend"]].to_numpy(dtype="float64")
    np.testing.assert_allclose(values, np.array([row[1:] for row in right]).reshape(-1, 2))


def test_every_split_is_known_where_a_column_an_adjusted_close_or_an_event_tells():
    bars = both(table([10.0] * 2), table([10.0] * 2, "BBC"))
    assert splits.reported(bars, []) == frozenset()
    assert splits.reported(bars, [event(1, 2.0)]) == {"AAB"}
    bars.loc[3, "adjusted_close"] = 10.0
    assert splits.reported(bars, []) == {"BBC"}
    bars.loc[0, "split"] = 1.0
    assert splits.reported(bars, []) == {"AAB", "BBC"}


def applied(bars: pd.DataFrame, *some: Event) -> tuple[list[float], list[Event], list[Event]]:
    done, applied, unclear = splits.apply(bars, some)
    return done["close"].tolist(), applied, unclear


def test_a_split_divides_prices_before_it_and_multiplies_volumes():
    bars = both(table([20.0, 20.0, 10.0]), table([20.0] * 3, "BBC"))
    done, _, _ = splits.apply(bars, [event(2, 2.0)])
    assert done["volume"].tolist() == [200, 200, 100, 100, 100, 100]
    for name in ("open", "high", "low", "close"):
        assert done[name].tolist() == [10, 10, 10, 20, 20, 20]
    assert bars["close"][0] == 20


@pytest.mark.parametrize(
    ("some", "first"),
    [
        (event(2, 2.0), 10.0), (event(2, 0.5), 20.0), (event(2, 0.5, sure=True), 40.0),
        (event(1, 2.0), 20.0), (event(1, 2.0, sure=True), 10.0), (event(0, 2.0, sure=True), 20.0),
        (event(3, 2.0, sure=True), 20.0), (event(2, 3.0), 20 / 3), (event(2, 4.1), 20.0),
        (event(2, 2.0, symbol="BBC"), 20.0),
    ],
)  # fmt: skip
def test_a_split_is_applied_where_prices_show_it_or_a_person_says_so(some, first):
    closes, done, unclear = applied(table([20.0, 20.0, 10.0]), some)
    assert closes[0] == pytest.approx(first)
    assert done == ([some] if first != 20 else [])
    assert unclear == []


def test_the_move_of_a_split_is_from_the_close_before_it():
    assert applied(table([5.0, 20.0, 10.0]), event(2, 2.0))[0] == [2.5, 10.0, 10.0]


def test_that_a_move_was_real_is_no_split_that_was_applied():
    some = event(2, 1.0, sure=True)
    assert applied(table([20.0, 20.0, 10.0]), some) == ([20.0, 20.0, 10.0], [], [])


def calm(step: float = 1.1, size: int = 40, move: float = 0.001) -> np.ndarray:
    """Prices that alternate by a little and fall by a step in the middle."""
    price = 100 * np.where(np.arange(size) % 2, 1 + move, 1.0)
    return price / np.where(np.arange(size) < size // 2, 1.0, step)


def test_a_small_split_is_applied_by_the_adjusted_close_alone_where_there_is_one():
    bars = table(calm(1.1))
    stepped = bars.assign(adjusted_close=bars["close"] / np.where(np.arange(40) < 20, 1.1, 1.0))
    level = bars.assign(adjusted_close=bars["close"])
    for table_, first in ((stepped, 100 / 1.1), (level, 100.0)):
        closes, _, unclear = applied(table_, event(20, 1.1))
        assert closes[0] == pytest.approx(first)
        assert unclear == []


def test_a_small_split_is_applied_where_it_is_clear_of_usual_moves():
    usual = splits.usual_move(calm(1.0), calm(1.0))
    assert usual == pytest.approx(1.4826 * np.log(1.001), rel=1e-6)
    split = 100 / 1.1
    for move, first, is_unclear in ((0.001, split, False), (0.008, split, False), (0.012, 100, 1)):
        closes, _, unclear = applied(table(calm(1.1, move=move)), event(20, 1.1))
        assert closes[0] == pytest.approx(first)
        assert bool(unclear) == is_unclear
    restless = np.concatenate([calm(1.0, 200, 0.02)[:100], calm(1.1, 100, 0.001)])
    closes, _, _ = applied(table(restless), event(150, 1.1))
    assert closes[0] == pytest.approx(100 / 1.1), "moves of long ago say nothing"


def test_a_split_that_cannot_be_seen_goes_with_the_symbols_others():
    raw = calm(1.0, move=0.02) / np.where(np.arange(40) < 30, 1.0, 2.0)
    _, done, unclear = applied(table(raw), event(20, 1.05), event(30, 2.0))
    assert done == [event(20, 1.05), event(30, 2.0)]
    assert unclear == []
    _, done, unclear = applied(table(calm(1.0, move=0.02)), event(20, 1.05), event(30, 2.0))
    assert done == []
    assert unclear == [event(20, 1.05)]
    _, done, unclear = applied(table(calm(1.0, move=0.02)), event(20, 1.05, sure=True))
    assert done == [event(20, 1.05, sure=True)]
    assert unclear == []


def test_too_few_bars_have_no_usual_move():
    assert splits.usual_move(np.array([1.0]), np.array([1.0])) == np.inf
