from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.io.store.bulk import Rows, stacked


def wide(values, first="2010-01-04"):
    values = np.array(values, float)
    return pd.DataFrame(
        values,
        index=pd.date_range(first, periods=len(values), name="session", unit="us"),
        columns=pd.Index(list("ABCDE"[: values.shape[1]]), name="symbol"),
    )


def test_stacking_keeps_a_row_with_any_value():
    nan = float("nan")
    panel = {"x": wide([[1, nan], [nan, nan]]), "y": wide([[2, 3], [nan, 4]])}

    rows = stacked(panel)

    assert rows.index.to_list() == [
        (pd.Timestamp("2010-01-04"), "A"),
        (pd.Timestamp("2010-01-04"), "B"),
        (pd.Timestamp("2010-01-05"), "B"),
    ]
    np.testing.assert_array_equal(rows["x"], [1, nan, nan])
    np.testing.assert_array_equal(rows["y"], [2, 3, 4])


def test_stacking_takes_only_the_cells_of_a_mask():
    only = wide([[1, 0]]).astype(bool)

    rows = stacked({"x": wide([[1, 2], [3, 4]])}, only)

    assert rows["x"].to_list() == [1]


def test_frames_on_different_axes_are_refused():
    with pytest.raises(ValueError, match="x, y differ"):
        stacked({"x": wide([[1]]), "y": wide([[1]], first="2010-01-05")})


def test_wide_leaves_out_what_lies_outside_the_axes_and_fills_with_nan():
    rows = Rows(
        pd.DatetimeIndex(["2010-01-04", "2010-01-05"]),
        pd.Index(["A", "B"]),
        np.array([0, 1, 1]),
        np.array([0, 0, 1]),
        {"x": np.array([1.0, 2.0, 3.0])},
    )

    found = rows.wide(pd.DatetimeIndex(["2010-01-05", "2010-01-06"]), pd.Index(["B", "C"]))["x"]

    np.testing.assert_array_equal(found, [[3, np.nan], [np.nan, np.nan]])
