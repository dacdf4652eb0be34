from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stats.inference import sharpe_error
from pipeline.stats.returns import sharpe, total_return
from pipeline.trading.backtest import Backtest
from pipeline.trading.periods import (
    monthly_returns,
    rolling_sharpe,
    sharpe_interval_by_lo,
    yearly_results,
)


def by_day(*returns: float, start: str = "2024-01-02") -> pd.Series:
    return pd.Series(returns, pd.bdate_range(start, periods=len(returns)), dtype="float64")


def test_months_are_compounded_and_a_month_without_sessions_is_unknown():
    days = pd.DatetimeIndex(["2023-11-30", "2024-01-02", "2024-01-03", "2024-03-01"])
    table = monthly_returns(pd.Series([0.05, 0.10, -0.20, 0.50], days))
    assert table.index.tolist() == [2023, 2024]
    assert table.loc[2023, 11] == table.loc[2023, "year"] == pytest.approx(0.05)
    assert table.loc[2024, 1] == pytest.approx(1.1 * 0.8 - 1)
    assert math.isnan(table.loc[2024, 2])
    assert table.loc[2024, "year"] == pytest.approx(1.1 * 0.8 * 1.5 - 1)


@settings(max_examples=50)
@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=300))
def test_years_compound_to_the_whole(returns):
    series = by_day(*returns)
    table = monthly_returns(series)
    assert (1 + table["year"]).prod() == pytest.approx(1 + total_return(series))
    assert (1 + table.drop(columns="year")).prod().prod() == pytest.approx(1 + total_return(series))


def test_a_rolling_sharpe_is_that_of_its_own_window_with_the_interval_of_lo():
    returns = by_day(0.01, 0.03, 0.02, -0.02)
    table = rolling_sharpe(returns, 3)
    # First window: mean 0.02, deviation 0.01, so 2 a session; error sqrt((1 + 2^2 / 2) / 3) = 1.
    assert table.index.tolist() == returns.index[2:].tolist()
    first = table.iloc[0] / math.sqrt(252)
    assert first.tolist() == pytest.approx([2.0, 2.0 - 1.96, 2.0 + 1.96])
    assert table["sharpe"].iloc[1] == pytest.approx(sharpe(returns.iloc[1:]))


def test_a_rolling_sharpe_is_unknown_where_nothing_varied():
    table = rolling_sharpe(by_day(0.02, -0.01, 0.0, 0.0, 0.0), 3)
    assert table.notna().all(axis=1).tolist() == [True, True, False]


def test_there_is_no_rolling_sharpe_before_the_first_full_window():
    assert rolling_sharpe(by_day(0.01, 0.02), 3).empty
    assert rolling_sharpe(by_day(0.01, 0.02), 3)["sharpe"].dtype == "float64"


def test_the_interval_of_a_sharpe_of_zero_is_that_of_a_mean():
    low, high = sharpe_interval_by_lo(by_day(*[0.01, -0.01] * 126))
    assert (low, high) == pytest.approx((-1.96, 1.96))  # 252 sessions: an error of 1 a year
    assert np.isnan(sharpe_interval_by_lo(by_day(0.01))).all()
    assert sharpe_error(np.array([0.0]), 100).tolist() == [0.1]


@pytest.fixture
def result() -> Backtest:
    """One trade in 2023, a losing one in 2024 and a session without; costs of 1 a trade."""
    days = pd.DatetimeIndex(["2023-12-29", "2024-01-02", "2024-01-03"], name="session").as_unit(
        "us"
    )
    trades = pd.DataFrame(
        {
            "session": days[:2], "symbol": "A", "leg": "position", "shares_filled": 40.0,
            "open": [10.0, 10.5], "exit_price": [11.0, 9.5], "gross_pnl": [40.0, -40.0],
            "commission": 1.0, "slippage": 0.0,
            "net_pnl": [39.0, -41.0], "equity_before": [1000.0, 1039.0],
        }
    )  # fmt: skip
    return Backtest(
        ledger=trades,
        equity=pd.Series([1000.0, 1039.0, 998.0, 998.0]),
        net_returns=pd.Series([0.039, -41 / 1039, 0.0], days),
        gross_returns=pd.Series([0.040, -40 / 1039, 0.0], days),
        exposure=pd.Series([0.4, 420 / 1039, 0.0], days),
    )


def test_each_year_is_judged_by_its_own_sessions(result):
    benchmark = pd.Series([0.02, math.nan, 0.03], result.net_returns.index)
    table = yearly_results(result, benchmark)
    assert table.loc[2023].to_dict() == pytest.approx(
        {
            "sessions": 1, "net_return": 0.039, "benchmark_return": 0.02, "sharpe": math.nan,
            "low": math.nan, "high": math.nan, "max_drawdown": 0.0, "trades": 1, "win_rate": 1.0,
            "exposure": 0.4, "turnover": 0.84, "cost": 0.001,
        },
        nan_ok=True,
    )  # fmt: skip
    of_two = sharpe(result.net_returns.iloc[1:])  # -1 / sqrt(2) a session, error sqrt(1.25 / 2)
    assert of_two == pytest.approx(-math.sqrt(252 / 2))
    assert table.loc[2024].to_dict() == pytest.approx(
        {
            "sessions": 2, "net_return": -41 / 1039, "benchmark_return": 0.03, "sharpe": of_two,
            "low": of_two - 1.96 * math.sqrt(252 * 0.625),
            "high": of_two + 1.96 * math.sqrt(252 * 0.625),
            "max_drawdown": 41 / 1039, "trades": 1, "win_rate": 0.0, "exposure": 210 / 1039,
            "turnover": 400 / 1039, "cost": 0.5 / 1039,
        }
    )  # fmt: skip
