from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.market.features import FEATURE_SETS, FeatureInputs, known_before
from pipeline.market.selection import selection
from pipeline.schemas import BarPanel
from tests.market.conftest import ROWS, snapshots

LIMITS = {"min_history": 10, "min_price": 40.0, "min_dollar_volume": 1.5e6}
ONE = FEATURE_SETS["classic"][:1]


def test_a_row_is_left_out_for_the_first_reason_that_holds(make_bars, make_inputs) -> None:
    bars = make_bars(0, sessions=60, symbols=6)
    for frame in (bars.open, bars.high, bars.low, bars.close):
        frame.iloc[:] = 10.0
    bars.volume.iloc[:] = 100.0
    for frame in (bars.open, bars.high, bars.low, bars.close, bars.volume):
        frame.iloc[:, 0] = np.nan  # never listed
        frame.iloc[-1, 1] = np.nan  # halted
        frame.iloc[:-5, 2] = np.nan  # new
    bars.close.iloc[-1, 3] = 4.99
    bars.volume.iloc[-20:, 4] = 49.0
    known = known_before(make_inputs(bars), pd.DatetimeIndex([*bars.sessions, "2020-06-01"]))
    requested = np.arange(60) == 59

    rows, left_out = selection(
        known, known.close, requested, min_history=10, min_price=5.0, min_dollar_volume=500.0
    )

    assert np.argwhere(rows).tolist() == [[59, 5]]
    assert left_out == {
        "no_bars": 1, "no_bar_before": 1, "short_history": 1, "low_price": 1,
        "low_dollar_volume": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("volume", "kept"), [(50.0, 1), (49.9, 0)])
def test_the_least_itself_is_enough(make_bars, make_inputs, volume, kept) -> None:
    bars = make_bars(1, sessions=50, symbols=1)
    bars.close.iloc[:], bars.volume.iloc[:] = 10.0, volume
    known = known_before(make_inputs(bars), bars.sessions)

    limits = ROWS | {"min_price": 10.0, "min_dollar_volume": 500.0}
    rows, _ = selection(known, known.close, np.arange(49) == 48, **limits)

    assert rows.sum() == kept


@given(seed=st.integers(0, 1000), cut=st.integers(30, 99))
@settings(max_examples=20, deadline=None)
def test_what_comes_later_selects_nobody(make_bars, make_inputs, seed, cut) -> None:
    bars = make_bars(seed, sessions=100, missing=0.05)
    inputs = make_inputs(bars)
    session, others = bars.sessions[cut : cut + 1], bars.sessions[cut : cut + 5]
    evening = cut_at(inputs, bars.sessions[:cut])

    early = snapshots(ONE, evening, session, next_session=session[0], **LIMITS)

    alone = snapshots(ONE, inputs, session, **LIMITS)
    assert early.left_out == alone.left_out
    assert early.rows.index.equals(alone.rows.index)
    # Requested for later sessions too, the selection has their bars before it.
    later = snapshots(ONE, inputs, others, **LIMITS).rows.index
    assert early.rows.index.equals(later[later.get_level_values("session") == session[0]])


@pytest.mark.parametrize("ratio", [4.0, 1.5, 1 / 10])
@pytest.mark.parametrize("split", [40, 44, 45, 46, 55])
def test_a_split_after_a_session_changes_nobody_who_had_a_row_in_it(
    make_bars, make_inputs, split, ratio
) -> None:
    """The limit is on the close that was quoted, whatever it was divided by since."""
    bars = make_bars(3, sessions=60, symbols=3)
    for frame in (bars.open, bars.high, bars.low, bars.close):
        frame.iloc[:] = 10.0
    session, limits = bars.sessions[45:46], ROWS | {"min_price": 10.0}
    evening = cut_at(make_inputs(bars), bars.sessions[:45])
    early = snapshots(ONE, evening, session, next_session=session[0], **limits)
    assert early.left_out["low_price"] == 0

    for name in ("open", "high", "low", "close"):
        getattr(bars, name).iloc[:split, 0] /= ratio
    factor = pd.DataFrame({bars.symbols[0]: np.where(np.arange(60) < split, ratio, 1.0)},
                          bars.sessions)  # fmt: skip
    inputs = replace(make_inputs(bars), price_factor=factor)
    later = snapshots(ONE, inputs, session, **limits)

    assert later.left_out["low_price"] == 0
    assert later.rows.index.equals(early.rows.index)
    adjusted = snapshots(ONE, replace(inputs, price_factor=None), session, **limits)
    assert adjusted.left_out["low_price"] == (ratio > 1 and split >= 45)


def cut_at(inputs: FeatureInputs, sessions: pd.DatetimeIndex) -> FeatureInputs:
    bars: BarPanel = inputs.bars.loc(sessions)
    indicators = {name: frame.loc[sessions] for name, frame in inputs.indicators.items()}
    return replace(inputs, bars=bars, indicators=indicators)
