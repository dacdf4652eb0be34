"""Both sides of what gates answer: with trades and without, of older records, of none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData
from pipeline.gates.identity import agreement
from pipeline.gates.proven import differing_rules
from pipeline.gates.skill import activity
from pipeline.gates.version import holdout_pvalue
from pipeline.trading.forecasts import require_same_axes
from pipeline.trading.order_files import LIMIT_ON_OPEN, MARKET_ON_OPEN, Leg, tws_basket
from tests.gates.test_identity import cells, witnessed
from tests.gates.test_proven import evidenced, traded
from tests.report.made_sheet import books, market


def test_witnesses_confirm_and_none_confirm_nothing() -> None:
    panel = cells(1)
    assert agreement(witnessed(panel), panel) == 1.0
    assert math.isnan(agreement([], panel))


def test_what_an_older_record_lacks_is_not_compared() -> None:
    now, record = traded(), evidenced()
    for name, other in {"bankroll": 1.0, "regimes": "others"}.items():
        changed = record | {name: other}
        assert [line.split()[0] for line in differing_rules(now, changed)] == [name]
        del changed[name]
        assert differing_rules(now, changed) == []


def test_a_holdout_that_never_varies_has_no_p_value() -> None:
    days = pd.bdate_range("2024-01-01", periods=12, name="session")
    rows = pd.MultiIndex.from_product([days, ["A", "B", "C"]], names=["session", "symbol"])
    values = np.tile([0.0, 1.0, 2.0], 12)
    same = pd.DataFrame({"prediction": values, "intraday_return": values}, rows)
    assert math.isnan(holdout_pvalue(same, same))
    other = same.assign(intraday_return=np.random.default_rng(1).normal(size=36))
    assert math.isfinite(holdout_pvalue(other, same))


@pytest.mark.parametrize("trades", [0, 5])
def test_activity_with_trades_and_without(trades) -> None:
    opened, close = market(20)
    made = books(opened, close, trades)
    result = replace(made, ledger=made.ledger.assign(reference_price=made.ledger["open"] * 0.99))
    found = activity(result)
    assert found["backtest/trading_sessions"] == trades
    assert math.isnan(found["backtest/real_opens"]) == (trades == 0)


@pytest.mark.parametrize("kinds", [(), (MARKET_ON_OPEN,), (MARKET_ON_OPEN, LIMIT_ON_OPEN)])
def test_a_basket_has_a_block_for_each_type_that_there_is(kinds) -> None:
    text = tws_basket([Leg("A", "BUY", 5, kind, 10.0) for kind in kinds])
    assert text.count("Action,Quantity") == len(kinds)
    assert ("LmtPrice" in text) == (LIMIT_ON_OPEN in kinds)
    assert text.count("OPG,LMT,10.00") == (LIMIT_ON_OPEN in kinds)
    assert ("OPG,MKT\n" in text) == (MARKET_ON_OPEN in kinds)


def test_frames_of_one_market_and_of_another() -> None:
    opened, close = market(3)
    require_same_axes(opened, close=close)
    for other in (close.iloc[1:], close.iloc[:, 1:]):
        with pytest.raises(InvalidData, match="close"):
            require_same_axes(opened, close=other)
