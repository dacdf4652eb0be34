"""Signals on data cut at t-1 are the orders that the backtest trades on t: real prices."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from pipeline.config.build import rules
from pipeline.config.compose import check, compose
from pipeline.io.sources.sample import Sample
from pipeline.schemas import BAR_FIELDS, SYMBOL, BarPanel
from pipeline.trading.backtest import backtest
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.market import Market
from pipeline.trading.strategy import orders

SESSIONS = 60
PRESETS = (
    "top_n", "retail_us", "per_share", "institutional", "long_short", "market_neutral", "stops",
)  # fmt: skip


def panel(bars: pd.DataFrame) -> BarPanel:
    return BarPanel(**{name: bars[name].unstack(SYMBOL).sort_index() for name in BAR_FIELDS})


@lru_cache
def sample() -> tuple[BarPanel, BarPanel, pd.Series]:
    """Bars of the embedded stocks and of the index, and sectors."""
    source = Sample()
    index = source.index_bars().bars
    of_index = index[index.index.get_level_values(SYMBOL) == "^IXIC"]
    return panel(source.bars().bars), panel(of_index), source.symbols()["sector"]


def market(bars: BarPanel, index: BarPanel, sessions: pd.DatetimeIndex, hedged: bool) -> Market:
    regimes = pd.Series(
        np.where(np.arange(len(sessions)) % 3 == 0, "HIGH_VOL", "RANGING"), sessions
    )
    return Market.of_bars(
        bars,
        sessions,
        regimes,
        sample()[2],
        bars.sessions[0],
        index=index if hedged else None,
        is_hedged=hedged,
    )


def upto(bars: BarPanel, session: pd.Timestamp) -> BarPanel:
    """Bars before the session, and an empty row for it."""
    before = bars.loc(bars.sessions[bars.sessions < session])
    return before.loc(before.sessions.union(pd.DatetimeIndex([session])))


@pytest.mark.parametrize("preset", PRESETS)
def test_60_sessions_of_signals_are_what_the_backtest_trades(preset):
    bars, index, _ = sample()
    sessions = bars.sessions[-SESSIONS:]
    chosen = rules(check(compose([f"strategy={preset}"])))
    rng = np.random.default_rng(1)
    forecasts = pd.DataFrame(
        rng.normal(0.0, 0.002, (SESSIONS, len(bars.symbols))), sessions, bars.symbols
    ).where(bars.close.shift().loc[sessions].notna())
    whole = market(bars, index, sessions, chosen.is_hedged)
    result = backtest(forecasts, whole, chosen, 100_000.0)
    traded = 0
    for number, session in enumerate(sessions):
        cut = market(
            upto(bars, session), upto(index, session), pd.DatetimeIndex([session]), chosen.is_hedged
        )
        known = Market(**{**vars(cut), "regimes": whole.regimes.loc[[session]]})
        columns = known.close.columns
        signalled = orders(
            Forecasts(forecasts.loc[[session], columns], known), chosen, result.equity.iloc[number]
        )
        wanted = signalled.drop(columns=["notional", "edge_bps", "cost_bps"])
        rows = result.ledger[result.ledger["session"] == session].reset_index(drop=True)
        got = rows.rename(columns={"shares_ordered": "shares"})[list(wanted)]
        pd.testing.assert_frame_equal(got, wanted, check_exact=True)
        traded += len(wanted)
    assert traded > 2 * SESSIONS
