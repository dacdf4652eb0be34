from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidData
from pipeline.market.definitions import Feature, Known
from pipeline.market.features import (
    FEATURE_SETS,
    FeatureInputs,
    catalogue,
    days_a_week,
    feature_set_hash,
    known_before,
    warm_up,
)
from pipeline.market.indicators import indicators
from pipeline.market.regimes import index_moves, regimes, universe_moves
from pipeline.schemas import ROW, BarPanel, Regime
from tests.market.conftest import snapshots

CLASSIC = FEATURE_SETS["classic"]
BY_NAME = {feature.name: feature for feature in CLASSIC}
NAN = np.nan
SESSIONS = 31


def days(*dates: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(dates, name="session", dtype="datetime64[us]")


def no_regimes() -> pd.DataFrame:
    measures = ["trend_strength", "volatility_percentile", "slope_20", "vix_level"]
    return pd.DataFrame(columns=[*measures, "regime"], index=days())


@pytest.fixture(scope="module")
def by_hand() -> Known:
    """GROW gains 1 % a session, 0.2 % of it intraday; FLAT never moves; SWAY goes 100, 102, ..."""
    k = np.arange(SESSIONS)
    sessions = pd.bdate_range("2020-01-01", periods=SESSIONS, name="session", unit="us")
    close = pd.DataFrame(
        {"FLAT": 100.0, "GROW": 100 * 1.01**k, "SWAY": 100.0 + 2 * (k % 2)}, index=sessions
    ).rename_axis(columns="symbol")
    opens = close.assign(GROW=close["GROW"] / 1.002)
    high, low = close.assign(GROW=close["GROW"] * 1.02), opens.assign(GROW=opens["GROW"] * 0.99)
    volume = close.mask(close > 0, 1000.0)
    volume.iloc[-1] = [1000.0, 2000.0, 1000.0]
    bars = BarPanel(opens, high, low, close, volume)
    made = pd.DataFrame({"FLAT": 1.0, "GROW": 2.0, "SWAY": 3.0}, index=sessions)
    symbols = pd.DataFrame(
        {"exchange": "X", "sector": ["tech", "tech", "oil"]}, index=pd.Index(close.columns)
    )
    inputs = FeatureInputs(
        bars=bars,
        indicators=indicators(bars)
        | {
            "rsi_14": made * [50, 50, 10],
            "macd": made,
            "atr_14": made,
        },
        market=None,
        regimes=no_regimes(),
        symbols=symbols,
    )
    return known_before(inputs, pd.DatetimeIndex([*sessions, sessions[-1] + pd.offsets.BDay()]))


SWAY_SD = (0.02 + 2 / 102) / 2  # half the distance between its two returns
LOW = 0.99 / 1.002  # of GROW, in closes
MARKET = (0.01 + 0.0 - 2 / 102) / 3


@pytest.mark.parametrize(
    ("name", "flat", "grow", "sway"),
    [
        ("return_1", 0, 0.01, -2 / 102),
        ("return_5", 0, 1.01**5 - 1, -2 / 102),
        ("return_20", 0, 1.01**20 - 1, 0),
        ("momentum_20_skip_5", 0, 1.01**15 - 1, 0.02),
        ("overnight_1", 0, 1.01 / 1.002 - 1, -2 / 102),
        ("overnight_5", 0, (1.01 / 1.002) ** 5 - 1, -2 / 102),
        ("intraday_1", 0, 0.002, 0),
        ("intraday_20", 0, 1.002**20 - 1, 0),
        ("volatility_10", 0, 0, SWAY_SD * np.sqrt(10 / 9)),
        ("volatility_20", 0, 0, SWAY_SD * np.sqrt(20 / 19)),
        ("trend_30", NAN, 1, -np.sqrt(3 / (30 * 30 - 1))),
        ("range_position_1", NAN, (1 - LOW) / (1.02 - LOW), NAN),
        ("range_position_20", NAN, (1 - LOW / 1.01**19) / (1.02 - LOW / 1.01**19), 0),
        ("rsi", 0, 1, -0.4),
        ("macd", 0.01, 2 / (100 * 1.01**30), 0.03),
        ("atr", 0.01, 2 / (100 * 1.01**30), 0.03),
        ("obv_slope_5", 0, 1, -0.2),
        ("obv_slope_20", 0, 1, 0),
        ("obv_signal_sum", 0, 3, 1),
        ("relative_volume_5", 1, 2000 / 1200, 1),
        ("relative_volume_20", 1, 2000 / 1050, 1),
        ("dollar_volume_rank", 1 / 3, 1, 2 / 3),
        ("relative_market_1", -MARKET, 0.01 - MARKET, -2 / 102 - MARKET),
        ("relative_sector_1", -0.01, 0.01, NAN),
        ("relative_sector_5", 1 - 1.01**5, 1.01**5 - 1, NAN),
    ],
)
def test_features_of_a_symbol_are_the_numbers_worked_out_by_hand(
    by_hand, name, flat, grow, sway
) -> None:
    values = BY_NAME[name](by_hand)[-1]

    np.testing.assert_allclose(values, [flat, grow, sway], rtol=1e-9, atol=1e-12)


def test_features_of_the_market_are_the_numbers_worked_out_by_hand(by_hand) -> None:
    up, down = (0.01 + 0.02) / 3, MARKET

    assert BY_NAME["market_return_1"](by_hand)[-1] == pytest.approx(down)
    assert BY_NAME["market_return_5"](by_hand)[-1] == pytest.approx(
        (1 + up) ** 2 * (1 + down) ** 3 - 1
    )
    assert BY_NAME["market_volatility_20"](by_hand)[-1] == pytest.approx(
        (up - down) / 2 * np.sqrt(20 / 19)
    )


def test_an_index_replaces_the_universe_mean(make_bars, make_inputs) -> None:
    bars = make_bars(0, sessions=3)
    index = pd.DataFrame({"open": 1.0, "close": [100.0, 110.0, 99.0]}, index=bars.sessions)

    known = known_before(replace(make_inputs(bars), market=index), bars.sessions)

    np.testing.assert_allclose(known.market_return, [NAN, 0.1])


@pytest.mark.parametrize(
    ("previous", "session", "expected"),
    [
        ("2020-02-28", "2020-03-02", [0, 3, 1 / 30, 1]),  # Monday the 2nd
        ("2020-03-04", "2020-03-05", [3, 1, 4 / 30, 0]),
        ("2020-02-26", "2020-02-27", [3, 1, 26 / 28, 0]),
        ("2020-02-27", "2020-02-28", [4, 1, 27 / 28, 1]),  # last but one of 29 days
        ("2020-04-09", "2020-04-13", [0, 4, 12 / 29, 0]),  # after Easter
    ],
)
def test_the_calendar_describes_the_session_to_come(
    make_bars, make_inputs, previous, session, expected
) -> None:
    known = known_before(make_inputs(make_bars(0)), days(previous, session))

    names = ("weekday", "days_since_previous", "month_position", "turn_of_month")
    assert [BY_NAME[name](known)[0] for name in names] == pytest.approx(expected)


def test_exactly_one_regime_holds_and_none_recorded_is_unknown(make_bars, make_inputs) -> None:
    bars = make_bars(0, sessions=4)
    states = pd.DataFrame(
        {"regime": ["HIGH_VOL", "RANGING"], "trend_strength": [30.0, 10.0]},
        index=bars.sessions[1:3],
    ).assign(volatility_percentile=90.0, vix_level=NAN)
    known = known_before(replace(make_inputs(bars), regimes=states), bars.sessions)

    held = {state: BY_NAME[f"regime_{state.lower()}"](known) for state in Regime}

    np.testing.assert_array_equal(sum(held.values()), [1, 1, 1])
    assert (held["HIGH_VOL"][0], held["RANGING"][1], held["UNKNOWN"][2]) == (1, 1, 1)
    np.testing.assert_array_equal(BY_NAME["trend_strength"](known), [0.3, 0.1, NAN])


@pytest.mark.parametrize("feature", CLASSIC, ids=lambda feature: feature.name)
def test_a_feature_needs_its_declared_look_back_and_no_session_more(
    make_bars, make_inputs, feature: Feature
) -> None:
    bars = make_bars(1, sessions=200)
    inputs = make_inputs(bars)
    whole = feature(known_before(inputs, bars.sessions))

    def last(sessions: int) -> np.ndarray:
        return feature(known_before(inputs, bars.sessions[-sessions - 1 :]))[-1]

    if feature.kind == "static":
        return
    np.testing.assert_array_equal(last(max(feature.lookback, 1)), whole[-1])
    if feature.lookback > 1:
        assert not np.isnan(whole[-1]).any()
        assert np.isnan(last(feature.lookback - 1)).all()


@given(seed=st.integers(0, 1000), cut=st.integers(60, 109))
@settings(max_examples=15, deadline=None)
def test_a_snapshot_made_the_evening_before_equals_the_later_one(
    make_bars, make_inputs, seed, cut
) -> None:
    bars = make_bars(seed, sessions=110, missing=0.05)
    session = bars.sessions[cut : cut + 1]
    evening = make_inputs(bars.loc(bars.sessions[:cut]))

    early = snapshots(CLASSIC, evening, session, next_session=session[0], min_history=20)

    later = snapshots(CLASSIC, make_inputs(bars), bars.sessions, min_history=20).rows
    assert len(early.rows)
    pd.testing.assert_frame_equal(
        early.rows, later.loc[list(session)], check_exact=True, check_index_type=False
    )


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_more_history_than_the_warm_up_changes_no_bit(make_bars, make_inputs, seed) -> None:
    bars = make_bars(seed, sessions=150, missing=0.05)
    inputs, asked = make_inputs(bars), bars.sessions[-20:]
    part = bars.sessions[-20 - warm_up(CLASSIC, 40, 5) :]
    shorter = replace(
        inputs,
        bars=bars.loc(part),
        indicators={name: frame.loc[part] for name, frame in inputs.indicators.items()},
    )

    pd.testing.assert_frame_equal(
        snapshots(CLASSIC, shorter, asked).rows,
        snapshots(CLASSIC, inputs, asked).rows,
        check_exact=True,
    )


def test_a_look_back_of_weeks_holds_every_day_of_a_market_that_never_rests(
    make_bars, make_inputs
) -> None:
    made = make_bars(1, sessions=150)
    days = pd.date_range("2020-01-01", periods=150, name="session", unit="us")
    bars = BarPanel(*(getattr(made, f.name).set_axis(days) for f in fields(BarPanel)))
    weekdays = [f for f in FEATURE_SETS["extended"] if f.name == "weekday_intraday_13"]
    part = bars.loc(days[-10 - warm_up(weekdays, 20, days_a_week(days)) :])
    assert len(part.sessions) < 150

    rows = [
        snapshots(weekdays, make_inputs(panel), days[-10:], min_history=20).rows
        for panel in (part, bars)
    ]
    evening = snapshots(weekdays, make_inputs(bars), days[-1:], min_history=20).rows

    pd.testing.assert_frame_equal(*rows, check_exact=True)
    pd.testing.assert_frame_equal(evening, rows[1].loc[[days[-1]]], check_exact=True)


def scaled(bars: BarPanel, price: np.ndarray, volume: np.ndarray) -> BarPanel:
    prices = (bars.open, bars.high, bars.low, bars.close)
    return BarPanel(*(frame * price for frame in prices), bars.volume * volume)


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_units_of_price_and_volume_change_nothing(make_bars, make_inputs, seed) -> None:
    bars = make_bars(seed, sessions=90)
    factors = np.array([10.0, 0.1, 100.0, 1.0])
    others = [feature for feature in CLASSIC if feature.name != "dollar_volume_rank"]

    def rows(panel: BarPanel, features) -> pd.DataFrame:
        return snapshots(features, make_inputs(panel), panel.sessions).rows

    tolerance = {"rtol": 1e-4, "atol": 1e-6}
    own_units = rows(scaled(bars, factors, factors[::-1]), others)
    pd.testing.assert_frame_equal(own_units, rows(bars, others), **tolerance)
    common = rows(scaled(bars, np.full(4, 10.0), np.full(4, 10.0)), CLASSIC)
    pd.testing.assert_frame_equal(common, rows(bars, CLASSIC), **tolerance)


def test_the_order_of_symbols_changes_no_bit(make_bars, make_inputs) -> None:
    bars = make_bars(2, sessions=80, missing=0.05)
    inputs = make_inputs(bars)
    mixed = bars.symbols[[2, 0, 3, 1]]
    reordered = replace(
        inputs,
        bars=bars.loc(bars.sessions, mixed),
        indicators={name: frame[mixed] for name, frame in inputs.indicators.items()},
        symbols=inputs.symbols.loc[mixed],
    )

    pd.testing.assert_frame_equal(
        snapshots(CLASSIC, reordered, bars.sessions).rows,
        snapshots(CLASSIC, inputs, bars.sessions).rows,
        check_exact=True,
    )


def test_rows_are_sorted_and_typed(make_bars, make_inputs) -> None:
    bars = make_bars(3, sessions=80)

    rows = snapshots(CLASSIC, make_inputs(bars), bars.sessions[::-1]).rows

    assert list(rows.index.names) == ROW
    assert rows.index.is_monotonic_increasing
    assert rows.columns.tolist() == [feature.name for feature in CLASSIC]
    assert set(rows.drop(columns=["exchange", "sector"]).dtypes) == {np.dtype(np.float32)}
    assert rows.loc[(bars.sessions[50], "S03"), ["exchange", "sector"]].tolist() == [
        "X",
        "sector 1",
    ]


def test_an_unknown_sector_is_missing_and_has_no_peers(make_bars, make_inputs) -> None:
    bars = make_bars(4, sessions=80)
    inputs = make_inputs(bars)
    symbols = inputs.symbols.drop(columns="exchange").drop("S01")

    rows = snapshots(CLASSIC, replace(inputs, symbols=symbols), bars.sessions[-1:]).rows

    assert rows["exchange"].isna().all()
    assert rows.xs("S01", level="symbol")[["sector", "relative_sector_5"]].isna().all(axis=None)
    assert rows.xs("S00", level="symbol")["relative_sector_5"].isna().all()
    assert rows.xs("S02", level="symbol")["relative_sector_5"].notna().all()


def test_rows_left_out_are_counted_by_reason(make_bars, make_inputs) -> None:
    bars = make_bars(5, sessions=100)
    for frame in (bars.open, bars.high, bars.low, bars.close, bars.volume):
        frame.iloc[:90, 0] = NAN  # listed five sessions before
        frame.iloc[50:, 1] = NAN  # gone for long
        frame.iloc[94, 2] = NAN  # halted the session before
    asked = bars.sessions[[0, 95]]

    result = snapshots(CLASSIC, make_inputs(bars), asked, min_history=10)

    assert result.rows.index.tolist() == [(bars.sessions[95], "S03")]
    assert result.left_out == {
        "no_session_before": 4,
        "no_bars": 1,
        "no_bar_before": 1,
        "short_history": 1,
        "low_price": 0,
        "low_dollar_volume": 0,
    }


def test_nothing_asked_gives_no_rows(make_bars, make_inputs) -> None:
    bars = make_bars(6)

    result = snapshots(CLASSIC, make_inputs(bars), bars.sessions[:0])

    assert result.rows.empty
    assert set(result.left_out.values()) == {0}


def test_a_session_without_a_bar_before_it_is_refused_by_name(make_bars, make_inputs) -> None:
    inputs = make_inputs(make_bars(7, sessions=5))

    with pytest.raises(InvalidData, match="2021-01-01"):
        snapshots(CLASSIC, inputs, days("2020-01-03", "2021-01-01"))
    with pytest.raises(InvalidData, match="not after"):
        snapshots(CLASSIC, inputs, days("2020-01-03"), next_session=pd.Timestamp("2020-01-03"))


def test_the_hash_of_a_set_is_that_of_its_features_in_any_order() -> None:
    hashes = {feature.name: feature.hash for feature in CLASSIC}
    backwards = dict(reversed(hashes.items()))
    without_first = {name: hashes[name] for name in list(hashes)[1:]}

    assert feature_set_hash(hashes) == feature_set_hash(backwards)
    assert feature_set_hash(hashes) != feature_set_hash(without_first)
    assert len(feature_set_hash(hashes)) == 12


def test_the_catalogue_explains_every_feature() -> None:
    table = catalogue(CLASSIC).set_index("name")

    assert len(table) == len(CLASSIC)
    assert (table["formula"].str.len() > 0).all()
    assert table.loc["return_5"].tolist()[:3] == ["symbol", 6, "close(s) / close(s-5) - 1"]


def test_no_feature_is_another_one_under_a_second_name(shared: Path, real_bars: BarPanel) -> None:
    sectors = pd.read_csv(shared / "data/sp500_symbols.csv").set_index("symbol")
    prices = pd.read_parquet(shared / "data/indices_1990_2023.parquet")
    prices = prices.set_index("date")
    index, vix = prices[prices["symbol"] == "^IXIC"], prices[prices["symbol"] == "^VIX"]
    inputs = FeatureInputs(
        bars=real_bars,
        indicators=indicators(real_bars),
        market=index,
        regimes=regimes(index_moves(index), real_bars.sessions, vix["close"]),
        symbols=sectors,
    )

    rows = snapshots(CLASSIC, inputs, real_bars.sessions).rows.select_dtypes("number")

    assert not np.isinf(rows).any(axis=None)
    varying = rows.loc[:, rows.std() > 0]
    assert set(rows) - set(varying) <= {"regime_unknown"}
    related = np.abs(np.triu(varying.corr(), 1))
    assert related.max() < 0.999


@pytest.fixture
def beside(shared: Path, golden_bars: BarPanel) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Our rows of all sessions, and the reference's of those it has."""
    golden = pd.read_parquet(shared / "golden/features_labels.parquet")
    golden = golden[golden["label_ready"]]
    golden["session"] = pd.to_datetime(golden["trade_date"]).astype("datetime64[us]")
    inputs = FeatureInputs(
        bars=golden_bars,
        indicators=indicators(golden_bars),
        market=None,
        regimes=regimes(universe_moves(golden_bars), golden_bars.sessions),
        symbols=pd.DataFrame(index=golden_bars.symbols),
    )
    rows = snapshots(CLASSIC, inputs, golden_bars.sessions).rows
    return rows, golden.set_index(ROW).sort_index()


def test_features_equal_the_reference_where_the_formula_is_the_same(beside) -> None:
    rows, golden = beside
    same = {
        "return_1": "return_1d",
        "volatility_10": "volatility_10d",
        "volatility_20": "volatility_20d",
        "relative_volume_5": "volume_ratio_5d",
        "relative_volume_20": "volume_ratio_20d",
    }

    for ours, theirs in same.items():
        np.testing.assert_allclose(
            rows.loc[golden.index, ours], golden[theirs], rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize("n", [3, 5, 10, 20])
def test_where_the_reference_deviates_its_returns_are_sums_of_simple_ones(beside, n) -> None:
    rows, golden = beside

    sums = rows["return_1"].unstack("symbol").rolling(n).sum().stack()

    np.testing.assert_allclose(sums.loc[golden.index], golden[f"return_{n}d"], atol=1e-6)
    assert (rows.loc[golden.index, f"return_{n}"] - golden[f"return_{n}d"]).abs().max() > 1e-4


def test_where_the_reference_deviates_its_obv_sum_is_ours_of_the_session_before(beside) -> None:
    rows, golden = beside

    before = rows["obv_signal_sum"].unstack("symbol").shift().stack()

    assert before.loc[golden.index].tolist() == golden["obv_signal_sum"].tolist()


def test_the_page_beside_the_reference_names_features_and_tests_that_exist() -> None:
    root = Path(__file__).resolve().parents[2]
    page = (root / "docs" / "classic.md").read_text()
    written = "".join(file.read_text() for file in (root / "tests").rglob("test_*.py"))
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")][1:]

    ours = [name for row in rows for name in re.findall(r"`([a-z]+_[a-z0-9_]+)`", row[2])]
    assert set(ours) - {"regime_"} <= {feature.name for feature in CLASSIC}
    files = {file.stem for file in (root / "tests").rglob("test_*.py")}
    named = re.findall(r"`(test_[a-z_]+?)(?:_\.\.\.|\.py|)`", page)
    assert [name for name in named if f"def {name}" not in written and name not in files] == []
