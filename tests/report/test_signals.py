"""The list of a session: what an order costs is never hidden, and a list to watch is no order."""

from __future__ import annotations

import pandas as pd

from pipeline.report.signals import SignalsSummary, described, printed_signals

SYMBOLS = pd.DataFrame(
    {"name": ["Alpha Incorporated of Somewhere", None], "sector": ["Energy", "Utilities"]},
    index=["A", "B"],
)


def orders_of(shares: list[float], edges: list[float], cost: float = 10.0) -> pd.DataFrame:
    nothing = [float("nan")] * len(shares)
    frame = pd.DataFrame(
        {"rank": range(1, len(shares) + 1), "symbol": ["A", "B"][: len(shares)], "side": "long",
         "prediction": [edge * 1e-4 for edge in edges], "weight": 0.1, "shares": shares,
         "reference_price": 50.0, "notional": [50.0 * n for n in shares], "limit": nothing,
         "stop": nothing, "target": nothing, "edge_bps": edges, "cost_bps": cost}
    )  # fmt: skip
    return described(frame, SYMBOLS)


def printed(orders: pd.DataFrame, watched: pd.DataFrame) -> str:
    return printed_signals(
        SignalsSummary(
            session=pd.Timestamp("2021-03-02"), needed=pd.Timestamp("2021-03-01"),
            model_version="3", regime="RANGING", forecasts=pd.Series({"A": 0.0012, "B": 0.0004}),
            min_edge=0.0, orders=orders, watched=watched, late="", places=("Kept: here",),
        )
    )  # fmt: skip


def test_an_order_says_where_its_edge_does_not_pay_for_its_cost() -> None:
    orders = orders_of([200.0, 100.0], [12.0, 4.0])
    assert orders["pays"].tolist() == ["yes", "no"]
    text = printed(orders, orders.iloc[:0])
    assert "does not pay for the cost of 1 of 2 orders: strategy=selective" in text
    assert "does not pay" not in printed(orders.iloc[:1], orders.iloc[:0])
    assert orders_of([1.0], [10.0])["pays"].tolist() == ["no"]  # must exceed it


def test_totals_add_up_money_edge_and_cost() -> None:
    text = printed(orders_of([200.0, 100.0], [12.0, 4.0]), orders_of([], []))
    # 10,000 x 12 bp + 5,000 x 4 bp = 14; 15,000 x 10 bp = 15
    assert "Total: 2 orders, notional 15,000; expected 14 \N{MINUS SIGN} cost 15 = " in text
    assert text.splitlines()[-1] == "Kept: here"


def test_the_list_has_names_sectors_and_whole_shares_and_fits_a_hundred_columns() -> None:
    orders = orders_of([1200.0, 100.0], [12.0, 4.0])
    assert orders["shares"].tolist() == [1200, 100]
    assert orders["shares"].dtype == "int64"
    text = printed(orders, orders)
    assert max(map(len, text.splitlines())) <= 100
    row = next(line for line in text.splitlines() if " A " in line)
    assert row.split()[:5] == ["1", "A", "Alpha", "Incorporate\N{HORIZONTAL ELLIPSIS}", "Energy"]
    assert "1,200 " in row
    assert "nan" not in text.lower()
    assert orders_of([0.25], [12.0])["shares"].tolist() == [0.25]


def test_what_is_watched_is_no_order() -> None:
    watched = orders_of([100.0], [4.0])
    text = printed(watched.iloc[:0], watched)
    assert "No trades" in text
    assert text.index("No trades") < text.index("Watch list, no orders:")
    assert "Total" not in text
    assert "Watch list" not in printed(watched, watched.iloc[:0])
