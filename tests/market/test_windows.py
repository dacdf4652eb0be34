from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.market.windows import (
    average,
    change,
    compounded,
    deviation,
    highest,
    lowest,
    past,
    ratio,
    time_correlation,
    total,
)

NAN = np.nan
ALL = (average, change, compounded, deviation, highest, lowest, past, time_correlation, total)
panels = arrays(
    np.float64,
    st.tuples(st.integers(0, 12), st.integers(1, 3)),
    elements=st.floats(0.5, 2.0) | st.just(NAN),
)


@pytest.mark.parametrize(
    ("window", "values", "n", "expected"),
    [
        (past, [1, 2, 3], 2, [NAN, NAN, 1]),
        (past, [1, 2, 3], 0, [1, 2, 3]),
        (change, [2, 3, 3], 1, [NAN, 0.5, 0]),
        (total, [1, 2, 4, 8], 3, [NAN, NAN, 7, 14]),
        (total, [1, NAN, 4, 8], 2, [NAN, NAN, NAN, 12]),
        (average, [1, 2, 6], 2, [NAN, 1.5, 4]),
        (compounded, [0.1, 0.1, -0.5], 2, [NAN, 0.21, -0.45]),
        (highest, [3, 1, 2, 0], 3, [NAN, NAN, 3, 2]),
        (lowest, [3, 1, 2, 5], 2, [NAN, 1, 1, 2]),
        (deviation, [1, 2, 3, 7], 3, [NAN, NAN, 1, np.sqrt(7)]),
        (time_correlation, [1, 3, 2], 3, [NAN, NAN, 0.5]),
        (time_correlation, [5, 4, 3], 3, [NAN, NAN, -1]),
        (time_correlation, [4, 4, 4], 3, [NAN, NAN, NAN]),
    ],
)
def test_windows_give_the_numbers_worked_out_by_hand(window, values, n, expected) -> None:
    np.testing.assert_allclose(window(np.array(values, float), n), expected, rtol=1e-14)


def test_a_quotient_by_zero_is_missing_not_infinite() -> None:
    quotient = ratio(np.array([1.0, 0.0, 3.0]), np.array([0.0, 0.0, 2.0]))

    np.testing.assert_array_equal(quotient, [NAN, NAN, 1.5])


@pytest.mark.parametrize("window", ALL)
def test_a_history_shorter_than_the_window_gives_nothing(window) -> None:
    values = np.ones((2, 3))

    assert np.isnan(window(values, 5)).all()
    assert window(values[:0], 5).shape == (0, 3)


@given(panels, st.integers(2, 5))
@settings(max_examples=50, deadline=None)
def test_windows_agree_with_pandas(values, n) -> None:
    rolling = pd.DataFrame(values).rolling(n)

    np.testing.assert_allclose(total(values, n), rolling.sum(), atol=1e-12)
    np.testing.assert_allclose(deviation(values, n), rolling.std(), atol=1e-7)
    np.testing.assert_array_equal(highest(values, n), rolling.max())
    np.testing.assert_array_equal(lowest(values, n), rolling.min())


@pytest.mark.parametrize("window", ALL)
@given(values=panels, n=st.integers(2, 4), cut=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_values_have_the_same_bits_however_much_history_is_loaded(window, values, n, cut) -> None:
    needed = n + 1 if window in (past, change) else n
    from_cut = window(values[cut:], n)[needed - 1 :]

    np.testing.assert_array_equal(from_cut, window(values, n)[cut + needed - 1 :])
