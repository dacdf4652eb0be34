from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.market.labels import labels
from pipeline.schemas import LABELS, BarPanel


def bar(open_: float, high: float, low: float, close: float) -> BarPanel:
    session = pd.DatetimeIndex(["2020-01-02"], name="session", dtype="datetime64[us]")
    symbol = pd.Index(["A"], name="symbol")
    return BarPanel(*(pd.DataFrame(x, session, symbol) for x in (open_, high, low, close, 1000.0)))


def all_final(bars: BarPanel) -> pd.DataFrame:
    return bars.close.notna()


def test_labels_are_measured_from_the_open() -> None:
    bars = bar(100.0, 110.0, 95.0, 98.0)

    outcome = {name: frame.iloc[0, 0] for name, frame in labels(bars, all_final(bars)).items()}

    assert tuple(outcome) == LABELS
    assert outcome["intraday_return"] == pytest.approx(-0.02)
    assert outcome["max_favorable_excursion"] == pytest.approx(0.10)
    assert outcome["max_adverse_excursion"] == pytest.approx(-0.05)


@pytest.mark.parametrize("final", [pd.DataFrame(), None])
def test_a_provisional_bar_has_no_label(final: pd.DataFrame | None) -> None:
    bars = bar(100.0, 110.0, 95.0, 98.0)
    provisional = ~all_final(bars) if final is None else final

    assert all(frame.isna().all(axis=None) for frame in labels(bars, provisional).values())


def test_a_bar_without_a_price_to_start_from_has_no_label() -> None:
    bars = bar(0.0, 110.0, 0.0, 98.0)

    assert labels(bars, all_final(bars))["intraday_return"].isna().all(axis=None)


@given(seed=st.integers(0, 1000), cut=st.integers(1, 30))
@settings(max_examples=20, deadline=None)
def test_labels_do_not_look_at_other_sessions(make_bars, seed, cut) -> None:
    bars = make_bars(seed, sessions=30, missing=0.2)
    part = bars.loc(bars.sessions[:cut])

    for name, frame in labels(part, all_final(part)).items():
        whole = labels(bars, all_final(bars))[name]
        pd.testing.assert_frame_equal(frame, whole.loc[part.sessions], check_exact=True)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_return_lies_between_the_excursions(make_bars, seed) -> None:
    bars = make_bars(seed)
    result = labels(bars, all_final(bars))

    assert (result["max_adverse_excursion"] <= result["intraday_return"]).all(axis=None)
    assert (result["intraday_return"] <= result["max_favorable_excursion"]).all(axis=None)


def test_labels_equal_the_reference(shared: Path, golden_bars: BarPanel) -> None:
    golden = pd.read_parquet(shared / "golden/features_labels.parquet")
    golden = golden[golden["label_ready"]].rename(columns={"trade_date": "session"})
    golden["session"] = pd.to_datetime(golden["session"]).astype("datetime64[us]")

    for name, frame in labels(golden_bars, all_final(golden_bars)).items():
        theirs = golden.pivot_table(f"{name}_unrounded", "session", "symbol")
        ours = frame.loc[theirs.index, theirs.columns]
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)
