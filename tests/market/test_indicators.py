from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.market.indicators import RESTART_AFTER, WARM_UP, indicators
from pipeline.schemas import INDICATORS, BarPanel


def same_bits(left: dict[str, pd.DataFrame], right: dict[str, pd.DataFrame]) -> None:
    for name in INDICATORS:
        pd.testing.assert_frame_equal(left[name], right[name], check_exact=True, check_freq=False)


def without(bars: BarPanel, rows: slice) -> BarPanel:
    kept = pd.Series(True, index=bars.sessions)
    kept.iloc[rows] = False
    return bars.loc(bars.sessions[kept]).loc(bars.sessions)


def wilder(values: list[float], n: int) -> list[float]:
    averages = [sum(values[:n]) / n]
    for value in values[n:]:
        averages.append((averages[-1] * (n - 1) + value) / n)
    return averages


def exponential(values: list[float], n: int) -> list[float]:
    averages = [sum(values[:n]) / n]
    for value in values[n:]:
        averages.append(averages[-1] + 2 / (n + 1) * (value - averages[-1]))
    return averages


def test_obv_adds_volume_on_a_rise_and_takes_it_on_a_fall(make_bars) -> None:
    bars = make_bars(0, sessions=4, symbols=1)
    bars.close.iloc[:, 0] = [10.0, 11.0, 11.0, 9.0]
    bars.volume.iloc[:, 0] = [100.0, 20.0, 30.0, 50.0]

    assert indicators(bars)["obv"].iloc[:, 0].tolist() == [100.0, 120.0, 120.0, 70.0]


def test_rsi_is_wilders(make_bars) -> None:
    bars = make_bars(1, sessions=40, symbols=1)
    moves = bars.close.iloc[:, 0].diff().dropna()

    gains = np.array(wilder(moves.clip(lower=0).tolist(), 14))
    losses = np.array(wilder((-moves).clip(lower=0).tolist(), 14))

    rsi = indicators(bars)["rsi_14"].iloc[:, 0]
    assert rsi.iloc[:14].isna().all()
    np.testing.assert_allclose(rsi.iloc[14:], 100 * gains / (gains + losses), rtol=1e-10)


def test_macd_is_the_difference_of_exponential_averages(make_bars) -> None:
    bars = make_bars(2, sessions=50, symbols=1)
    close = bars.close.iloc[:, 0].tolist()

    # Both averages start at the same bar, the slow one's first.
    line = np.array(exponential(close[14:], 12)) - np.array(exponential(close, 26))
    signal = np.array(exponential(line.tolist(), 9))

    result = {name: frame.iloc[33:, 0] for name, frame in indicators(bars).items()}
    np.testing.assert_allclose(result["macd"], line[8:], rtol=1e-8)
    np.testing.assert_allclose(result["macd_signal"], signal, rtol=1e-8)
    np.testing.assert_allclose(result["macd_histogram"], line[8:] - signal, rtol=1e-6)


def test_atr_is_wilders_average_of_the_true_range(make_bars) -> None:
    bars = make_bars(3, sessions=40, symbols=1)
    high, low, close = (frame.iloc[:, 0] for frame in (bars.high, bars.low, bars.close))
    before = close.shift()
    ranges = pd.concat([high - low, (high - before).abs(), (low - before).abs()], axis=1).max(
        axis=1
    )

    atr = indicators(bars)["atr_14"].iloc[14:, 0]

    np.testing.assert_allclose(atr, wilder(ranges.iloc[1:].tolist(), 14), rtol=1e-10)


def test_a_series_that_never_moved_is_neither_bought_nor_sold(make_bars) -> None:
    bars = make_bars(4, sessions=20, symbols=1)
    bars.close.iloc[:, 0] = 10.0

    assert indicators(bars)["rsi_14"].iloc[14:, 0].tolist() == [50.0] * 6


def test_a_hole_shorter_than_the_limit_is_bridged(make_bars) -> None:
    bars = make_bars(5, sessions=80, symbols=1)
    holed = without(bars, slice(40, 40 + RESTART_AFTER - 1))
    closed_up = bars.loc(bars.sessions[np.r_[:40, 40 + RESTART_AFTER - 1 : 80]])

    bridged = indicators(holed)

    same_bits(
        {k: v.dropna() for k, v in bridged.items()},
        {k: v.dropna() for k, v in indicators(closed_up).items()},
    )
    assert bridged["obv"].iloc[40 : 40 + RESTART_AFTER - 1].isna().all(axis=None)


def test_after_a_longer_hole_the_series_starts_anew(make_bars) -> None:
    bars = make_bars(6, sessions=90, symbols=1)
    end = 40 + RESTART_AFTER
    holed = without(bars, slice(40, end))

    restarted = {name: frame.iloc[end:] for name, frame in indicators(holed).items()}

    same_bits(restarted, indicators(bars.loc(bars.sessions[end:])))


def test_obv_continues_from_the_stored_value(make_bars) -> None:
    bars = make_bars(7, sessions=80, missing=0.1)
    bars.close.iloc[50] = bars.close.iloc[50].fillna(50.0)
    whole = indicators(bars)["obv"]
    part = bars.loc(bars.sessions[50:])
    stored = whole.iloc[50:].apply(lambda obv: obv.dropna().iloc[0])

    continued = indicators(part, stored)["obv"]

    pd.testing.assert_frame_equal(continued, whole.iloc[50:], check_exact=True, check_freq=False)


def test_a_stored_obv_is_not_carried_over_a_long_hole(make_bars) -> None:
    holed = without(make_bars(7, sessions=30, symbols=1), slice(10, 20))

    obv = indicators(holed, pd.Series({"S00": 1e6}))["obv"].iloc[:, 0]

    assert obv.iloc[0] == 1e6
    assert obv.iloc[20] == holed.volume.iloc[20, 0]


def test_obv_of_a_symbol_without_a_stored_value_starts_at_its_first_volume(make_bars) -> None:
    bars = make_bars(8, symbols=2)

    started = indicators(bars, pd.Series({"S00": 1e6}))["obv"].iloc[0]

    assert started.tolist() == [1e6, bars.volume.iloc[0, 1]]


@given(seed=st.integers(0, 1000), cut=st.integers(1, 119))
@settings(max_examples=25, deadline=None)
def test_later_bars_change_nothing(make_bars, seed, cut) -> None:
    bars = make_bars(seed, sessions=120, missing=0.3)
    part = bars.loc(bars.sessions[:cut])

    same_bits(indicators(part), {k: v.iloc[:cut] for k, v in indicators(bars).items()})


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_a_symbol_has_the_same_values_alone_as_among_others(make_bars, seed) -> None:
    bars = make_bars(seed, sessions=100, missing=0.2)
    alone = bars.loc(bars.sessions, bars.symbols[2:3])

    same_bits(indicators(alone), {k: v.iloc[:, 2:3] for k, v in indicators(bars).items()})


def test_the_warm_up_is_long_enough_for_equal_bits(make_bars) -> None:
    bars = make_bars(9, sessions=WARM_UP + 300, symbols=40)
    part = bars.loc(bars.sessions[200:])
    whole = indicators(bars)

    new = {
        name: frame.iloc[WARM_UP:]
        for name, frame in indicators(part, whole["obv"].iloc[200]).items()
    }

    same_bits(new, {name: frame.iloc[200 + WARM_UP :] for name, frame in whole.items()})


def test_obv_equals_the_reference(shared: Path, golden_bars: BarPanel) -> None:
    golden = pd.read_parquet(shared / "golden/daysymbol.parquet")
    theirs = golden.pivot_table("obv", "date", "symbol").to_numpy(float)

    np.testing.assert_array_equal(indicators(golden_bars)["obv"], theirs)


@pytest.mark.parametrize("name", INDICATORS)
def test_a_panel_without_bars_has_no_values(make_bars, name) -> None:
    bars = make_bars(10, symbols=2, missing=1.1)

    assert indicators(bars)[name].isna().all(axis=None)
