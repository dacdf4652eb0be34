"""Sealed orders are read back to the bit, those of older stores too."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd

from pipeline.monitor.orders import SealedOrder, SealedOrders, sealed_orders

LISTED = pd.DataFrame(
    [["AAA", "long", 10.0, 9.9, math.nan], ["BBB", "short", 1 / 3, 0.1, 0.1 + 0.2]],
    columns=["symbol", "side", "shares", "reference_price", "limit"],
)


def test_an_evening_without_limits_is_written_as_it_always_was() -> None:
    made = sealed_orders(LISTED.assign(limit=math.nan))
    assert json.loads(made.text()) == [["AAA", "long", 10.0, 9.9], ["BBB", "short", 1 / 3, 0.1]]
    assert SealedOrders.of(made.text()).text() == made.text()
    assert SealedOrders.of("[]") == SealedOrders([], None)


def test_limits_and_indicated_prices_come_back_to_the_bit() -> None:
    indicated = pd.DataFrame(
        {"indicated_price": [0.1 + 0.2, 50.0], "worse_5": [1e-300, np.nan]}, index=["BBB", "AAA"]
    )
    text = sealed_orders(LISTED, indicated).text()
    read = SealedOrders.of(text)
    assert read.listed[1] == SealedOrder("BBB", "short", 1 / 3, 0.1, 0.1 + 0.2)
    assert math.isnan(read.listed[0].limit)
    assert read.indicated is not None
    pd.testing.assert_frame_equal(read.indicated, indicated.sort_index(), check_exact=True)
    assert sealed_orders(LISTED, indicated.iloc[::-1]).text() == text
    nothing = SealedOrders.of(sealed_orders(LISTED.iloc[:0], indicated).text())
    assert nothing.listed == []


def test_orders_that_a_ledger_holds_stay_readable() -> None:
    text = (
        '{"listed": [["AAA", "long", 10.0, 9.9, 10.1]], "columns": ["indicated_price"], '
        '"told": {"AAA": [10.0]}}'
    )
    read = SealedOrders.of(text)
    assert read.listed == [SealedOrder("AAA", "long", 10.0, 9.9, 10.1)]
    assert read.indicated is not None
    assert read.indicated.loc["AAA", "indicated_price"] == 10.0
    assert read.text() == text
