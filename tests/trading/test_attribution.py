from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.trading import attribution
from pipeline.trading.ledger import LEDGER_DTYPES

DAYS = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04"]).as_unit("us")
SECTORS = pd.Series({"A": "Energy", "B": math.nan, "C": "Energy"}, dtype="str")
REGIMES = pd.Series(["RANGING", "HIGH_VOL", "HIGH_VOL"], DAYS)


def ledger(*rows: dict[str, object]) -> pd.DataFrame:
    """Long fills of 10 shares from 10.00 that cost 1.00 each, unless a row says otherwise."""
    usual = {
        "session": DAYS[0], "symbol": "A", "leg": "position", "side": "long", "prediction": 0.01,
        "rank": 1,
        "weight": 1.0, "shares_ordered": 10.0, "shares_filled": 10.0, "reason": "", "open": 10.0,
        "exit_price": 10.0, "gross_pnl": 0.0, "commission": 1.0, "slippage": 0.0, "net_pnl": -1.0,
        "equity_before": 1000.0,
    }  # fmt: skip
    return pd.DataFrame([usual | row for row in rows], columns=list(LEDGER_DTYPES)).astype(
        LEDGER_DTYPES
    )


THREE = ledger(
    {"gross_pnl": 6.0, "net_pnl": 5.0, "exit_price": 10.6},
    {"session": DAYS[1], "symbol": "B", "gross_pnl": -3.0, "net_pnl": -4.0, "exit_price": 9.7},
    {"session": DAYS[1], "symbol": "Z", "shares_filled": 0.0, "reason": "no open"},
    {"session": DAYS[2], "symbol": "C", "gross_pnl": 1.0, "net_pnl": 0.0, "exit_price": 10.1},
)


def test_a_trade_is_what_was_filled_and_earns_on_its_notional():
    made = attribution.trades(THREE, REGIMES, SECTORS)
    assert made["symbol"].tolist() == ["A", "B", "C"]
    assert made["gross_return"].tolist() == pytest.approx([0.06, -0.03, 0.01])
    assert made["net_return"].tolist() == pytest.approx([0.05, -0.04, 0.0])
    assert made["regime"].tolist() == ["RANGING", "HIGH_VOL", "HIGH_VOL"]
    assert made["sector"].tolist() == ["Energy", "unknown", "Energy"]
    assert made["weekday"].tolist() == ["Tuesday", "Wednesday", "Thursday"]


def trades(wins: dict[int, list[bool]]) -> pd.DataFrame:
    """Trades by day of January 2024, each earning or losing 1 %."""
    rows = [(pd.Timestamp(2024, 1, day), won) for day, each in wins.items() for won in each]
    session, won = zip(*rows, strict=True)
    pnl = np.where(won, 1.0, -1.0)
    return pd.DataFrame(
        {"session": session, "net_pnl": pnl, "net_return": pnl / 100, "sector": "Energy"}
    )


def test_the_interval_of_a_hit_rate_counts_sessions_not_trades():
    """Ten sessions of 4 trades, alternately all won and all lost.

    Each session's surplus over half of 4 is 2: error = sqrt(10 x 2^2 x 10 / 9) / 40 = 1 / 6.
    As if all 40 were independent it would be sqrt(0.25 / 40) = 0.079.
    """
    made = trades({day: [day % 2 == 0] * 4 for day in range(1, 11)})
    row = attribution.hit_rates(made, "sector").loc["Energy"]
    assert row["trades"] == 40
    assert row["sessions"] == 10
    assert row["hit_rate"] == 0.5
    assert row["mean_net_return"] == pytest.approx(0.0)
    assert row["low"] == pytest.approx(0.5 - 1.96 / 6)
    assert row["high"] == pytest.approx(0.5 + 1.96 / 6)


def test_a_group_of_few_sessions_has_no_interval():
    row = attribution.hit_rates(trades({1: [True, False], 2: [True]}), "sector").loc["Energy"]
    assert row["hit_rate"] == pytest.approx(2 / 3)
    assert row[["low", "high"]].isna().all()


def test_a_trade_that_only_pays_its_costs_is_no_hit():
    made = attribution.trades(THREE, REGIMES, SECTORS)
    table = attribution.hit_rates(made, "sector")
    assert table["hit_rate"].to_dict() == {"Energy": 0.5, "unknown": 0.0}
    assert table["mean_net_return"].tolist() == pytest.approx([0.025, -0.04])


def test_groups_come_by_size_and_weekdays_in_their_order():
    made = attribution.trades(THREE, REGIMES, SECTORS)
    assert attribution.hit_rates(made, "regime").index.tolist() == ["HIGH_VOL", "RANGING"]
    days = ["Tuesday", "Wednesday", "Thursday"]
    assert attribution.hit_rates(made, "weekday").index.tolist() == days


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 28), st.booleans()), min_size=1, max_size=80))
def test_groups_add_up_to_all_trades_and_intervals_hold_their_rate(rows):
    wins: dict[int, list[bool]] = {}
    for day, won in rows:
        wins.setdefault(day, []).append(won)
    made = trades(wins)
    made["weekday"] = made["session"].dt.day_name()
    table = attribution.hit_rates(made, "weekday")
    assert table["trades"].sum() == len(made)
    assert (table["trades"] * table["hit_rate"]).sum() == pytest.approx((made["net_pnl"] > 0).sum())
    known = table.dropna()
    assert ((known["low"] <= known["hit_rate"]) & (known["hit_rate"] <= known["high"])).all()


def test_without_trades_there_are_no_groups():
    made = attribution.trades(THREE.iloc[:0], REGIMES, SECTORS)
    assert made.empty
    assert attribution.hit_rates(made, "sector").empty
    assert attribution.extreme_trades(made, 5).empty
    assert math.isnan(attribution.distribution(made["net_return"])["mean"])


def test_extremes_are_the_best_and_the_worst_each_once():
    made = pd.DataFrame({"net_return": [0.02, -0.05, 0.07, 0.01, -0.01]})
    both = attribution.extreme_trades(made, 2)
    assert both["net_return"].tolist() == [0.07, 0.02, -0.01, -0.05]
    assert both["place"].tolist() == [1, 2, 4, 5]
    assert attribution.extreme_trades(made, 4)["place"].tolist() == [1, 2, 3, 4, 5]


def wide(*rows: list[float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), DAYS[: len(rows)], list("ABCD")[: len(rows[0])])


def test_groups_of_forecasts_earn_their_return_over_the_sessions_mean():
    forecasts = wide([1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0])
    returns = wide([0.00, 0.02, 0.04, 0.06], [0.01, 0.01, 0.00, 0.00])
    table = attribution.decile_returns(forecasts, returns, groups=2)
    assert table[1].tolist() == pytest.approx([-0.02, -0.005])
    assert table[2].tolist() == pytest.approx([0.02, 0.005])


def test_a_symbol_without_return_or_forecast_is_in_no_group():
    forecasts = wide([1.0, 2.0, 3.0, math.nan])
    returns = wide([0.01, math.nan, 0.03, 9.0])
    table = attribution.decile_returns(forecasts, returns, groups=2)
    assert table.iloc[0].tolist() == pytest.approx([-0.01, 0.01])


def test_a_session_that_cannot_fill_every_group_is_left_out():
    forecasts = wide([1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 2.0, 3.0], [1.0, 1.0, 2.0, 2.0])
    returns = wide([0.1] * 4, [0.0, 0.1, 0.1, 0.2], [0.0, 0.0, 0.1, 0.1])
    table = attribution.decile_returns(forecasts, returns, groups=2)
    # Equal forecasts share a rank: in the second session B and C, at 2.5 of 4, are both above.
    assert table.index.tolist() == [DAYS[1], DAYS[2]]
    assert table.loc[DAYS[1]].tolist() == pytest.approx([-0.1, 0.1 / 3])


@settings(max_examples=50)
@given(st.lists(st.integers(-9, 9), min_size=20, max_size=20), st.permutations(list(range(20))))
def test_the_order_of_symbols_and_the_scale_of_forecasts_change_nothing(values, order):
    forecasts = pd.DataFrame([values], DAYS[:1], dtype="float64")
    returns = pd.DataFrame([np.arange(20) / 1000.0], DAYS[:1])
    table = attribution.decile_returns(forecasts, returns, groups=2)
    moved = attribution.decile_returns(3.0 * forecasts[order] + 1.0, returns[order], groups=2)
    np.testing.assert_allclose(table, moved, atol=1e-15)


def test_a_mean_over_sessions_has_students_interval():
    table = attribution.session_means(pd.DataFrame({"x": [1.0, 2.0, 3.0]}))
    # Deviation 1, error 1 / sqrt(3); Student's 97.5 % quantile with 2 degrees of freedom 4.3027.
    row = table.loc["x"]
    assert row["mean"] == 2.0
    assert row["high"] - 2.0 == 2.0 - row["low"] == pytest.approx(4.302653 / math.sqrt(3))
    assert attribution.session_means(pd.DataFrame({"x": [1.0]}))["low"].isna().all()


def test_a_distribution_by_hand():
    shape = attribution.distribution(pd.Series([-0.01, 0.0, 0.01, 0.02, 0.03]))
    assert shape.to_dict() == pytest.approx(
        {
            "count": 5, "mean": 0.01, "deviation": math.sqrt(0.001 / 4), "skewness": 0.0,
            "minimum": -0.01, "low": -0.008, "median": 0.01, "high": 0.028, "maximum": 0.03,
        },
        abs=1e-12,
    )  # fmt: skip
