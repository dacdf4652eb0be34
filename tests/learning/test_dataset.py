from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData, TooFewSessions
from pipeline.learning.dataset import (
    INFINITE,
    NO_FEATURES,
    NO_LABEL,
    UNKNOWN_CATEGORY,
    digest,
    join,
    model_inputs,
)


def rows(*symbols: str) -> pd.MultiIndex:
    day = pd.DatetimeIndex(["2024-01-02"]).astype("datetime64[us]")
    return pd.MultiIndex.from_product([day, list(symbols)], names=["session", "symbol"])


def labels(values: list[float], *symbols: str) -> pd.DataFrame:
    return pd.DataFrame({"intraday_return": values}, index=rows(*symbols))


def test_every_dropped_row_is_counted_once_under_its_reason():
    snapshots = pd.DataFrame(
        {
            "x": [1.0, np.nan, np.inf, 2.0, np.nan, 3.0],
            "y": [1.0, np.nan, 1.0, np.nan, np.nan, 3.0],
            "sector": "Energy",
        },
        index=rows("A", "B", "C", "D", "E", "F"),
    )
    outcomes = labels([0.1, 0.2, 0.3, 0.4, np.nan], "A", "B", "C", "D", "E")

    dataset = join(snapshots, outcomes)

    assert list(dataset.features.index.get_level_values("symbol")) == ["A", "D"]
    assert dataset.dropped == {NO_LABEL: 2, INFINITE: 1, NO_FEATURES: 1}
    assert list(dataset.returns) == [0.1, 0.4]


def test_rows_come_out_sorted_with_their_own_label():
    snapshots = pd.DataFrame({"x": [2.0, 1.0]}, index=rows("B", "A"))

    dataset = join(snapshots, labels([0.2, 0.1], "B", "A"))

    assert list(dataset.features["x"]) == [1.0, 2.0]
    assert list(dataset.returns) == [0.1, 0.2]


def test_numbers_are_float32_and_static_columns_strings_even_when_empty():
    snapshots = pd.DataFrame(
        {"x": [1, 2], "sector": ["Energy", None], "exchange": [np.nan, np.nan]},
        index=rows("A", "B"),
    )

    dataset = join(snapshots, labels([0.1, 0.2], "A", "B"))

    assert dataset.features["x"].dtype == "float32"
    assert list(dataset.features["sector"]) == ["Energy", UNKNOWN_CATEGORY]
    assert dataset.numeric == ["x"]
    assert dataset.categorical == ["sector", "exchange"]


@pytest.mark.parametrize("null", [None, np.nan, pd.NA])
def test_model_inputs_are_float64_and_every_kind_of_null_is_one_category(null):
    features = pd.DataFrame(
        {"x": np.float32([1, np.nan]), "sector": pd.Series([null, "Energy"], dtype=object)}
    )

    inputs = model_inputs(features)

    assert inputs["x"].dtype == "float64"
    assert np.isnan(inputs["x"][1])
    assert list(inputs["sector"]) == [UNKNOWN_CATEGORY, "Energy"]


def test_a_missing_column_is_refused_by_name():
    snapshots = pd.DataFrame({"x": [1.0]}, index=rows("A"))

    with pytest.raises(InvalidData, match="gone"):
        join(snapshots, labels([0.1], "A"), ["x", "gone"])


def test_a_row_given_twice_is_refused():
    snapshots = pd.DataFrame({"x": [1.0, 2.0]}, index=rows("A", "A"))

    with pytest.raises(InvalidData, match="twice"):
        join(snapshots, labels([0.1], "A"))


def test_no_row_left_says_why():
    snapshots = pd.DataFrame({"x": [1.0]}, index=rows("A"))

    with pytest.raises(TooFewSessions, match=NO_LABEL):
        join(snapshots, labels([0.1], "B"))


def test_a_part_keeps_rows_of_the_given_sessions_only(make_dataset):
    dataset = make_dataset(sessions=5, symbols=3)

    part = dataset.at(dataset.sessions[1:3])

    assert list(part.sessions) == list(dataset.sessions[1:3])
    assert list(part.session_codes) == [0, 0, 0, 1, 1, 1]
    pd.testing.assert_series_equal(part.returns, dataset.returns.iloc[3:9])


def test_digest_ignores_the_order_of_rows_and_the_bits_of_nan(make_dataset):
    dataset = make_dataset()
    shuffled = dataset.rows(np.random.default_rng(1).permutation(len(dataset.returns)))
    quiet, signalling = np.array([0x7FC00000, 0x7FC00001], dtype="uint32").view("float32")
    first, second = dataset.rows(np.arange(4)), dataset.rows(np.arange(4))
    first.features["signal"] = np.float32(quiet)
    second.features["signal"] = np.array([signalling] * 4, dtype="float32")

    assert digest(shuffled) == digest(dataset)
    assert len(digest(dataset)) == 32
    assert digest(first) == digest(second)


@pytest.mark.parametrize("change", ["value", "label", "category", "column", "row", "symbol"])
def test_digest_sees_every_change(make_dataset, change):
    before, after = make_dataset(), make_dataset()
    if change == "value":
        after.features.iloc[3, 0] += 1e-6
    elif change == "label":
        after.returns.iloc[-1] += 1e-12
    elif change == "category":
        after.features.iloc[0, 2] = "Utilities"
    elif change == "column":
        after.features.columns = ["signal", "renamed", "sector"]
    elif change == "row":
        after = after.rows(np.arange(len(after.returns) - 1))
    else:
        index = after.features.index.set_levels(
            [*after.features.index.levels[1][:-1], "S99"], level="symbol"
        )
        after.features.index = index
        after.returns.index = index

    assert digest(after) != digest(before)
