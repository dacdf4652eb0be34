"""The indicated open: drawn by its key alone, measured by the evening, rising with its price."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.market.features import FeatureInputs, known_before
from pipeline.market.indication import (
    MOST_BETA,
    Evening,
    bad_opens,
    evening,
    indicated_columns,
    normal_draws,
    simulated,
    tradeable_opens,
)
from pipeline.schemas import BarPanel
from tests.trading.markets import random_bars

BARS = random_bars(5, sessions=200, symbols=9)


def evening_of(bars: BarPanel, sessions: pd.DatetimeIndex) -> Evening:
    sectors = ["A", "A", "A", "B", "B", "B", "C", "C", None]
    symbols = pd.DataFrame({"exchange": "X", "sector": sectors}, index=bars.symbols)
    none = pd.DataFrame(index=bars.sessions)
    return evening(known_before(FeatureInputs(bars, {}, None, none, symbols), sessions))


def test_a_draw_is_the_same_whatever_else_is_drawn() -> None:
    days = pd.date_range("2020-01-01", periods=50)
    whole = normal_draws(7, days, ["A", "B", "C"])
    np.testing.assert_array_equal(normal_draws(7, days[20:30], ["C", "A"]), whole[20:30][:, [2, 0]])
    assert not np.isclose(normal_draws(8, days, ["A", "B", "C"]), whole).any()


def test_draws_are_standard_normal_and_independent() -> None:
    drawn = normal_draws(3, pd.date_range("2000-01-01", periods=3000), list("ABCDEFGHIJ"))
    assert drawn.mean() == pytest.approx(0.0, abs=0.02)
    assert drawn.std() == pytest.approx(1.0, abs=0.02)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(10)).max() < 0.08
    assert np.abs(np.corrcoef(drawn[1:].ravel(), drawn[:-1].ravel())[0, 1]) < 0.02


def test_the_error_has_its_size_and_its_common_part() -> None:
    days = pd.date_range("2000-01-01", periods=3000, name="session")
    opened = pd.DataFrame(50.0, days, [f"S{n}" for n in range(20)])
    error = 1e4 * (simulated(opened, 25.0, 0.36, 1) / opened - 1.0)
    assert error.to_numpy().std() == pytest.approx(25.0, rel=0.02)
    assert error.mean(axis=1).std() == pytest.approx(0.6 * 25.0, rel=0.05)
    pd.testing.assert_frame_equal(simulated(opened, 0.0, 0.36, 1), opened)


def test_columns_follow_from_the_bars_before_and_the_indication_alone() -> None:
    price = simulated(BARS.open, 25.0, 0.2, 7)
    whole = evening_of(BARS, BARS.sessions)
    told = indicated_columns(whole, price.loc[whole.targets].to_numpy())
    for at in (150, 180, 199):
        session = BARS.sessions[at]
        cut = BARS.loc(BARS.sessions[at - 140 : at])
        one = evening_of(cut, BARS.sessions[at - 140 : at + 1]).at(pd.DatetimeIndex([session]))
        again = indicated_columns(one, price.loc[[session]].to_numpy())
        row = whole.targets.get_loc(session)
        for name, values in again.items():
            np.testing.assert_array_equal(values[0], told[name][row], err_msg=name)


def test_every_column_rises_with_the_symbol_s_own_indication_and_with_no_other() -> None:
    known = evening_of(BARS, BARS.sessions).at(BARS.sessions[-20:])
    price = BARS.open.loc[known.targets].to_numpy()
    here = indicated_columns(known, price)
    higher = indicated_columns(known, price, price * 1.01)
    compared = 0
    for name, values in here.items():
        both = ~np.isnan(values)
        assert (higher[name][both] >= values[both]).all(), name
        compared += (higher[name][both] > values[both]).sum()
    assert compared > 1000


def test_a_missing_indication_is_no_gap_and_moves_no_other_s_reference_beyond_its_share() -> None:
    known = evening_of(BARS, BARS.sessions).at(BARS.sessions[-1:])
    price = BARS.close.ffill().iloc[[-2]].to_numpy() * 1.01
    without = price.copy()
    without[0, 0] = np.nan
    alike = replace(known, previous_close=price / 1.01, beta=np.ones_like(price))
    told = indicated_columns(alike, without)
    assert np.isnan([values[0, 0] for values in told.values()]).all()
    market = told["indicated_over_market"][0, 1:]
    np.testing.assert_allclose(market[~np.isnan(market)], 0.0, atol=1e-9)


def test_a_gap_that_the_market_s_gap_and_the_beta_explain_is_none() -> None:
    known = evening_of(BARS, BARS.sessions).at(BARS.sessions[-1:])
    beta = np.linspace(0.4, 1.6, len(BARS.symbols))[None, :]
    gap = 0.01 * beta
    known = replace(known, previous_close=np.full_like(beta, 50.0), beta=beta)
    told = indicated_columns(known, 50.0 * (1.0 + gap))
    left, whole = np.abs(told["indicated_over_market"]), np.abs(told["indicated_gap"])
    assert np.nanmax(left / whole) < 0.2  # the mean of the others is not quite the market's
    assert np.nanmax(np.abs(told["indicated_over_sector"]) / whole) < 0.2


def test_an_unknown_beta_is_one_and_a_measured_one_is_drawn_to_it() -> None:
    known = evening_of(BARS, BARS.sessions)
    np.testing.assert_array_equal(known.beta[0], 1.0)
    later = known.beta[-100:]
    assert np.unique(later).size > 500
    assert later.min() >= 0.0
    assert later.max() <= MOST_BETA


def test_opens_that_are_copies_or_outside_the_range_are_no_prices() -> None:
    days = pd.date_range("2020-01-01", periods=80, name="session")
    close = pd.DataFrame({"real": 10.0 + np.arange(80) % 7, "copy": 10.0 + np.arange(80) % 5}, days)
    opened = pd.DataFrame({"real": close["real"] * 1.002, "copy": close["copy"].shift()})
    high = np.maximum(opened, close) * 1.01
    low = np.minimum(opened, close) * 0.99
    high.iloc[70, 0] = opened.iloc[70, 0] * 0.98
    bars = BarPanel(opened, high, low, close, close * 0 + 1e6)
    told = bad_opens(bars)
    assert told["copy of a close"]["copy"].iloc[25:].all()
    assert not told["copy of a close"]["real"].any()
    assert told["outside of the range"].sum().to_dict() == {"real": 1, "copy": 0}
    kept = tradeable_opens(bars, days[60:])
    assert kept["copy"].isna().all()
    assert kept["real"].isna().sum() == 1
