"""From a store to a market and its books."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.io.bulk import stacked
from pipeline.io.providers import Delivery
from pipeline.io.store import Store
from pipeline.schemas import BAR_FIELDS, ROW, BarPanel
from pipeline.settings import Settings
from pipeline.stages import _sweep, _trading
from pipeline.stages._runner import check, compose
from pipeline.trading.performance import summary
from tests.trading.markets import random_bars

TRADED = 30


def settings(*overrides: str) -> Settings:
    small = ("strategy.min_dollar_volume=0", "strategy.min_edge_bps=0", "strategy.max_positions=3")
    return check(compose([*small, *overrides]))


def delivery(bars: BarPanel) -> Delivery:
    rows = stacked({name: getattr(bars, name) for name in BAR_FIELDS}).assign(final=True)
    nothing = pd.DataFrame(columns=[*ROW, "reason", *BAR_FIELDS])
    return Delivery(rows.dropna(), nothing, nothing[[*ROW, "reason"]])


@pytest.fixture(scope="module")
def bars() -> BarPanel:
    return random_bars(4, sessions=300)


@pytest.fixture(scope="module")
def store(bars: BarPanel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("store")
    opened = Store.open(folder / "s.db")
    index = random_bars(9, sessions=300, symbols=1)
    index = BarPanel(*(getattr(index, n).set_axis(["^IXIC"], axis=1) for n in BAR_FIELDS))
    for symbols, kind in ((bars.symbols, "stock"), (index.symbols, "index")):
        listed = pd.DataFrame(
            {"exchange": None, "sector": "X", "name": None, "kind": kind}, symbols
        )
        opened.write_symbols(listed.rename_axis("symbol").astype("str"))
    opened.write_bars(delivery(bars))
    opened.write_bars(delivery(index))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def predictions(bars: BarPanel) -> pd.Series:
    sessions = bars.sessions[-TRADED:]
    values = np.random.default_rng(2).normal(0.0, 0.01, (TRADED, len(bars.symbols)))
    return pd.DataFrame(values, sessions, bars.symbols).stack().rename_axis(ROW)


def test_a_market_knows_what_the_bars_before_each_session_say(store, bars):
    sessions = bars.sessions[-TRADED:]
    market = _trading.market(settings(), store, sessions)
    pd.testing.assert_frame_equal(market.close, bars.close.loc[sessions])
    pd.testing.assert_frame_equal(market.previous_close, bars.close.shift().loc[sessions])
    assert market.previous_session == bars.sessions[-TRADED - 1]
    assert (market.sectors == "X").all()
    assert (market.regimes == "UNKNOWN").all()
    assert market.hedge is None


@pytest.mark.parametrize(
    ("symbol", "used"), [('"^IXIC"', "^IXIC"), ("null", "UNIVERSE"), ("GOLD", "UNIVERSE")]
)
def test_the_hedge_is_the_index_that_the_store_has_or_else_the_universe(store, bars, symbol, used):
    hedged = settings("strategy.hedge=beta", f"strategy.hedge_symbol={symbol}")
    market = _trading.market(hedged, store, bars.sessions[-TRADED:])
    assert market.hedge is not None
    assert set(market.hedge["symbol"]) == {used}


def test_estimates_do_not_hang_on_how_many_sessions_are_traded(store, bars):
    hedged = settings("strategy.hedge=beta", "strategy.hedge_symbol='^IXIC'")
    whole = _trading.market(hedged, store, bars.sessions[-TRADED:])
    last = _trading.market(hedged, store, bars.sessions[-1:])
    for name in whole.known:
        pd.testing.assert_frame_equal(
            whole.known[name].iloc[-1:], last.known[name], check_exact=True
        )


def test_returns_of_some_sessions_are_those_of_a_backtest_of_them_alone(store, bars, predictions):
    market = _trading.market(settings(), store, bars.sessions[-TRADED:])
    some = bars.sessions[-20:-10]
    part = predictions[predictions.index.get_level_values("session").isin(some)]
    alone = _trading.books(settings(), part, _trading.market(settings(), store, some))
    found = _trading.net_returns(settings(), part, market)
    pd.testing.assert_series_equal(found, alone.net_returns, check_exact=True, check_freq=False)
    assert found.ne(0.0).any()


def test_several_settings_share_one_market(store, bars, predictions):
    several = [
        settings("strategy=long_short", "backtest.bankroll=20000"),
        settings("strategy=stops", "strategy.max_positions=2"),
        settings("strategy=institutional", "backtest.max_positions=5"),
    ]
    market = _trading.market(settings(), store, bars.sessions[-TRADED:])
    for asked, result in zip(
        several, _trading.several_books(several, predictions, market), strict=True
    ):
        alone = _trading.books(asked, predictions, market)
        pd.testing.assert_series_equal(result.equity, alone.equity, check_exact=True)
    metrics = summary(alone, _trading.benchmark(market))
    assert metrics["backtest/trades"] > 0


def test_a_sweep_over_hedges_trades_each_on_a_market_of_its_own(store, bars, predictions):
    swept = settings(
        "backtest.sweep={strategy.hedge:[beta,none],strategy.hedge_symbol:['^IXIC',null]}"
    )
    market = _trading.market(swept, store, bars.sessions[-TRADED:])
    several = _sweep.settings_of(swept)
    found = dict(_sweep.books(swept, several, store, predictions, market))
    assert sorted(found) == [0, 1, 2, 3]
    for number, setting in enumerate(several):
        own = _trading.market(setting.settings, store, market.sessions)
        alone = _trading.books(setting.settings, predictions, own)
        pd.testing.assert_frame_equal(found[number].ledger, alone.ledger, check_exact=True)
    assert not found[0].equity.equals(found[1].equity)
    assert found[2].equity.equals(found[3].equity)
