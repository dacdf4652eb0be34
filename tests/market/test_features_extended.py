from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.market.features import (
    FEATURE_SETS,
    FeatureInputs,
    Snapshots,
    known_before,
)
from pipeline.market.indicators import indicators
from pipeline.schemas import BarPanel
from tests.market.conftest import snapshots

ROOT = Path(__file__).resolve().parents[2]
EXTENDED = FEATURE_SETS["extended"]
OWN = [feature for feature in EXTENDED if feature not in FEATURE_SETS["classic"]]
BY_NAME = {feature.name: feature for feature in EXTENDED}
NAN = np.nan
SESSIONS = 300
COMMON_UNITS = {"dollar_volume_rank_63", "dollar_volume_standing_63", "amihud_rank_21",
                "amihud_rank_252"}  # fmt: skip


# By hand: NIGHT gains 1 % overnight, DAY 1 % intraday, SWAY goes up 2 % and back all day long


@pytest.fixture(scope="module")
def by_hand() -> FeatureInputs:
    k = np.arange(SESSIONS)
    sessions = pd.bdate_range("2020-01-06", periods=SESSIONS, name="session", unit="us")
    growing, swaying = 100 * 1.01**k, np.where(k % 2, 102.0, 100.0)
    close = frame(sessions, growing, growing, swaying)
    before = np.r_[100 / 1.01, growing[:-1]]
    opens = frame(sessions, growing, before, np.where(k % 2, 100.0, 102.0))
    high, low = np.maximum(opens, close) * 1.02, np.minimum(opens, close) * 0.99
    volume = frame(sessions, np.full(SESSIONS, 1e3), np.full(SESSIONS, 1e3), 1e3 + 1e3 * (k % 2))
    volume.iloc[-1, 0] = 3e3
    bars = BarPanel(opens, high, low, close, volume)
    states = pd.DataFrame({"vix_level": 20 * 1.1**k, "regime": "RANGING"}, index=sessions).assign(
        trend_strength=NAN, volatility_percentile=NAN, slope_20=NAN
    )
    symbols = pd.DataFrame({"exchange": "X", "sector": ["a", "a", "a"]}, index=close.columns)
    return FeatureInputs(bars, indicators(bars), None, states, symbols)


def frame(sessions: pd.DatetimeIndex, night, day, sway) -> pd.DataFrame:
    values = {"DAY": day, "NIGHT": night, "SWAY": sway}
    return pd.DataFrame(values, index=sessions).rename_axis(columns="symbol")


def last(inputs: FeatureInputs, name: str) -> np.ndarray:
    """Value for the session after the last but one bar; SWAY fell to 100 in the one before."""
    return BY_NAME[name](known_before(inputs, inputs.bars.sessions))[-1]


UP, DOWN = 0.02, 1 - 100 / 102  # SWAY's moves, close to open within the session
SWAY_RMS = np.sqrt((31 * UP**2 + 32 * DOWN**2) / 63)
SWAY_YEARLY = np.sqrt((UP**2 + DOWN**2) / 2)
DAY_RANGE, NIGHT_RANGE, SWAY_RANGE = np.log(np.array([1.01, 1, 1.02]) * 1.02 / 0.99)
FOUR_LN_2 = 4 * np.log(2)
# Session 299 is to come. Of the 59 before on its weekday SWAY fell on 30 and rose on 29.
ROSE, FELL = (0.02 + UP) / 3, (0.02 - DOWN) / 3  # the market
MEAN_INTRADAY, MEAN_RETURN = (0.01 - DOWN) / 3, (0.02 - DOWN) / 3


@pytest.mark.parametrize(
    ("name", "day", "night", "sway"),
    [
        # ranks overnight: NIGHT 1, the others 1/2; intraday: SWAY above DAY every second session
        ("overnight_rank_21", 0.5, 1, 0.5),
        ("overnight_rank_504", 0.5, 1, 0.5),
        ("intraday_rank_252", 5 / 6, 0.5, 2 / 3),
        ("tug_of_war_252", 1 / 3, 1, 2 / 3),
        ("overnight_standing_5", 0.5, 1, 0.5),
        ("intraday_standing_1", 1, 2 / 3, 1 / 3),
        ("overnight_share_21", 0, 1, 0),
        ("gap_size", NAN, 1, NAN),
        ("gap_share_63", 0, 1, 0),
        ("since_gap", 1, 1, 1),
        # season
        ("weekday_intraday_104", (30 + 29 * 2 / 3) / 59, (30 * 2 / 3 + 29 / 3) / 59,
         (30 / 3 + 29) / 59),
        ("weekday_overnight_52", 0.5, 1, 0.5),
        ("intraday_ago_63", 0.01 - MEAN_INTRADAY, -MEAN_INTRADAY, -DOWN - MEAN_INTRADAY),
        # momentum, highs, ranges
        ("return_standing_5", 5 / 6, 5 / 6, 1 / 3),
        ("momentum_252", 5 / 6, 5 / 6, 1 / 3),
        ("highest_return_21", 1, 1, UP / SWAY_RMS),
        ("distance_from_high_63", -np.log(1.02) / 0.01, -np.log(1.02) / 0.01,
         -np.log(1.02 * 1.02) / SWAY_RMS),
        ("close_location_5", (1.01 - 0.99) / (1.01 * 1.02 - 0.99), (1 - 0.99) / (1.02 - 0.99),
         ((100 - 99) * 3 + (102 - 99) * 2) / 5 / (102 * 1.02 - 99)),
        ("give_back", 2, 2, (1.02 * 1.02 - 1) / SWAY_RMS),
        ("range_shock", 1, 1, 1),
        ("range_position_252", (1 - 0.99 / 1.01**252) / (1.02 - 0.99 / 1.01**252), None,
         (100 - 99) / (102 * 1.02 - 99)),
        # risk; the market is the mean of two constants and SWAY, so SWAY explains it wholly
        ("realised_volatility_21", 0.01, 0.01, np.sqrt((10 * UP**2 + 11 * DOWN**2) / 21)),
        ("volatility_shock_5", 1, 1, np.sqrt((2 * UP**2 + 3 * DOWN**2) / 5) / SWAY_YEARLY),
        ("volatility_rank_63", None, None, 1),
        ("parkinson_5", DAY_RANGE / np.sqrt(FOUR_LN_2), NIGHT_RANGE / np.sqrt(FOUR_LN_2),
         SWAY_RANGE / np.sqrt(FOUR_LN_2)),
        ("downside_share_63", 0, 0, 32 * DOWN**2 / (31 * UP**2 + 32 * DOWN**2)),
        ("downside_volatility_63", 0, 0, np.sqrt(32 * DOWN**2 / 63)),
        ("beta_252", 0, 0, 3),
        ("market_correlation_63", None, None, 1),
        ("idiosyncratic_volatility_252", 0, 0, 0),
        # volume
        ("dollar_volume_rank_63", None, None, 1 / 3),
        ("volume_shock_rank_1", 5 / 6, 5 / 6, 1 / 3),
        ("up_volume_share_21", 1, 1, 2 * 10 / (2 * 10 + 11)),
        ("return_volume_correlation_63", NAN, NAN, 1),
        ("trading_streak", 1, 1, 1),
        # sector: the others' mean; the market's is that of all three
        ("sector_return_1", (0.01 - DOWN) / 2 - MEAN_RETURN, (0.01 - DOWN) / 2 - MEAN_RETURN,
         0.01 - MEAN_RETURN),
        ("sector_intraday_1", -DOWN / 2 - MEAN_INTRADAY, (0.01 - DOWN) / 2 - MEAN_INTRADAY,
         0.005 - MEAN_INTRADAY),
    ],
)  # fmt: skip
def test_features_of_a_symbol_are_the_numbers_worked_out_by_hand(
    by_hand, name, day, night, sway
) -> None:
    values = last(by_hand, name)

    for value, expected in zip(values, (day, night, sway), strict=True):
        if expected is not None:
            np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("market_overnight_1", 0.01 / 3),
        ("market_intraday_1", (0.01 - DOWN) / 3),
        ("market_return_21", (1 + (0.02 + UP) / 3) ** 10 * (1 + (0.02 - DOWN) / 3) ** 11 - 1),
        ("breadth_1", 2 / 3),
        ("breadth_63", 2 / 3),
        ("dispersion_1", (0.01 + DOWN) * np.sqrt(2) / 3),
        ("vix_change_1", np.log(1.1)),
        ("vix_change_5", 5 * np.log(1.1)),
        ("half_day", NAN),
        (
            "market_volatility_shock",
            np.sqrt((2 * ROSE**2 + 3 * FELL**2) * 252 / 5 / 126 / (ROSE**2 + FELL**2)),
        ),
        ("market_trend_252", (ROSE + FELL) / 2 / np.sqrt((ROSE**2 + FELL**2) / 2)),
        (
            "variance_premium",
            np.log(20 * 1.1**299 / 100 / np.sqrt(252 * (10 * ROSE**2 + 11 * FELL**2) / 21)),
        ),
    ],
)
def test_features_of_the_market_are_the_numbers_worked_out_by_hand(by_hand, name, expected) -> None:
    np.testing.assert_allclose(last(by_hand, name), expected, rtol=1e-9)


def test_a_stock_that_stands_still_after_a_takeover_stops_nobody(make_bars, make_inputs) -> None:
    bars = make_bars(4, sessions=SESSIONS)
    for prices in (bars.open, bars.high, bars.low, bars.close):
        prices.iloc[:120, 0] = 1.0
        prices.iloc[120:, 0] = 100 + 1e-9 * np.arange(SESSIONS - 120)

    rows = snapshots(EXTENDED, make_inputs(bars), bars.sessions[-1:]).rows

    assert rows["momentum_252"].rank().tolist()[0] == 4


def test_features_of_two_series_are_those_of_their_definitions(make_bars, make_inputs) -> None:
    bars = make_bars(7, sessions=300, symbols=8)
    known = known_before(make_inputs(bars), bars.sessions)
    bars = bars.loc(bars.sessions[:-1])
    night, day = bars.open / bars.close.shift() - 1, bars.close / bars.open - 1
    moves, dollars = bars.close.pct_change(), bars.close * bars.volume
    market = night.mean(axis=1)
    beta = night.iloc[-252:].apply(lambda own: np.polyfit(market.iloc[-252:], own, 1)[0])
    residual = night.iloc[-1] - beta * market.iloc[-1]
    illiquid = (moves.abs() / dollars).iloc[-21:].mean()
    expected = {
        "overnight_beta_252": beta,
        # Each sector has two symbols: net of the other one's.
        "overnight_residual_1": (residual - residual.to_numpy()[[1, 0, 3, 2, 5, 4, 7, 6]]).rank(
            pct=True
        ),
        "overnight_intraday_correlation_252": night.iloc[-252:].corrwith(day.iloc[-252:]),
        "amihud_rank_21": illiquid.rank(pct=True),
        "dollar_volume_shock_5": dollars.iloc[-5:].mean() / dollars.iloc[-252:].mean(),
        "intraday_volatility_21": np.sqrt((day.iloc[-21:] ** 2).mean()),
        "range_over_moves_21": np.sqrt(
            (np.log(bars.high / bars.low).iloc[-21:] ** 2).mean()
            / (4 * np.log(2) * (day.iloc[-21:] ** 2).mean())
        ),
    }

    for name, values in expected.items():
        np.testing.assert_allclose(BY_NAME[name](known)[-1], values, rtol=1e-9, err_msg=name)


def test_the_calendar_knows_half_days_and_closures(make_bars, make_inputs) -> None:
    dates = ["2023-11-21", "2023-11-22", "2023-11-24", "2023-11-27", "2023-11-28"]
    calendar = pd.DatetimeIndex(dates, name="session", dtype="datetime64[us]")
    short = pd.DatetimeIndex(["2023-11-24"])
    known = known_before(replace(make_inputs(make_bars(0)), short_sessions=short), calendar)

    np.testing.assert_array_equal(BY_NAME["half_day"](known), [0, 1, 0, 0])
    # Thanksgiving closed the exchange, the weekend after did not; before, nobody knows: at most 1.
    np.testing.assert_allclose(BY_NAME["since_closure"](known), [1, 0, 1 / 21, 2 / 21])


def test_the_weekday_is_that_of_the_session_to_come_and_holidays_shift_nothing(
    make_bars, make_inputs
) -> None:
    bars = make_bars(3, sessions=100, symbols=5)
    bars = bars.loc(bars.sessions.delete([40, 61]))
    known = known_before(make_inputs(bars), bars.sessions)
    intraday = (bars.close / bars.open - 1).rank(axis=1, pct=True)
    target = bars.sessions[-1]
    earlier = bars.sessions[(bars.sessions.day_of_week == target.day_of_week)][:-1]
    within = earlier[earlier >= target - pd.Timedelta(weeks=13)]

    np.testing.assert_allclose(
        BY_NAME["weekday_intraday_13"](known)[-1], intraday.loc[within].mean(), rtol=1e-12
    )


def test_the_quarter_ago_is_the_week_around_the_session_63_before(make_bars, make_inputs) -> None:
    bars = make_bars(4, sessions=90, symbols=3)
    known = known_before(make_inputs(bars), bars.sessions)
    moves = bars.close / bars.open - 1
    relative = moves.sub(moves.mean(axis=1), axis=0)

    week = BY_NAME["intraday_quarter_ago"](known)[-1]

    np.testing.assert_allclose(week, relative.iloc[89 - 65 : 89 - 60].mean(), rtol=1e-9)
    np.testing.assert_allclose(
        BY_NAME["intraday_ago_63"](known)[-1], relative.iloc[89 - 63], rtol=1e-9
    )


# Rules for all of them


@pytest.fixture(scope="module")
def long_inputs(make_bars, make_inputs) -> FeatureInputs:
    inputs = make_inputs(make_bars(5, sessions=620, symbols=30, missing=0.02))
    rng = np.random.default_rng(0)
    vix = rng.uniform(10, 40, len(inputs.regimes))
    return replace(inputs, regimes=inputs.regimes.assign(vix_level=vix))


UNMOVED = ("standing", "from_high", "range_position", "weekday_", "since_", "trading_streak")
"""Ranks of windows, highs and events: dropping the oldest of many sessions rarely moves them."""


@pytest.mark.parametrize("feature", OWN, ids=lambda feature: feature.name)
def test_a_feature_needs_its_declared_look_back_and_no_session_more(long_inputs, feature) -> None:
    sessions = long_inputs.bars.sessions
    ends = (len(sessions), len(sessions) - 1, len(sessions) - 2, len(sessions) - 7)

    def value(end: int, start: int) -> np.ndarray:
        return feature(known_before(long_inputs, sessions[start:end]))[-1]

    changed = False
    for end in ends:
        whole = value(end, 0)
        enough = max(feature.lookback, 1)
        np.testing.assert_array_equal(value(end, end - 1 - enough), whole)
        short = value(end, end - enough) if feature.lookback > 1 else whole
        changed |= not np.array_equal(short, whole, equal_nan=True)
    assert changed or feature.lookback <= 1 or any(part in feature.name for part in UNMOVED)


def test_rows_have_values_from_the_least_history_on(make_bars, make_inputs) -> None:
    bars = make_bars(6, sessions=244, symbols=20)
    rows = snapshots(EXTENDED, make_inputs(bars), bars.sessions).rows.select_dtypes("number")
    since_sixty = rows.loc[bars.sessions[65] :].drop(columns=["vix_level", "half_day"])

    measures = [c for c in since_sixty if not c.startswith(("vix", "variance", "trend_", "vola"))]

    missing = since_sixty[measures].isna().mean()
    late = set(missing[missing > 0].index)
    assert late <= {"momentum_126", "momentum_252", "intraday_quarter_ago", "since_gap"}
    assert not since_sixty[measures].iloc[-20:].isna().any(axis=None)


@given(seed=st.integers(0, 1000), cuts=st.sets(st.integers(1, 149), max_size=4))
@settings(max_examples=10, deadline=None)
def test_any_cut_into_blocks_gives_the_same_bits(make_bars, make_inputs, seed, cuts) -> None:
    bars = make_bars(seed, sessions=680, missing=0.05)
    inputs, asked = make_inputs(bars), bars.sessions[-150:]

    blocks = np.split(np.arange(150), sorted(cuts))
    parts = [snapshots(EXTENDED, inputs, asked[block]).rows for block in blocks]

    whole = snapshots(EXTENDED, inputs, asked).rows
    pd.testing.assert_frame_equal(pd.concat(parts), whole, check_exact=True)


@given(seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_units_of_price_and_volume_change_nothing(make_bars, make_inputs, seed) -> None:
    bars = make_bars(seed, sessions=300)
    factors = np.array([10.0, 0.1, 100.0, 1.0])
    others = [feature for feature in EXTENDED if feature.name not in COMMON_UNITS]

    def rows(panel: BarPanel, features) -> pd.DataFrame:
        return snapshots(features, make_inputs(panel), panel.sessions).rows

    tolerance = {"rtol": 1e-4, "atol": 1e-5}
    own_units = rows(scaled(bars, factors, factors[::-1]), others)
    pd.testing.assert_frame_equal(own_units, rows(bars, others), **tolerance)
    common = rows(scaled(bars, np.full(4, 10.0), np.full(4, 10.0)), EXTENDED)
    pd.testing.assert_frame_equal(common, rows(bars, EXTENDED), **tolerance)


def scaled(bars: BarPanel, price: np.ndarray, volume: np.ndarray) -> BarPanel:
    prices = (bars.open, bars.high, bars.low, bars.close)
    return BarPanel(*(frame * price for frame in prices), bars.volume * volume)


def test_the_order_of_symbols_changes_no_bit(long_inputs) -> None:
    asked = long_inputs.bars.sessions[-5:]
    mixed = long_inputs.bars.symbols[np.random.default_rng(0).permutation(30)]
    reordered = replace(
        long_inputs,
        bars=long_inputs.bars.loc(long_inputs.bars.sessions, mixed),
        indicators={name: frame[mixed] for name, frame in long_inputs.indicators.items()},
        symbols=long_inputs.symbols.loc[mixed],
    )

    pd.testing.assert_frame_equal(
        snapshots(EXTENDED, reordered, asked).rows,
        snapshots(EXTENDED, long_inputs, asked).rows,
        check_exact=True,
    )


# On real prices


@pytest.fixture(scope="module")
def real_rows(real: FeatureInputs) -> Snapshots:
    return snapshots(EXTENDED, real, real.bars.sessions)


@pytest.mark.parametrize("count", [6, pytest.param(40, marks=pytest.mark.soak)])
def test_history_cut_at_any_session_gives_the_same_bits(
    real: FeatureInputs, real_rows: Snapshots, evening, count: int
) -> None:
    sessions = real.bars.sessions
    for cut in np.random.default_rng(0).choice(np.arange(60, len(sessions)), count, replace=False):
        session = sessions[cut]

        cut_off = snapshots(
            EXTENDED, evening(cut), sessions[cut : cut + 1], next_session=session
        ).rows

        pd.testing.assert_frame_equal(
            cut_off, real_rows.rows.loc[[session]], check_exact=True, check_index_type=False
        )


def test_no_feature_is_another_one_under_a_second_name(real_rows: Snapshots) -> None:
    rows = real_rows.rows.select_dtypes("number").loc["2014":]

    assert not np.isinf(rows).any(axis=None)
    varying = rows.loc[:, rows.std() > 0]
    assert set(rows) - set(varying) <= {"half_day"}
    related = np.abs(np.triu(varying.corr(), 1))
    alike = np.argwhere(related > 0.999)
    assert [(varying.columns[i], varying.columns[j]) for i, j in alike] == []


# The page


def test_the_page_of_features_is_what_the_script_makes() -> None:
    spec = importlib.util.spec_from_file_location("made", ROOT / ".ci" / "feature_catalogue.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    page = script.page()
    assert script.PAGE.read_text() == page, "run python .ci/feature_catalogue.py"
    for name, features in FEATURE_SETS.items():
        described = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert described.count("\n| `") == len(features)
        assert f"\n{len(features)} features; " in described
