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


def test_limits_and_what_was_told_in_the_morning_come_back_to_the_bit() -> None:
    told = pd.DataFrame(
        {"indicated_price": [0.1 + 0.2, 50.0], "worse_5": [1e-300, np.nan]}, index=["BBB", "AAA"]
    )
    text = sealed_orders(LISTED, told).text()
    read = SealedOrders.of(text)
    assert read.listed[1] == SealedOrder("BBB", "short", 1 / 3, 0.1, 0.1 + 0.2)
    assert math.isnan(read.listed[0].limit)
    assert read.told is not None
    pd.testing.assert_frame_equal(read.told, told.sort_index(), check_exact=True)
    assert sealed_orders(LISTED, told.iloc[::-1]).text() == text  # whatever the order of the rows
    nothing = SealedOrders.of(sealed_orders(LISTED.iloc[:0], told).text())
    assert nothing.listed == []
