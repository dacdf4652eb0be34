"""The split of an account's difference to the backtest: by hand, and always to the cent."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from pipeline.errors import InvalidData
from pipeline.monitor.orders import SealedOrder
from pipeline.monitor.reconcile import (
    PARTS,
    Book,
    account_book,
    fills_of,
    sealed_pnl,
    split,
    split_table,
)

HEAD = "session,symbol,side,shares,price,fees\n"
ROUND_TRIP = "2024-05-01,AAA,buy,100,10.03,1.00\n2024-05-01,AAA,sell,100,10.48,1.10\n"
cents = some.integers(-(10**9), 10**9)
books = some.builds(Book, cents, cents)


@given(books, books, cents, books)
def test_the_parts_add_up_to_the_cent_whatever_the_books(
    backtest: Book, derived: Book, sealed: int, account: Book
) -> None:
    made = split("2024-05-01", backtest, derived, sealed, account)
    assert sum(getattr(made, part) for part in PARTS) == made.account - made.backtest
    row = split_table([made, made]).iloc[-1]
    assert round(100 * row["difference"]) == 2 * made.difference


def test_known_differences_end_in_the_part_that_they_belong_to() -> None:
    """AAA, 100 shares, open 10.00, close 10.50: 50.00 before costs, the backtest charges 2.05."""
    same, fees = Book(5000, 205), account_book(fills_of(HEAD + ROUND_TRIP, "f"))
    opened, closed = pd.Series({"AAA": 10.0}), pd.Series({"AAA": 10.5})
    sealed = sealed_pnl([SealedOrder("AAA", "long", 100.0, 9.9)], opened, closed)
    assert (sealed, fees) == (5000, Book(4500, 210))
    made = split("2024-05-01", same, same, sealed, fees)
    assert made[3:] == (0, 0, -500, -5)  # 3 cents worse in, 2 worse out; 5 cents dearer
    other_forecasts = split("2024-05-01", Book(4000, 205), same, sealed, fees)
    assert (other_forecasts.signal, other_forecasts.data) == (1000, 0)
    other_prices = split("2024-05-01", same, Book(4800, 205), sealed, fees)
    assert (other_prices.data, other_prices.signal) == (200, -200)


def test_orders_sold_short_and_without_a_price() -> None:
    opened, closed = pd.Series({"A": 10.0, "B": 5.0}), pd.Series({"A": 11.0})
    orders = [SealedOrder("A", "short", 10.0, 1.0), SealedOrder("B", "long", 3.0, 1.0)]
    assert sealed_pnl(orders, opened, closed) == -1000


def test_orders_whose_stock_opened_beyond_their_limit_were_not_filled() -> None:
    opened, closed = pd.Series({"A": 10.0}), pd.Series({"A": 11.0})
    bought = [SealedOrder("A", "long", 10.0, 9.8, limit) for limit in (9.99, 10.0)]
    assert [sealed_pnl([each], opened, closed) for each in bought] == [0, 1000]
    sold = [SealedOrder("A", "short", 10.0, 9.8, limit) for limit in (10.01, 10.0)]
    assert [sealed_pnl([each], opened, closed) for each in sold] == [0, -1000]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("session,symbol,side,shares,price\n", "lacks fees"),
        (HEAD + ROUND_TRIP.replace("buy", "bought"), "row 2: 2024-05-01,AAA,bought"),
        (HEAD + ROUND_TRIP.replace("10.48", "-1"), "row 3"),
        (HEAD + ROUND_TRIP.replace("sell,100", "sell,90"), "AAA on 2024-05-01: 10 shares left"),
        (HEAD + ROUND_TRIP.replace("2024-05-01,AAA,buy", "1.5.24,AAA,buy"), "row 2"),
    ],
)
def test_fills_that_cannot_be_read_are_named(text: str, said: str) -> None:
    with pytest.raises(InvalidData) as caught:
        fills_of(text, "fills.csv")
    assert said in caught.value.found
