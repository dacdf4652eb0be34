"""Shares, fees and limits are of prices as they were quoted, not as later splits divided them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recipe.decision import PRICE, with_indication
from pipeline.schemas import ROW, BarPanel
from pipeline.trading.backtest import backtest
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules
from tests.trading.markets import PRICES, random_bars

FIRST, LAST = 70, 90
Splits = list[tuple[int, int, float]]
"""Place of the session, place of the symbol, ratio."""

splits_drawn = st.lists(
    st.tuples(st.integers(10, LAST), st.integers(0, 5), st.sampled_from([2.0, 3.0, 1.5, 0.1, 7.0])),
    max_size=6,
    unique_by=lambda split: split[:2],
)


def in_cents(bars: BarPanel) -> BarPanel:
    rounded = {name: getattr(bars, name).round(2) for name in PRICES[:4]}
    return replace(bars, **rounded, volume=bars.volume.round())


def as_kept(quoted: BarPanel, splits: Splits, upto: int) -> tuple[BarPanel, pd.DataFrame]:
    """Bars before a place as a source keeps them once these splits happened, and the way back."""
    factor = np.ones(quoted.close.shape)
    for place, symbol, ratio in splits:
        if place <= upto:
            factor[:place, symbol] *= ratio
    frame = pd.DataFrame(factor, quoted.sessions, quoted.symbols)
    divided = {name: getattr(quoted, name) / frame for name in PRICES[:4]}
    return BarPanel(**divided, volume=quoted.volume * frame), frame


def market(bars: BarPanel, factor: pd.DataFrame | None, sessions: pd.DatetimeIndex) -> Market:
    regimes = pd.Series("RANGING", sessions)
    sectors = pd.Series("X", bars.symbols)
    return Market.of_bars(bars, sessions, regimes, sectors, bars.sessions[FIRST - 1], factor=factor)


def predicted(bars: BarPanel, seed: int) -> pd.DataFrame:
    drawn = np.random.default_rng(seed).normal(0.0, 0.01, bars.close.shape)
    return pd.DataFrame(drawn, bars.sessions, bars.symbols)


CHARGED = {
    "whole_shares": True, "commission_per_share": 0.05, "commission_minimum": 0.0,
    "max_positions": 3, "min_edge_bps": 0.0, "limit_bps": 50.0, "stop_atr": 1.0,
}  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), splits=splits_drawn)
def test_a_session_trades_the_same_shares_whatever_splits_come_after_it(rules, seed, splits):
    """The history of today, and what was kept in each session's evening: one ledger."""
    quoted = in_cents(random_bars(seed, sessions=LAST + 1))
    forecasts, chosen = predicted(quoted, seed), rules(**CHARGED)
    sessions = quoted.sessions[FIRST:]
    whole = backtest(
        forecasts.loc[sessions], market(*as_kept(quoted, splits, LAST), sessions), chosen, 5_000.0
    )
    equity = whole.equity.to_numpy()
    for number in range(0, len(sessions), 5):
        place = FIRST + number
        kept, factor = as_kept(quoted, splits, place)
        then = market(kept.loc(quoted.sessions[: place + 1]), factor, sessions[[number]])
        alone = backtest(forecasts.loc[sessions[[number]]], then, chosen, equity[number])
        rows = whole.ledger[whole.ledger["session"] == sessions[number]].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, alone.ledger, rtol=1e-9, check_dtype=False)


def test_a_fee_by_the_share_and_whole_shares_are_of_the_shares_of_then(rules):
    """A close of 300 that a 4:1 split made 75: three shares, not thirteen."""
    quoted = in_cents(random_bars(1, sessions=LAST + 1, symbols=1))
    quoted = BarPanel(*(getattr(quoted, n) * 0 + 300.0 for n in PRICES[:4]), quoted.volume)
    quoted = replace(quoted, **{n: getattr(quoted, n).fillna(300.0) for n in PRICES[:4]})
    quoted.volume.iloc[:] = 1e6
    session = quoted.sessions[FIRST : FIRST + 1]
    kept, factor = as_kept(quoted, [(LAST, 0, 4.0)], LAST)
    forecast = pd.DataFrame(0.5, session, quoted.symbols)
    chosen: Rules = rules(
        whole_shares=True, commission_per_share=0.05, max_positions=1, min_edge_bps=0.0,
        max_position_fraction=1.0,
    )  # fmt: skip

    def traded(way_back: pd.DataFrame | None) -> tuple[float, float, float]:
        [row] = backtest(forecast, market(kept, way_back, session), chosen, 1_000.0).ledger.to_dict(
            "records"
        )
        return row["reference_price"], row["shares_filled"], round(row["commission"], 2)

    assert kept.close.iloc[FIRST, 0] == 75.0
    assert traded(factor) == (300.0, 3.0, 0.30)
    assert traded(None) == (75.0, 13.0, 1.30)


@pytest.mark.parametrize(("is_quoted", "price"), [(False, 300.0), (True, 75.0)])
def test_an_indication_made_of_stored_prices_is_brought_to_quotes(is_quoted, price):
    quoted = in_cents(random_bars(1, sessions=LAST + 1, symbols=1))
    session = quoted.sessions[FIRST : FIRST + 1]
    kept, factor = as_kept(quoted, [(LAST, 0, 4.0)], LAST)
    rows = pd.MultiIndex.from_product([session, quoted.symbols], names=ROW)
    worse = {f"worse_{bps:g}": 0.01 for bps in (5, 10, 20, 40, 80, 160, 320)}
    forecasts = pd.DataFrame({"prediction": 0.01, PRICE: 75.0, **worse}, rows)

    decided = with_indication(market(kept, factor, session), forecasts, is_quoted=is_quoted)

    assert decided.reference.iloc[0, 0] == price
