from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.market import features_residual
from pipeline.market.definitions import Known
from pipeline.market.features import FeatureInputs, known_before
from pipeline.market.features_residual import SPANS, intraday_residuals, overnight_residuals
from pipeline.schemas import BarPanel

RESIDUAL = tuple(features_residual.definitions)
BY_NAME = {feature.name: feature for feature in RESIDUAL}
SESSIONS = 700


# By hand: DAY gains 1 % overnight and 2 % by day, without a beta. The others have a beta of 2: DUSK
# gains 1 % overnight and swings by day, DAWN swings overnight and gains 1 % by day. A swing is
# +3 % and -1 % in turns; the last session went down.

UP, DOWN = 0.03, -0.01
SWINGS = np.where(np.arange(SESSIONS) % 2, DOWN, UP)
RISES, FALLS = (0.02 + UP + 0.01) / 3, (0.02 + DOWN + 0.01) / 3  # mean intraday returns
RMS = np.sqrt((31 * UP**2 + 32 * DOWN**2) / 63)
OTHER_RMS = np.sqrt((32 * UP**2 + 31 * DOWN**2) / 63)


def net_of_the_others(day: float, dusk: float, dawn: float) -> tuple[float, float, float]:
    return day - (dusk + dawn) / 2, dusk - (day + dawn) / 2, dawn - (day + dusk) / 2


LAST = net_of_the_others(0.02 / 0.02, (DOWN - 2 * FALLS) / RMS, (0.01 - 2 * FALLS) / 0.01)
BEFORE = net_of_the_others(0.02 / 0.02, (UP - 2 * RISES) / OTHER_RMS, (0.01 - 2 * RISES) / 0.01)
# Overnight the means are the same; DUSK and DAWN have changed places, DAY gains 1 %.
NIGHT_RISES, NIGHT_FALLS = (0.02 + UP) / 3, (0.02 + DOWN) / 3
LAST_NIGHT = net_of_the_others(
    0.01 / 0.01, (0.01 - 2 * NIGHT_FALLS) / 0.01, (DOWN - 2 * NIGHT_FALLS) / RMS
)


@pytest.fixture(scope="module")
def by_hand() -> Known:
    overnight = moves(0.01, 0.01, SWINGS)
    intraday = moves(0.02, SWINGS, 0.01)
    close = 100 * np.cumprod((1 + overnight) * (1 + intraday), axis=0)
    opens = close / (1 + intraday)
    volume = np.full_like(close, 1e3)
    volume[-1] = 3e3
    sessions = pd.bdate_range("2020-01-06", periods=SESSIONS, name="session", unit="us")
    market = np.cumprod(1 + ((1 + SWINGS) * 1.01 - 1) / 2)
    return known_of(sessions, opens, close, volume, market, ["a", "a", "a"])


def moves(day: float, dusk: np.ndarray | float, dawn: np.ndarray | float) -> np.ndarray:
    return np.column_stack([np.broadcast_to(m, SESSIONS) for m in (day, dusk, dawn)])


def known_of(sessions, opens, close, volume, market, sectors) -> Known:
    names = pd.Index([f"S{k}" for k in range(close.shape[1])], name="symbol")
    high, low = np.maximum(opens, close), np.minimum(opens, close)
    fields = (pd.DataFrame(v, sessions, names) for v in (opens, high, low, close, volume))
    inputs = FeatureInputs(
        bars=BarPanel(*fields),
        indicators={},
        market=pd.DataFrame({"close": market}, index=sessions),
        regimes=pd.DataFrame(index=sessions),
        symbols=pd.DataFrame({"exchange": "X", "sector": sectors}, index=names),
    )
    return known_before(inputs, sessions.append(sessions[-1:] + pd.offsets.BDay()))


def test_a_residual_is_net_of_market_and_sector_over_the_symbols_own_volatility(by_hand) -> None:
    intraday = intraday_residuals(by_hand)

    np.testing.assert_allclose(intraday[-1], LAST, rtol=1e-9)
    np.testing.assert_allclose(intraday[-2], BEFORE, rtol=1e-9)
    np.testing.assert_allclose(overnight_residuals(by_hand)[-1], LAST_NIGHT, rtol=1e-9)


MIDDLE = tuple((one + other) / 2 for one, other in zip(LAST, BEFORE, strict=True))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("scaled_intraday_residual_1", LAST),
        ("scaled_intraday_residual_2", BEFORE),
        ("scaled_overnight_residual_1", LAST_NIGHT),
        ("scaled_intraday_residual_2_5", MIDDLE),
        ("scaled_intraday_residual_6_10", np.array(MIDDLE) * 0.8 + np.array(BEFORE) * 0.2),
        ("scaled_intraday_residual_127_252", MIDDLE),
        ("scaled_intraday_residual_1_252", MIDDLE),
        # A weekday's sessions swing in turns as well: seven of thirteen like the last but four.
        ("weekday_residual_13", (np.array(LAST) * 7 + np.array(BEFORE) * 6) / 13),
        ("residual_on_volume_1", np.array(LAST) * np.log(3 / ((62 + 3) / 63))),
        ("residual_persistence_252", np.array(LAST) * np.array(BEFORE)),
    ],
)
def test_features_are_the_numbers_worked_out_by_hand(by_hand, name, expected) -> None:
    np.testing.assert_allclose(BY_NAME[name](by_hand)[-1], expected, rtol=1e-9)


def without_market(intraday: np.ndarray) -> Known:
    """One sector, nothing happens overnight, and there is no index."""
    sessions = pd.bdate_range("2020-01-06", periods=len(intraday), name="session", unit="us")
    close = 100 * np.cumprod(1 + intraday, axis=0)
    unknown = np.full(len(intraday), np.nan)
    sectors = ["a"] * close.shape[1]
    return known_of(sessions, close / (1 + intraday), close, np.ones_like(close), unknown, sectors)


def test_before_its_sector_is_taken_away_a_residual_is_at_most_five_either_way() -> None:
    intraday = np.full((63, 4), 0.01)
    intraday[-1, 0] = 1.0

    values = intraday_residuals(without_market(intraday))[-1]

    # 74 % above the mean in volatilities of 13 %, the others 25 % below it in those of 1 %.
    np.testing.assert_allclose(values, [5 + 5, *[-5 - (5 - 5 - 5) / 3] * 3], rtol=1e-9)


def test_a_beta_that_is_not_known_yet_is_one() -> None:
    intraday = np.random.default_rng(0).normal(0, 0.01, (41, 2))

    values = intraday_residuals(without_market(intraday))[-1]

    rms = np.sqrt((intraday**2).mean(axis=0))
    own = (intraday[-1] - intraday[-1].mean()) / rms
    np.testing.assert_allclose(values, own - own[::-1], rtol=1e-9)


def test_who_is_alone_in_its_sector_has_no_residual(make_bars, make_inputs) -> None:
    bars = make_bars(1, sessions=100, symbols=3)

    known = known_before(make_inputs(bars), bars.sessions)

    assert np.isnan(intraday_residuals(known)[-1]).tolist() == [False, False, True]


# Against their definitions in pandas


@pytest.fixture(scope="module")
def random_inputs(make_bars, make_inputs) -> FeatureInputs:
    return make_inputs(make_bars(5, sessions=1320, symbols=12, missing=0.02))


@pytest.fixture(scope="module")
def whole_inputs(make_bars, make_inputs) -> FeatureInputs:
    return make_inputs(make_bars(8, sessions=1320, symbols=12))


def test_features_are_those_of_their_definitions(whole_inputs) -> None:
    bars = whole_inputs.bars
    known = known_before(whole_inputs, bars.sessions)
    seen = bars.loc(bars.sessions[:-1])
    returns, shares = seen.close.pct_change(), seen.volume
    intraday = residual_frame(seen.close / seen.open - 1, returns)
    overnight = residual_frame(seen.open / seen.close.shift() - 1, returns)
    whole = residual_frame(returns, returns)
    shock = np.log(shares / shares.rolling(63).mean()).clip(-2, 2)
    weekday = intraday.index.day_of_week == bars.sessions[-1].day_of_week

    def before(residuals: pd.DataFrame, first: int, last: int) -> pd.Series:
        """Mean from the first to the last session before t."""
        return residuals.iloc[-last : len(residuals) - first + 1].mean()

    def around(residuals: pd.DataFrame, period: int, times: int, width: int) -> pd.Series:
        periods = range(period, (times + 1) * period, period)
        return sum(before(residuals, k - width, k + width) for k in periods) / times

    expected = {
        **{f"scaled_intraday_residual_{k}": intraday.iloc[-k] for k in (1, 5)},
        **{f"scaled_overnight_residual_{k}": overnight.iloc[-k] for k in (1, 5)},
        **{f"scaled_intraday_residual_{a}_{b}": before(intraday, a, b) for a, b in SPANS},
        **{f"scaled_overnight_residual_{a}_{b}": before(overnight, a, b) for a, b in SPANS},
        "highest_overnight_residual_21": overnight.iloc[-21:].max(),
        "lowest_overnight_residual_21": overnight.iloc[-21:].min(),
        "highest_return_residual_21": whole.iloc[-21:].max(),
        "lowest_return_residual_21": whole.iloc[-21:].min(),
        **{f"distance_from_low_{n}": above_low(seen, n) for n in (63, 252, 756)},
        "weekday_residual_208": intraday[weekday].iloc[-208:].mean(),
        "weekday_overnight_residual_26": overnight[weekday].iloc[-26:].mean(),
        "scaled_intraday_residual_quarters_8": around(intraday, 63, 8, 2),
        "scaled_overnight_residual_quarters_4": around(overnight, 63, 4, 2),
        "scaled_intraday_residual_year_ago_2": around(intraday, 252, 2, 2),
        "scaled_overnight_residual_year_ago_10": around(overnight, 252, 2, 10),
        "residual_on_volume_21": before(intraday * shock, 1, 21),
        "residual_persistence_252": before(intraday * intraday.shift(), 1, 252),
        "residual_answer_63": before(intraday * overnight, 1, 63),
    }

    for name, values in expected.items():
        np.testing.assert_allclose(BY_NAME[name](known)[-1], values, rtol=1e-7, err_msg=name)


def above_low(seen: BarPanel, n: int) -> pd.Series:
    deviation = np.sqrt((seen.close.pct_change().iloc[-63:] ** 2).mean())
    return np.log(seen.close.iloc[-1] / seen.low.iloc[-n:].min()) / deviation


def residual_frame(moves: pd.DataFrame, returns: pd.DataFrame) -> pd.DataFrame:
    """Each sector has two symbols: net of the other one's."""
    market = returns.mean(axis=1)
    beta = returns.rolling(252).cov(market).div(market.rolling(252).var(), axis=0)
    own = moves - beta.mul(moves.mean(axis=1), axis=0)
    scaled = (own / np.sqrt((moves**2).rolling(63).mean())).clip(-5, 5)
    other = scaled.columns[np.arange(scaled.shape[1]) ^ 1]
    return scaled - scaled[other].set_axis(scaled.columns, axis=1)


# Look-back


UNMOVED = ("distance_from_low_756",)
"""The lowest low of three years is rarely that of the oldest session."""


@pytest.mark.parametrize("feature", RESIDUAL, ids=lambda feature: feature.name)
def test_a_feature_needs_its_declared_look_back_and_no_session_more(random_inputs, feature) -> None:
    sessions = random_inputs.bars.sessions

    def value(end: int, start: int) -> np.ndarray:
        return feature(known_before(random_inputs, sessions[start:end]))[-1]

    changed = False
    for end in (len(sessions), len(sessions) - 1, len(sessions) - 2, len(sessions) - 7):
        whole = value(end, 0)
        np.testing.assert_array_equal(value(end, end - 1 - feature.lookback), whole)
        short = value(end, end - feature.lookback)
        changed |= not np.array_equal(short, whole, equal_nan=True)
    assert changed or feature.name in UNMOVED
