from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData
from pipeline.schemas import BarPanel
from pipeline.trading import hedging
from pipeline.trading.backtest import backtest
from pipeline.trading.market import Market
from tests.trading.markets import Case, one_session, random_bars, replaced


def index_bars(days: pd.DatetimeIndex, stale_every: int | None = None) -> BarPanel:
    """An index that gains 0.2 % overnight and 0.1 % until the close; some opens are copies."""
    closes = 1000.0 * 1.003 ** np.arange(len(days))
    opened = closes / 1.001
    if stale_every:
        copied = np.arange(len(days)) % stale_every == 0
        opened = np.where(copied, closes / 1.003, opened)
    frames = [pd.DataFrame({"^IXIC": values}, days) for values in (opened, closes)]
    return BarPanel(frames[0], frames[1], frames[0], frames[1], frames[1])


def test_without_an_index_the_universe_is_the_mean_of_what_traded():
    bars = random_bars(3)
    found = hedging.instrument(bars)
    day = bars.sessions[50]
    mean = (bars.close / bars.open - 1.0).loc[day].mean()
    assert found.loc[day, ["symbol", "reference", "open"]].tolist() == ["UNIVERSE", 100.0, 100.0]
    assert found.loc[day, "close"] == pytest.approx(100.0 * (1.0 + mean))


@pytest.mark.parametrize(
    ("stale_every", "symbol"), [(None, "^IXIC"), (25, "^IXIC"), (10, "UNIVERSE")]
)
def test_an_index_whose_open_copies_its_close_is_not_traded(stale_every, symbol):
    days = pd.bdate_range("2022-01-03", periods=400, name="session").as_unit("us")
    bars = random_bars(3).loc(days)
    found = hedging.instrument(bars, index_bars(days, stale_every))
    assert found["symbol"].iloc[-1] == symbol
    assert found["symbol"].iloc[100] == "UNIVERSE"  # too few opens to tell


def test_the_next_session_has_a_price_to_size_on_but_none_to_fill():
    days = pd.bdate_range("2022-01-03", periods=400, name="session").as_unit("us")
    following = days.union(pd.DatetimeIndex([days[-1] + pd.Timedelta(days=3)]).as_unit("us"))
    last = hedging.instrument(random_bars(3).loc(following), index_bars(days)).iloc[-1]
    assert last["symbol"] == "^IXIC"
    assert last["reference"] == index_bars(days).close.iloc[-1, 0]
    assert np.isnan(last["open"])


@pytest.fixture
def two_longs() -> Case:
    """500 of A and of B at 10 and 20; the index is at 200, then 202 and 204.02 (+1 %)."""
    case = one_session(
        previous_close=[10.0, 20.0], open=[10.0, 20.0], close=[11.0, 20.0], beta=[1.0, 2.0]
    )
    hedge = pd.DataFrame(
        {"symbol": "^IXIC", "reference": 200.0, "open": 202.0, "close": 204.02},
        case.predictions.index,
    )
    return Case(case.predictions, replaced(case.market, hedge=hedge))


def test_a_dollar_hedge_sells_as_much_as_is_held_and_halves_it(rules, two_longs):
    result = backtest(*two_longs.both, rules(hedge="dollar", hedge_bps=10.0), 1000.0)
    ledger = result.ledger.set_index("symbol")
    assert ledger["weight"].tolist() == [0.25, 0.25, 0.5]
    assert ledger["leg"].tolist() == ["position", "position", "hedge"]
    assert ledger.loc["^IXIC", ["side", "rank"]].tolist() == ["short", 3]
    assert ledger["shares_ordered"].tolist() == [25.0, 12.5, 2.5]
    # 505 of the index would be sold for the 499.495 that 500 of cash pay for with costs of 0.1 %.
    assert ledger.loc["^IXIC", "reason"] == "cash"
    assert ledger["gross_pnl"].tolist() == pytest.approx([25.0, 0.0, -4.99], abs=0.01)
    assert ledger.loc["^IXIC", "commission"] == pytest.approx(1.00, abs=0.011)


def test_a_beta_hedge_sells_the_betas_of_what_is_held(rules, two_longs):
    ledger = backtest(*two_longs.both, rules(hedge="beta"), 1000.0).ledger.set_index("symbol")
    # Weights 0.5 and 0.5, betas 1 and 2: 1.5 to sell, 2.5 in all.
    assert ledger["weight"].tolist() == pytest.approx([0.2, 0.2, 0.6])
    assert ledger["shares_ordered"].tolist() == pytest.approx([20.0, 10.0, 3.0])


def test_a_hedge_that_has_no_bar_leaves_the_positions_alone(rules, two_longs):
    hedge = two_longs.market.hedge.assign(open=np.nan)
    case = Case(two_longs.predictions, replaced(two_longs.market, hedge=hedge))
    ledger = backtest(*case.both, rules(hedge="dollar"), 1000.0).ledger
    assert ledger["reason"].tolist() == ["", "", "no open"]


def test_nothing_held_needs_no_hedge(rules, two_longs):
    idle = Case(two_longs.predictions * np.nan, two_longs.market)
    assert backtest(*idle.both, rules(hedge="dollar"), 1000.0).ledger.empty


def test_a_market_made_without_a_hedge_is_refused(rules):
    case = one_session(previous_close=[10.0], open=[10.0], close=[11.0])
    with pytest.raises(InvalidData, match="without a hedge"):
        backtest(*case.both, rules(hedge="dollar"), 1000.0)


def test_a_market_of_bars_hedges_with_what_was_known_before(rules):
    bars = random_bars(5)
    regimes = pd.Series("RANGING", bars.sessions)
    sessions = bars.sessions[80:]
    market = Market.of_bars(
        bars, sessions, regimes, pd.Series(dtype="str"), bars.sessions[79], is_hedged=True
    )
    predictions = pd.DataFrame(0.01, sessions, bars.symbols)
    ledger = backtest(predictions, market, rules(hedge="beta"), 10_000.0).ledger
    legs = ledger[ledger["leg"] == "hedge"]
    assert len(legs) == len(sessions)
    assert (legs["side"] == "short").all()
    assert (legs["symbol"] == "UNIVERSE").all()
