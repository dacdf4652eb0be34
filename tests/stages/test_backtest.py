"""The backtest as a command: what it leaves behind, to the cent."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from mlflow.artifacts import download_artifacts, load_text
from mlflow.entities import Run

from pipeline.contract import Artifacts, Tables
from pipeline.trading.ledger import COSTS, LEDGER_DTYPES
from pipeline.trading.performance import break_even_bps
from tests.stages.conftest import Project

TRADES = ("backtest.model=1", "strategy=stops", "strategy.min_edge_bps=0", "strategy.limit_bps=50")


@pytest.fixture(scope="module")
def traded(finished: Project) -> Run:
    finished.python("backtest", *TRADES)
    return finished.newest("backtest")


@pytest.fixture(scope="module")
def ledger(finished: Project, traded: Run) -> pd.DataFrame:
    path = download_artifacts(
        run_id=traded.info.run_id, artifact_path=Artifacts.LEDGER, tracking_uri=finished.uri
    )
    return pd.read_parquet(path)


def equity(project: Project, run: Run) -> pd.Series:
    points = project.client.get_metric_history(run.info.run_id, "backtest/equity")
    return pd.Series({point.step: point.value for point in points}).sort_index()


def cents(amounts: pd.Series) -> pd.Series:
    """Whole cents; that the amounts are some is a part of each test."""
    whole = (100.0 * amounts).round()
    np.testing.assert_allclose(100.0 * amounts, whole, atol=1e-4)
    return whole.astype("int64")


def test_the_ledger_is_kept_once_with_its_types(
    finished: Project, traded: Run, ledger: pd.DataFrame
) -> None:
    assert ledger.dtypes.astype("str").to_dict() == LEDGER_DTYPES
    kept = finished.client.list_artifacts(traded.info.run_id, "backtest")
    assert [file.path for file in kept if "ledger" in file.path] == [Artifacts.LEDGER]


def test_it_names_order_limit_fill_and_why_there_was_none(ledger: pd.DataFrame) -> None:
    filled = ledger["shares_filled"] > 0.0
    assert len(ledger) > 100
    assert (ledger["limit"] > ledger["reference_price"]).all()
    assert set(ledger.loc[filled, "reason"]) <= {"", "cash"}
    assert "open beyond the limit" in set(ledger.loc[~filled, "reason"])
    beyond = ledger["reason"] == "open beyond the limit"
    assert (ledger.loc[beyond, "open"] > ledger.loc[beyond, "limit"]).all()
    assert set(ledger.loc[filled, "exit"]) == {"close", "stop", "target"}


def test_its_money_adds_up_to_the_cent(
    finished: Project, traded: Run, ledger: pd.DataFrame
) -> None:
    curve = cents(equity(finished, traded))
    costs = sum(cents(ledger[name]) for name in COSTS)
    net = cents(ledger["net_pnl"])
    assert (cents(ledger["gross_pnl"]) - costs == net).all()
    assert net.sum() == curve.iloc[-1] - curve.iloc[0]
    assert curve.iloc[0] == 100_000_00
    # Row by row: equity is what the session began with and what its rows have earned since.
    earned = net.groupby(ledger["session"]).cumsum()
    assert (cents(ledger["equity_before"]) + earned == cents(ledger["equity"])).all()
    ends = cents(ledger.groupby("session")["equity"].last())
    assert set(ends) <= set(curve)
    assert (ledger["cash"] >= 0.0).all()


def test_fees_and_slippage_are_what_the_rates_say(ledger: pd.DataFrame) -> None:
    sides = ledger["shares_filled"] * (ledger["open"] + ledger["exit_price"])
    expected = sides.where(ledger["shares_filled"] > 0.0, 0.0) * 1e-4
    np.testing.assert_allclose(ledger["commission"], 1.0 * expected, atol=0.0101)
    np.testing.assert_allclose(ledger["slippage"], 4.0 * expected, atol=0.0101)


def test_the_break_even_cost_is_a_metric_and_stands_in_the_tear_sheet(
    traded: Run, ledger: pd.DataFrame
) -> None:
    least = break_even_bps(ledger)
    assert traded.data.metrics["backtest/break_even_bps"] == least
    page = load_text(f"{traded.info.artifact_uri}/{Artifacts.TEAR_SHEET}")
    assert f"{least:.1f} bp a round trip; " in page


def test_a_capacity_curve_comes_with_its_table_and_metric(finished: Project, traded: Run) -> None:
    curve = pd.read_csv(f"{traded.info.artifact_uri}/{Tables.CAPACITY}.csv")
    assert curve["bankroll"].tolist() == [
        1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8, 3e8, 1e9,
    ]  # fmt: skip
    assert curve["charged_bps"].iloc[-1] > curve["charged_bps"].iloc[0] > 10.0
    assert curve["exposure"].iloc[-1] < 0.2 * curve["exposure"].iloc[0]
    assert traded.data.metrics["backtest/capacity"] in {0.0, *curve["bankroll"]}
    finished.python("backtest", "backtest.capacity=[]")
    assert "backtest/capacity" not in finished.newest("backtest").data.metrics
