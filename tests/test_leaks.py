from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.leaks import LISTED, Checked, compared, places_of, together
from pipeline.schemas import ROW


def rows(count: int, **columns: list) -> pd.DataFrame:
    names = [f"S{k}" for k in range(count)]
    index = pd.MultiIndex.from_product([pd.DatetimeIndex(["2024-01-02"]), names], names=ROW)
    return pd.DataFrame(columns, index)


def test_equal_values_and_missing_ones_are_no_leak() -> None:
    frame = rows(3, x=[1.0, np.nan, 3.0], word=["a", "b", None])

    same = compared(frame, frame.iloc[::-1])

    assert (same.count, same.leaks, same.enough) == (6, 0, True)


def test_a_value_that_differs_in_its_last_bit_is_named_with_both() -> None:
    stored, anew = (
        rows(2, x=np.array([0.1, value], dtype=np.float32))
        for value in (0.5, np.nextafter(np.float32(0.5), np.float32(1)))
    )

    found = compared(stored, anew)

    assert found.leaks == 1
    assert found.listed.iloc[0].tolist() == ["x", "S1", "2024-01-02", "0.5", "0.50000006"]


def test_a_value_that_is_there_on_one_side_only_is_a_leak() -> None:
    found = compared(rows(1, x=[1.0]), rows(1, x=[np.nan]))

    assert found.listed[["stored", "recomputed"]].iloc[0].tolist() == ["1.0", "nan"]


def test_a_row_or_column_of_one_side_only_is_a_leak() -> None:
    found = compared(rows(2, x=[1.0, 2.0], y=[1.0, 2.0]), rows(1, x=[1.0]))

    assert found.leaks == 2
    assert found.listed.to_numpy().tolist() == [
        ["row", "S1", "2024-01-02", "True", "False"],
        ["y", "", "", "True", "False"],
    ]


def test_all_leaks_are_counted_and_the_first_of_a_column_listed() -> None:
    many = rows(50, x=[1.0] * 50, y=[1.0] * 50)

    found = together([compared(many, many + 1), compared(many, many + 1)])

    assert found.leaks == 200
    assert found.listed["column"].value_counts().to_dict() == {"x": LISTED, "y": LISTED}


def test_nothing_compared_shows_nothing() -> None:
    assert not together([]).enough
    assert not together([Checked(0)]).enough
    assert places_of("x", rows(0).index, [], []).leaks == 0
