"""What explains a result: calibration, skill by month, regime and age, profit by symbol."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.report.tear_sheet.diagnosis import Diagnosis, clustered_slope, diagnosis
from pipeline.trading.attribution import decile_returns

DAYS = pd.bdate_range("2024-01-30", periods=6, name="session")
SYMBOLS = pd.Index([f"S{n:02d}" for n in range(20)], name="symbol")
REGIMES = pd.Series(["RANGING"] * 4 + ["HIGH_VOL"] * 2, DAYS)
TRADES = pd.DataFrame({"symbol": ["A", "B", "A"], "net_pnl": [5.0, -7.0, 1.0]})


def rising() -> pd.DataFrame:
    """Forecasts that order the symbols alike in every session."""
    return pd.DataFrame([np.linspace(-0.01, 0.01, 20)] * 6, DAYS, SYMBOLS)


def diagnosed(forecasts: pd.DataFrame, returns: pd.DataFrame) -> Diagnosis:
    session_ic = forecasts.corrwith(returns, axis=1, method="spearman")
    return diagnosis(
        returns.stack(), forecasts.stack(), session_ic, decile_returns(forecasts, returns),
        REGIMES, TRADES,
    )  # fmt: skip


def test_forecasts_of_half_the_return_have_a_slope_of_two_and_no_error() -> None:
    found = diagnosed(rising(), 2.0 * rising() + 0.03)
    assert found.slope == pytest.approx(2.0)
    assert found.slope_error == pytest.approx(0.0, abs=1e-9)
    assert found.calibration["return"].tolist() == pytest.approx(
        (2.0 * found.calibration["forecast"]).tolist()
    )
    assert found.error == pytest.approx(found.spread / 2.0)


def test_the_error_of_the_slope_counts_sessions_not_rows() -> None:
    days = pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["session", "symbol"])
    forecast = pd.Series([1.0, -1.0, 1.0, -1.0], days)
    outcome = pd.Series([2.0, -2.0, 0.0, 0.0], days)
    slope, error = clustered_slope(outcome, forecast)
    # residuals 1, -1 | -1, 1: scores 2 and -2, their root of squares over 4
    assert (slope, error) == (1.0, pytest.approx(8.0**0.5 / 4.0))


def test_skill_adds_up_over_sessions_and_is_split_by_month_regime_and_age() -> None:
    found = diagnosed(rising(), rising())
    assert found.rank_ic_sum.tolist() == pytest.approx([1, 2, 3, 4, 5, 6])
    assert found.by_regime["sessions"].to_dict() == {"HIGH_VOL": 2, "RANGING": 4}
    assert found.by_month.loc[2024, [1, 2, "year"]].tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert found.by_month.loc[2024, 3:12].isna().all()
    assert found.by_age[[0, 1, 5]].tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert found.autocorrelation == pytest.approx(1.0)
    assert found.by_decile["highest"].iloc[-1] == pytest.approx(-found.by_decile["lowest"].iloc[-1])


def test_forecasts_without_an_order_are_not_calibrated() -> None:
    found = diagnosed(0.0 * rising(), rising())
    assert np.isnan(found.slope)
    assert found.calibration.empty


def test_profit_by_symbol_adds_up_best_first() -> None:
    table = diagnosed(rising(), rising()).by_symbol
    assert table.index.tolist() == ["A", "B"]
    assert table["trades"].tolist() == [2, 1]
    assert table["net_pnl"].sum() == TRADES["net_pnl"].sum()
