"""Every line of robustness: by hand on a few numbers, and by a plain walk through random ones."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import mean, stdev
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.recipe.robustness import robustness
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules

BANKROLL = 1e10
"""So much that rounding to cents is below what the tests look at."""

DEAR: dict[str, Any] = {
    "commission_bps": 3.0,
    "commission_per_share": 0.01,
    "commission_minimum": 1.0,
    "slippage_bps": 7.0,
    "spread_fraction": 0.5,
    "impact": 0.1,
    "borrow_bps_a_year": 300.0,
}
"""Costs that robustness replaces; the markets here do not even know what some are made of."""


def rules(**changes: Any) -> Rules:
    plain = {
        "sides": "long", "rank_by": "edge", "min_edge_bps": 0.0, "min_dollar_volume": 0.0,
        "max_positions": 1, "max_sector_positions": None, "regime_positions": {},
        "weights": "equal", "max_position_fraction": 0.5, "max_participation": None,
        "whole_shares": False, "hedge": "none", "hedge_symbol": None, "hedge_bps": 0.0,
        "limit_bps": None, "stop_atr": None, "target_atr": None, "commission_maximum": None,
        "max_gross": None,
    }  # fmt: skip
    return Rules(**{**plain, **DEAR, **changes})


def frame(values: Any) -> pd.DataFrame:
    array = np.array(values, dtype="float64")
    days = pd.bdate_range("2024-01-01", periods=len(array), name="session").as_unit("us")
    return pd.DataFrame(array, days, pd.Index(list("ABCDEFGH")[: array.shape[1]], name="symbol"))


def rows(values: Any) -> pd.Series:
    """Rows by session and symbol; None and NaN are none."""
    return frame(values).stack().dropna()


def market_of(opened: Any, closed: Any, previous: Any) -> Market:
    opened, closed, previous = frame(opened), frame(closed), frame(previous)
    return Market(
        open=opened,
        high=np.maximum(opened, closed),
        low=np.minimum(opened, closed),
        close=closed,
        volume=opened * 0.0 + 1e6,
        regimes=pd.Series("RANGING", opened.index),
        known={"previous_close": previous},
        sectors=pd.Series(dtype="str"),
        previous_session=opened.index[0] - pd.Timedelta(days=1),
    )


def flat(like: pd.Series) -> Market:
    """A market on which nothing ever moves."""
    wide = like.unstack()
    prices = np.full(wide.shape, 100.0)
    return market_of(prices, prices, prices)


def lines(returns: pd.Series, predicted: pd.Series, market: Market, **changes: Any) -> dict:
    metrics = robustness(rules(**changes), BANKROLL, returns, predicted, market)
    assert all(name.startswith("robustness/") for name in metrics)
    return {name.removeprefix("robustness/"): value for name, value in metrics.items()}


def test_the_lines_there_are():
    some = rows([[0.01, 0.02], [0.02, 0.01]])
    assert list(lines(some, some, flat(some))) == [
        "ic_1_old", "ic_5_old", "ic_overnight", "ic_close_to_close", "top_bps",
        "sharpe_5bp", "return_5bp", "sharpe_10bp", "return_10bp", "sharpe_20bp", "return_20bp",
    ]  # fmt: skip


def test_forecasts_one_session_old_are_those_of_the_session_before():
    # Each session's returns rank as the forecasts of the session before and, but for the first
    # session, as the opposite of its own and of the next one's.
    predicted = rows([[1, 2, 3], [3, 2, 1], [3, 2, 1]])
    returns = rows([[1, 2, 3], [1, 2, 3], [3, 2, 1]])
    assert lines(returns, predicted, flat(predicted))["ic_1_old"] == pytest.approx(1.0)


def test_forecasts_five_sessions_old_are_those_of_five_sessions_before():
    # Session 6 alone has them: (1, 2, 3) against (1, 3, 2), squared rank differences 0, 1, 1,
    # 1 - 6 x 2 / (3 x 8) = 0.5. Session 1 with the forecasts of session 6 would be -1.
    predicted = rows([[1, 2, 3], *[[3, 2, 1]] * 4, [3, 2, 1]])
    returns = rows([*[[1, 2, 3]] * 5, [1, 3, 2]])
    assert lines(returns, predicted, flat(predicted))["ic_5_old"] == pytest.approx(0.5)


def test_too_few_sessions_have_no_old_forecasts():
    five = rows([[1, 2, 3]] * 5)
    found = lines(five, five, flat(five))
    assert math.isnan(found["ic_5_old"])
    assert found["ic_1_old"] == pytest.approx(1.0)


def test_skill_of_the_other_returns_of_the_same_session():
    predicted = rows([[1, 2, 3], [3, 1, 2]])
    market = market_of(
        opened=[[103, 102, 101], [97, 99, 98]],  # overnight: the opposite of the forecasts
        closed=[[101, 103, 102], [102, 101, 103]],  # whole: (1, 3, 2) and (2, 1, 3)
        previous=[[100, 100, 100]] * 2,
    )
    found = lines(predicted, predicted, market)
    assert found["ic_overnight"] == pytest.approx(-1.0)
    assert found["ic_close_to_close"] == pytest.approx(0.5)  # 1 - 6 x 2 / 24, twice


def test_other_returns_start_at_the_previous_close():
    predicted = rows([[1, 2, 3], [3, 2, 1]])
    market = market_of(
        opened=[[110, 110, 110]] * 2,
        closed=[[120, 120, 120]] * 2,
        previous=[[103, 102, 101], [101, 102, 103]],  # the lower, the higher the return
    )
    found = lines(predicted, predicted, market)
    assert found["ic_overnight"] == pytest.approx(1.0)
    assert found["ic_close_to_close"] == pytest.approx(1.0)


@pytest.mark.parametrize(("positions", "bps"), [(1, 200.0), (2, 25.0), (3, 0.0)])
def test_the_best_forecasts_over_the_mean_of_all(positions, bps):
    # Session 1, mean 4 %, best first 9, 1, 2: +500 bp for one, +100 for two.
    # Session 2, mean 1 %, best first 0, 1, 2: -100 bp for one, -50 for two.
    returns = rows([[0.01, 0.02, 0.09], [0.02, 0.01, 0.00]])
    predicted = rows([[2, 1, 3], [1, 2, 3]])
    found = lines(returns, predicted, flat(predicted), max_positions=positions)
    assert found["top_bps"] == pytest.approx(bps, abs=1e-9)


@pytest.mark.parametrize(
    ("bps", "first", "second"),
    [
        # Half of equity at 100 in and 101 out, then 100 in and out; a side costs bps / 2.
        (5, 0.5 * (0.01 - 0.00025 * 2.01), 0.5 * -0.00025 * 2),
        (10, 0.5 * (0.01 - 0.0005 * 2.01), 0.5 * -0.0005 * 2),
        (20, 0.5 * (0.01 - 0.001 * 2.01), 0.5 * -0.001 * 2),
    ],
)
def test_net_results_at_another_cost_of_a_round_trip(bps, first, second):
    predicted = rows([[0.01, 0.0], [0.01, 0.0]])
    market = market_of([[100, 100]] * 2, [[101, 90], [100, 90]], [[100, 100]] * 2)
    found = lines(predicted, predicted, market)
    assert found[f"return_{bps}bp"] == pytest.approx((1 + first) * (1 + second) - 1, abs=1e-10)
    # Of two values a and b: mean (a + b) / 2, standard deviation |a - b| / sqrt(2).
    sharpe = (first + second) / 2 / (abs(first - second) / math.sqrt(2)) * math.sqrt(252)
    assert found[f"sharpe_{bps}bp"] == pytest.approx(sharpe, abs=1e-6)


def test_where_costs_are_the_hurdle_a_dearer_round_trip_trades_less():
    predicted = rows([[0.0015], [0.0007]])  # 15 and 7 basis points
    market = market_of([[100]] * 2, [[101]] * 2, [[100]] * 2)
    found = lines(predicted, predicted, market, min_edge_bps=None)
    both, one = ((1 + 0.5 * (0.01 - s * 2.01)) for s in (0.00025, 0.0005))
    assert found["return_5bp"] == pytest.approx(both**2 - 1, abs=1e-10)
    assert found["return_10bp"] == pytest.approx(one - 1, abs=1e-10)
    assert found["return_20bp"] == 0.0
    assert math.isnan(found["sharpe_20bp"])


def test_no_other_cost_than_the_round_trip_is_charged():
    rng = np.random.default_rng(2)
    predicted = rows(rng.normal(0.0, 0.01, (6, 4)))
    opened = 100 + rng.normal(0.0, 1.0, (6, 4))
    market = market_of(opened, opened + rng.normal(0.0, 1.0, (6, 4)), np.full((6, 4), 100.0))
    both = {"sides": "long_short", "max_positions": 2}
    dear = lines(predicted, predicted, market, **both)
    free = lines(predicted, predicted, market, **both, **dict.fromkeys(DEAR, 0.0))
    assert dear == free


def test_sessions_that_are_not_predicted_are_not_traded():
    predicted = rows([[0.01], [0.01], [0.01], [0.01]]).iloc[1:3]
    market = market_of([[100]] * 4, [[90], [101], [100], [90]], [[100]] * 4)
    alone = market.at(pd.DatetimeIndex(predicted.index.get_level_values("session")))
    assert lines(predicted, predicted, market) == lines(predicted, predicted, alone)


# The same by a plain walk through every row.


def ranks(values: list[float]) -> list[float]:
    return [sum(w < v for w in values) + (sum(w == v for w in values) + 1) / 2 for v in values]


def spearman(pairs: list[tuple[float, float]]) -> float:
    if len(pairs) < 2:
        return math.nan
    x, y = (ranks(list(side)) for side in zip(*pairs, strict=True))
    if len(set(x)) == 1 or len(set(y)) == 1:
        return math.nan
    return float(np.corrcoef(x, y)[0, 1])


def known_mean(values: Iterable[float]) -> float:
    return mean(value for value in values if not math.isnan(value))


Table = list[dict[str, float]]
"""By session and symbol; a row that is missing has no key."""


def table(values: pd.DataFrame) -> Table:
    return [row.dropna().to_dict() for _, row in values.iterrows()]


def old_ic(returns: Table, predicted: Table, age: int) -> float:
    days = zip(returns[age:], predicted, strict=False)
    return known_mean(spearman([(r[s], old[s]) for s in r if s in old]) for r, old in days)


def same_session_ic(other: Table, returns: Table, predicted: Table) -> float:
    days = zip(other, returns, predicted, strict=True)
    return known_mean(spearman([(o[s], p[s]) for s in r]) for o, r, p in days)


def top_bps(returns: Table, predicted: Table, count: int) -> float:
    over = []
    for known, forecasts in zip(returns, predicted, strict=True):
        best = sorted(known, key=lambda s, f=forecasts: -f[s])[:count]
        over.append(mean(known[s] for s in best) - mean(known.values()))
    return 1e4 * mean(over)


def net_returns(predicted: Table, prices: dict[str, Table], count: int, bps: float) -> list[float]:
    net = []
    for t, forecasts in enumerate(predicted):
        worth = [s for s in forecasts if forecasts[s] > bps / 1e4]
        total = 0.0
        for s in sorted(worth, key=lambda s, f=forecasts: -f[s])[:count]:
            opened, closed = prices["open"][t][s], prices["close"][t][s]
            shares = 0.2 / prices["previous"][t][s]
            total += shares * (closed - opened - bps / 2e4 * (opened + closed))
        net.append(total)
    return net


@pytest.mark.parametrize("seed", range(6))
def test_all_lines_agree_with_a_plain_walk_through_the_rows(seed):
    rng = np.random.default_rng(seed)
    shape, count = (9, 6), 2
    previous = rng.uniform(20.0, 200.0, shape)
    opened = previous * np.exp(rng.normal(0.0, 0.02, shape))
    closed = opened * np.exp(rng.normal(0.0, 0.03, shape))
    forecast = frame(rng.normal(0.0, 0.002, shape)).where(rng.random(shape) > 0.15)
    returns = frame(closed / opened - 1).where(forecast.notna() & (rng.random(shape) > 0.1))
    market = market_of(opened, closed, previous)
    found = lines(
        returns.stack().dropna(), forecast.stack().dropna(), market,
        max_positions=count, max_position_fraction=0.2, min_edge_bps=None,
    )  # fmt: skip

    known, predicted = table(returns), table(forecast)
    expected = {
        "ic_1_old": old_ic(known, predicted, 1),
        "ic_5_old": old_ic(known, predicted, 5),
        "ic_overnight": same_session_ic(table(frame(opened / previous)), known, predicted),
        "ic_close_to_close": same_session_ic(table(frame(closed / previous)), known, predicted),
        "top_bps": top_bps(known, predicted, count),
    }
    prices = {"open": opened, "close": closed, "previous": previous}
    tables = {name: table(frame(values)) for name, values in prices.items()}
    for bps in (5, 10, 20):
        net = net_returns(predicted, tables, count, bps)
        expected[f"sharpe_{bps}bp"] = mean(net) / stdev(net) * math.sqrt(252)
        expected[f"return_{bps}bp"] = math.prod(1 + r for r in net) - 1
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)
