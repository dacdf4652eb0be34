"""What a tear sheet is made of, from the books and what they are explained by."""

from __future__ import annotations

import pytest

from pipeline.stats.returns import total_return
from tests.report import made_sheet


def test_the_curves_start_at_one_and_end_at_the_total_return() -> None:
    sheet = made_sheet.sheet(60, 50)
    assert sheet.growth.iloc[0].tolist() == [1.0, 1.0, 1.0]
    assert list(sheet.growth) == ["strategy", "universe", "^IXIC"]
    earned = sheet.growth["strategy"].iloc[-1] - 1.0
    assert earned == pytest.approx(total_return(sheet.net_returns))
    assert sheet.cumulated["net"].iloc[-1] == pytest.approx(sheet.net_returns.sum())


def test_positions_costs_and_groups_are_those_of_the_ledger() -> None:
    sheet = made_sheet.sheet(60, 50)
    assert sheet.positions.tolist() == [1] * 50 + [0] * 10
    assert sheet.session_distribution["count"] == sheet.trade_distribution["count"] == 50
    for table in sheet.hit_rates.values():
        assert table["trades"].sum() == 50
    # 10 bp of the amount bought, over the mean of both sides
    assert sheet.charged_bps == pytest.approx(10.0, rel=0.01)


def test_good_forecasts_show_in_rank_ic_and_spread() -> None:
    sheet = made_sheet.sheet(60, 50)
    assert sheet.rank_ic.mean() > 0.5
    assert sheet.decile_sessions == 60
    assert sheet.deciles.loc["spread", "low"] > 0.0
    spread = sheet.deciles.loc[10, "mean"] - sheet.deciles.loc[1, "mean"]
    assert sheet.deciles.loc["spread", "mean"] == pytest.approx(spread)
