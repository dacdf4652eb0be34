from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.market.features import FEATURE_SETS, FeatureInputs, known_before
from pipeline.market.features_ranked import RANKED_TWICE
from pipeline.market.features_residual import definitions as residual
from pipeline.schemas import BarPanel
from tests.market.conftest import snapshots

RANKED = FEATURE_SETS["ranked"]
EXTENDED = FEATURE_SETS["extended"]
NUMBERS = [feature for feature in RANKED if feature.kind == "symbol"]
COMMON_UNITS = {
    f"rank_{name}"
    for name in ("dollar_volume_rank_63", "dollar_volume_standing_63", "amihud_rank_21",
                 "amihud_rank_252")
}  # fmt: skip


@pytest.fixture(scope="module")
def inputs(make_bars, make_inputs) -> FeatureInputs:
    return make_inputs(make_bars(5, sessions=620, symbols=30, missing=0.02))


def test_ranked_are_all_numbers_of_single_symbols_and_the_attributes() -> None:
    symbols = [f.name for f in (*EXTENDED, *residual) if f.kind == "symbol"]
    ranks = {f"rank_{name}" for name in symbols if name not in RANKED_TWICE}

    assert {f.name for f in RANKED} == ranks | {"exchange", "sector"}
    assert set(RANKED_TWICE) < set(symbols)


@pytest.mark.parametrize("feature", NUMBERS, ids=lambda feature: feature.name)
def test_a_session_s_values_lie_around_0_and_what_is_missing_stays_missing(inputs, feature) -> None:
    known = known_before(inputs, inputs.bars.sessions)

    values = feature(known)

    missing = np.isnan(values)
    plain = replace(feature, ranked=False)(known)
    np.testing.assert_array_equal(missing, np.isnan(plain) | np.isnan(known.close))
    present = np.where(missing, 0.0, values)
    assert np.abs(present).max() < 0.5
    assert present.any() or feature.name == "rank_since_gap"  # made-up prices have none
    np.testing.assert_allclose(present.sum(axis=1), 0, atol=1e-12)


@given(seed=st.integers(0, 1000), cut=st.integers(80, 159))
@settings(max_examples=10, deadline=None)
def test_what_is_known_before_a_session_exists_is_what_is_known_later(
    make_bars, make_inputs, seed, cut
) -> None:
    bars = make_bars(seed, sessions=160, missing=0.02)
    session = bars.sessions[cut : cut + 1]

    evening = make_inputs(bars.loc(bars.sessions[:cut]))
    before = snapshots(RANKED, evening, session, next_session=session[0]).rows

    later = snapshots(RANKED, make_inputs(bars), session).rows
    pd.testing.assert_frame_equal(before, later, check_exact=True, check_index_type=False)


@given(seed=st.integers(0, 1000), cuts=st.sets(st.integers(1, 39), max_size=4))
@settings(max_examples=5, deadline=None)
def test_any_cut_into_blocks_gives_the_same_bits(make_bars, make_inputs, seed, cuts) -> None:
    bars = make_bars(seed, sessions=1380, missing=0.05)
    inputs, asked = make_inputs(bars), bars.sessions[-40:]

    blocks = np.split(np.arange(40), sorted(cuts))
    parts = [snapshots(RANKED, inputs, asked[block]).rows for block in blocks]

    whole = snapshots(RANKED, inputs, bars.sessions).rows.loc[asked[0] :]
    pd.testing.assert_frame_equal(pd.concat(parts), whole, check_exact=True, check_index_type=False)


@given(seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_units_of_price_and_volume_change_nothing(make_bars, make_inputs, seed) -> None:
    bars = make_bars(seed, sessions=300)
    factors = np.array([10.0, 0.1, 100.0, 1.0])
    others = [feature for feature in RANKED if feature.name not in COMMON_UNITS]

    def rows(panel: BarPanel, features) -> pd.DataFrame:
        inputs = make_inputs(panel)
        # In a sector of two, residuals differ in sign alone: products are ties but for rounding.
        one_sector = replace(inputs, symbols=inputs.symbols.assign(sector="a"))
        return snapshots(features, one_sector, panel.sessions[-5:]).rows

    own_units = rows(scaled(bars, factors, factors[::-1]), others)
    pd.testing.assert_frame_equal(own_units, rows(bars, others))
    common = rows(scaled(bars, np.full(4, 10.0), np.full(4, 10.0)), RANKED)
    pd.testing.assert_frame_equal(common, rows(bars, RANKED))


def scaled(bars: BarPanel, price: np.ndarray, volume: np.ndarray) -> BarPanel:
    prices = (bars.open, bars.high, bars.low, bars.close)
    return BarPanel(*(frame * price for frame in prices), bars.volume * volume)


def test_the_order_of_symbols_changes_no_bit(inputs) -> None:
    asked = inputs.bars.sessions[-5:]
    mixed = inputs.bars.symbols[np.random.default_rng(0).permutation(30)]

    reordered = with_symbols(inputs, mixed, inputs.symbols.loc[mixed])

    pd.testing.assert_frame_equal(
        snapshots(RANKED, reordered, asked).rows,
        snapshots(RANKED, inputs, asked).rows,
        check_exact=True,
    )


def test_a_listed_symbol_without_values_moves_no_bit_of_the_others(inputs) -> None:
    asked = inputs.bars.sessions[-5:]
    wider = inputs.bars.symbols.insert(7, "S06A")
    attributes = inputs.symbols.reindex(wider, fill_value="sector 3")

    unborn = with_symbols(inputs, wider, attributes)

    pd.testing.assert_frame_equal(
        snapshots(RANKED, unborn, asked).rows,
        snapshots(RANKED, inputs, asked).rows,
        check_exact=True,
        check_index_type=False,
    )


def with_symbols(inputs: FeatureInputs, names: pd.Index, symbols: pd.DataFrame) -> FeatureInputs:
    return replace(
        inputs,
        bars=inputs.bars.loc(inputs.bars.sessions, names),
        indicators={key: frame.reindex(columns=names) for key, frame in inputs.indicators.items()},
        symbols=symbols,
    )


def no_volume(bars: BarPanel) -> BarPanel:
    return replace(bars, volume=bars.volume * 0)


def no_volume_at_times(bars: BarPanel) -> BarPanel:
    return replace(bars, volume=bars.volume.where(bars.volume > bars.volume.median(), 0.0))


def no_moves(bars: BarPanel) -> BarPanel:
    flat = bars.close * 0 + 10
    return replace(bars, open=flat, high=flat, low=flat, close=flat)


@pytest.mark.parametrize("change", [None, no_volume, no_volume_at_times, no_moves])
@pytest.mark.parametrize("symbols", [1, 2, 5])
@pytest.mark.parametrize("sectors", [True, False], ids=["sectors", "no sectors"])
def test_poor_data_give_ranks_or_nothing_and_no_warning(
    make_bars, make_inputs, change, symbols, sectors
) -> None:
    bars = make_bars(0, sessions=120, symbols=symbols)
    bars = bars if change is None else change(bars)
    inputs = make_inputs(bars)
    if not sectors:
        inputs = replace(inputs, symbols=inputs.symbols.assign(sector=np.nan, exchange=np.nan))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = snapshots(RANKED, inputs, bars.sessions).rows

    numbers = rows.select_dtypes("number")
    assert len(rows) == 80 * symbols
    assert numbers.shape[1] == len(NUMBERS)
    assert not (numbers.abs() >= 0.5).any(axis=None)
    if symbols == 1:
        assert (numbers.isna() | (numbers == 0)).all(axis=None)


# On real prices


@pytest.mark.parametrize("count", [6, pytest.param(40, marks=pytest.mark.soak)])
def test_history_cut_at_any_session_gives_the_same_bits(
    real: FeatureInputs, evening, count: int
) -> None:
    sessions = real.bars.sessions
    cuts = np.random.default_rng(1).choice(np.arange(60, len(sessions)), count, replace=False)
    whole = snapshots(RANKED, real, sessions[np.sort(cuts)]).rows
    for cut in cuts:
        asked = sessions[cut : cut + 1]

        cut_off = snapshots(RANKED, evening(cut), asked, next_session=asked[0]).rows

        pd.testing.assert_frame_equal(
            cut_off, whole.loc[asked], check_exact=True, check_index_type=False
        )


def test_no_feature_is_another_one_under_a_second_name(real: FeatureInputs) -> None:
    rows = snapshots(RANKED, real, real.bars.sessions).rows.select_dtypes("number").loc["2014":]

    assert (rows.std() > 0).all()
    related = np.abs(np.triu(rows.corr(), 1))
    alike = np.argwhere(related > 0.999)
    assert [(rows.columns[i], rows.columns[j]) for i, j in alike] == []
