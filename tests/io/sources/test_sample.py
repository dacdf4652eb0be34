"""Numbers of the embedded sample, counted by hand in its file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.io.sources.protocol import EVERY_SYMBOL
from pipeline.io.sources.sample import (
    ACTIONS,
    PRICES,
    Action,
    Sample,
    _stock_bars,
    adjusted,
    faults,
)
from pipeline.io.store.events import price_factor
from pipeline.schemas import BAR_FIELDS, ROW, SYMBOL


@pytest.fixture(scope="module")
def sample():
    return Sample()


@pytest.fixture(scope="module")
def delivery(sample):
    return sample.bars()


def a_bar(**changed):
    """One good bar as delivered; enough like it that none is a partial session."""
    bar = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 1e6}
    sessions = pd.date_range("2010-01-04", periods=3)
    bars = pd.DataFrame([bar] * 3).assign(session=sessions, symbol="A")
    return bars.assign(**{name: [value, bar[name], bar[name]] for name, value in changed.items()})


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, ""),
        ({"open": 0.0}, "price not positive"),
        ({"close": float("nan")}, "price not positive"),
        ({"high": 10.9}, "high below another price"),
        ({"low": 10.1}, "low above another price"),
        ({"volume": 999.0}, "implausible volume"),
        ({"volume": 1000.0}, ""),
        ({"high": 10.9, "low": 10.95}, "high below another price"),
    ],
)
def test_each_rule_of_cleaning_names_its_reason(changed, reason):
    assert faults(a_bar(**changed)).iloc[0] == reason


def test_a_session_with_less_than_nine_tenths_of_the_symbols_is_left_out_whole():
    whole = pd.concat([a_bar().assign(symbol=f"S{i}") for i in range(10)], ignore_index=True)
    partial = whole.drop(index=[0, 3])

    left_out = partial[faults(partial) == "partial session"]

    assert len(left_out) == 8
    assert left_out["session"].unique() == pd.Timestamp("2010-01-04")


def test_an_action_multiplies_only_earlier_bars_of_its_symbol():
    bars = pd.concat([a_bar(), a_bar().assign(symbol="B")]).set_index(ROW).sort_index()

    after = adjusted(bars, [Action("A", "2010-01-05", 0.5, 2)])

    close = after["close"].unstack()
    assert close["A"].tolist() == [5.5, 11, 11]
    assert close["B"].tolist() == [11, 11, 11]
    assert after["volume"].unstack()["A"].tolist() == [2e6, 1e6, 1e6]


def test_bars_sessions_and_symbols_are_those_counted_in_the_file(delivery):
    assert len(delivery.bars) == 122_574 - 487
    assert len(delivery.bars.index.unique("session")) == 245 - 1
    assert len(delivery.bars.index.unique("symbol")) == 524 - 3  # three only changed their ticker
    assert delivery.bars["final"].all()
    assert delivery.bars.index.is_unique
    assert delivery.bars.index.is_monotonic_increasing


def test_quarantine_counts_every_bar_that_broke_a_rule(delivery):
    assert delivery.quarantine["reason"].value_counts().to_dict() == {
        "partial session": 408,
        "high below another price": 44,
        "low above another price": 34,
        "implausible volume": 1,
    }


def test_the_missing_and_the_partial_session_are_gaps_of_all_symbols(delivery):
    whole = delivery.gaps[delivery.gaps[SYMBOL] == EVERY_SYMBOL]

    days = whole.groupby("reason")["session"].agg(lambda s: s.dt.strftime("%m-%d").tolist())

    assert days["session quarantined"] == ["11-12"]
    assert days["session missing"] == [
        "09-08", "10-29", "10-30", "11-02", "11-03", "11-04", "08-18",
    ]  # fmt: skip


def test_a_gap_lies_inside_its_symbols_life_and_was_not_delivered(delivery):
    gaps = delivery.gaps[delivery.gaps["reason"] == "bar missing"]
    sessions = delivery.bars.reset_index().groupby(SYMBOL)["session"].agg(["min", "max"])

    life = sessions.loc[gaps[SYMBOL]].reset_index(drop=True)

    assert (gaps["session"].to_numpy() > life["min"].to_numpy()).all()
    assert (gaps["session"].to_numpy() < life["max"].to_numpy()).all()
    assert not gaps.set_index(ROW).index.isin(delivery.bars.index).any()
    assert not gaps.set_index(ROW).index.isin(delivery.quarantine.set_index(ROW).index).any()


def test_volume_is_in_shares(delivery):
    first = delivery.bars.loc[(pd.Timestamp("2009-08-21"), "A")]
    assert first[list(BAR_FIELDS)].tolist() == [25.6, 25.61, 25.22, 25.55, 3_475_800]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.symbol)
def test_returns_across_an_action_are_ordinary(delivery, action):
    close = delivery.bars["close"].xs(action.symbol, level=SYMBOL)

    across = close.pct_change().loc[action.ex_session]

    assert abs(across) < 0.10


def test_prices_before_a_split_lead_back_to_those_that_were_quoted(delivery):
    days = pd.DatetimeIndex(delivery.bars.index.unique("session"))
    splits = delivery.actions.rename(columns={"split": "ratio"})
    factor = price_factor(splits, days)
    given = _stock_bars().set_index(ROW)["close"]
    assert set(factor) == {action.symbol for action in ACTIONS if action.volume != 1}
    for name in factor:
        close = delivery.bars["close"].xs(name, level=SYMBOL)
        quoted = given.xs(name, level=SYMBOL).reindex(close.index)
        np.testing.assert_allclose(close * factor[name].reindex(close.index), quoted)
    listed = set(delivery.bars.index.unique(SYMBOL))
    assert listed - delivery.all_splits == {"WY", "STR", "CAH"}  # prices without distributions


def test_a_company_that_changed_its_ticker_keeps_one_history(sample, delivery):
    etfc = delivery.bars.xs("ETFC", level=SYMBOL)
    assert len(etfc) == 220 + 20
    assert etfc["close"].pct_change().abs().max() < 0.2
    assert "ETFCD" not in sample.symbols().index


def test_dots_in_tickers_are_written_as_yahoo_does(sample):
    symbols = sample.symbols()
    assert {"BRK-B", "BF-B", "VIA-B"} <= set(symbols.index)
    assert not symbols.index.str.contains(".", regex=False).any()
    assert symbols.loc["BRK-B", "sector"] == "Financials"


def test_sectors_are_known_for_most_symbols_and_exchanges_for_none(sample):
    stocks = sample.symbols().query("kind == 'stock'")
    assert stocks["sector"].notna().sum() == 442
    assert stocks["exchange"].isna().all()


def test_index_bars_reach_back_to_1999_and_never_past_the_stocks(sample):
    bars = sample.index_bars().bars
    assert bars.index.unique(SYMBOL).tolist() == ["^GSPC", "^IXIC"]
    assert bars.index[0][0] == pd.Timestamp("1999-01-04")
    assert bars.index[-1][0] == sample.last_session() == pd.Timestamp("2010-08-20")


def test_a_request_for_some_symbols_and_sessions_gets_only_those(sample):
    part = sample.bars(["A", "C"], pd.Timestamp("2009-12-16"), pd.Timestamp("2009-12-18"))

    assert part.bars.index.unique(SYMBOL).tolist() == ["A", "C"]
    assert len(part.bars) == 5
    assert part.quarantine[["symbol", "reason"]].to_numpy().tolist() == [
        ["C", "implausible volume"]
    ]
    assert part.gaps.empty


def test_no_bar_that_was_kept_breaks_a_price_rule(delivery):
    prices = delivery.bars[list(PRICES)]
    assert (prices > 0).all(axis=None)
    assert (prices["high"] >= prices.max(axis=1)).all()
    assert (prices["low"] <= prices.min(axis=1)).all()
