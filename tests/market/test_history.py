from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.market import history
from pipeline.market.definitions import Known, kept
from pipeline.market.features import known_before

WINDOWS = (1, 2, 5, 13, 21, 63, 126, 252)


def closes(known: Known) -> np.ndarray:
    return known.close


def volumes(known: Known) -> np.ndarray:
    return known.volume


def known_from(bars, make_inputs, start: int = 0) -> Known:
    return known_before(make_inputs(bars), bars.sessions[start:])


@pytest.fixture(scope="module")
def known(make_bars, make_inputs) -> Known:
    return known_from(make_bars(0, sessions=300, missing=0.1), make_inputs)


def last_window(known: Known, n: int) -> np.ndarray:
    return known.close[-n:]


@pytest.mark.parametrize("n", WINDOWS)
def test_a_mean_takes_the_values_there_are_once_they_are_enough(known, n) -> None:
    window = last_window(known, n)
    present = (~np.isnan(window)).sum(axis=0)
    sums = np.nansum(window, axis=0)

    means = history.mean(known, n, closes)[-1]

    expected = np.where(present < min(n, 40), np.nan, sums / np.maximum(present, 1))
    np.testing.assert_allclose(means, expected, rtol=1e-12)


@pytest.mark.parametrize("n", WINDOWS)
def test_a_peak_is_the_highest_of_the_values_there_are(known, n) -> None:
    window = last_window(known, n)
    top = np.where(np.isnan(window), -np.inf, window).max(axis=0)
    enough = (~np.isnan(window)).sum(axis=0) >= min(n, 40)

    peaks = history.peak(known, n, closes)[-1]

    np.testing.assert_array_equal(peaks[~enough], np.nan)
    np.testing.assert_array_equal(peaks[enough], top[enough])


def test_a_long_window_has_values_from_the_fortieth_bar_on(make_bars, make_inputs) -> None:
    known = known_from(make_bars(1, sessions=60), make_inputs)

    first = np.argmin(np.isnan(history.mean(known, 252, closes)), axis=0)

    assert (first == 39).all()


def test_slope_correlation_and_residual_are_those_of_least_squares(known) -> None:
    pairs = [column[~np.isnan(column).any(axis=1)] for column in np.stack(
        [known.close[-63:], known.volume[-63:]], axis=-1).transpose(1, 0, 2)]  # fmt: skip
    fits = [np.polyfit(pair[:, 1], pair[:, 0], 1) for pair in pairs]
    rests = [
        pair[:, 0] - np.polyval(fit, pair[:, 1]) for pair, fit in zip(pairs, fits, strict=True)
    ]

    np.testing.assert_allclose(
        history.slope(known, 63, closes, volumes)[-1], [fit[0] for fit in fits], rtol=1e-8
    )
    np.testing.assert_allclose(
        history.correlation(known, 63, closes, volumes)[-1],
        [np.corrcoef(pair.T)[0, 1] for pair in pairs],
        rtol=1e-8,
    )
    np.testing.assert_allclose(
        history.residual_deviation(known, 63, closes, volumes)[-1],
        [rest.std() for rest in rests],
        rtol=1e-8,
    )


@given(seed=st.integers(0, 1000), start=st.integers(0, 40), n=st.sampled_from(WINDOWS[:-1]))
@settings(max_examples=20, deadline=None)
def test_earlier_history_changes_no_bit(make_bars, make_inputs, seed, start, n) -> None:
    bars = make_bars(seed, sessions=200, missing=0.1)
    whole, part = (known_from(bars, make_inputs, k) for k in (0, start))

    for window in (history.mean, history.peak):
        np.testing.assert_array_equal(
            window(part, n, closes)[n - 1 :], window(whole, n, closes)[start + n - 1 :]
        )


@pytest.mark.parametrize("cells", [1, 700, 1 << 20])
def test_how_many_symbols_go_at_a_time_changes_no_bit(known, monkeypatch, cells) -> None:
    windows = (
        lambda: history.mean(known, 63, closes),
        lambda: history.totals(known, 20, closes),
        lambda: history.peak(known, 252, closes),
        lambda: history.root_mean_square(known, 5, closes),
        lambda: history.slope(known, 63, closes, volumes),
        lambda: history.correlation(known, 126, closes, volumes),
        lambda: history.residual_deviation(known, 21, closes, volumes),
    )
    expected = [window() for window in windows]

    monkeypatch.setattr(history, "CELLS_AT_ONCE", cells)

    for window, values in zip(windows, expected, strict=True):
        np.testing.assert_array_equal(window(), values)


def test_every_symbol_goes_through_a_calculation_once(monkeypatch) -> None:
    monkeypatch.setattr(history, "CELLS_AT_ONCE", 8)
    panel, widths = np.arange(20.0).reshape(4, 5), []

    def doubled(part: np.ndarray) -> np.ndarray:
        widths.append(part.shape[1])
        return 2 * part

    np.testing.assert_array_equal(history.by_symbols(doubled, panel), 2 * panel)
    assert widths == [2, 2, 1]


def test_a_kept_series_is_calculated_once_and_cannot_be_changed(make_bars, make_inputs) -> None:
    calls = []

    @kept
    def counted(known: Known) -> np.ndarray:
        calls.append(1)
        return known.close.copy()

    known = known_from(make_bars(2), make_inputs)

    first = counted(known)

    assert counted(known) is first
    assert len(calls) == 1
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0
