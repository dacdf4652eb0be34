"""What the figures of a tear sheet are drawn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.report.tear_sheet.figure_data import (
    decile_returns,
    equity_curves,
    exposure_curves,
    histogram,
    rank_ic_curve,
    rolling_sharpe_curves,
)
from pipeline.report.tear_sheet.searches import chosen_parameters
from pipeline.report.tear_sheet.sheet import Sheet
from tests.report import made_sheet


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    return made_sheet.sheet(100, 100)


def test_growth_is_in_percent_until_it_would_hide_the_early_years(sheet: Sheet) -> None:
    curves = equity_curves(sheet)
    assert not curves.is_log
    assert curves.growth.iloc[0].tolist() == [0.0, 0.0, 0.0]
    last = 100.0 * (sheet.growth["strategy"].iloc[-1] - 1.0)
    assert curves.growth["strategy"].iloc[-1] == pytest.approx(last)
    assert (curves.drawdowns <= 0.0).all().all()
    grown = sheet.growth.copy()
    grown.iloc[-1, 0] = 5.0
    curves = equity_curves(replace(sheet, growth=grown))
    assert curves.is_log
    assert curves.growth.iloc[0].tolist() == [1.0, 1.0, 1.0]


def test_rank_ic_has_a_rolling_mean_with_its_interval_where_sessions_allow(sheet: Sheet) -> None:
    curve = rank_ic_curve(sheet)
    assert (curve.window, curve.is_bars) == (21, True)
    assert curve.mean == pytest.approx(sheet.rank_ic.mean())
    newest = sheet.rank_ic.iloc[-21:]
    reach = 1.96 * newest.std() / np.sqrt(21)
    low, mean, high = newest.mean() - reach, newest.mean(), newest.mean() + reach
    assert curve.rolling.iloc[-1][["low", "mean", "high"]].tolist() == pytest.approx(
        [low, mean, high]
    )
    short = rank_ic_curve(replace(sheet, rank_ic=sheet.rank_ic.iloc[:83]))
    assert (short.window, len(short.rolling)) == (0, 0)


def test_only_rolling_windows_long_enough_for_a_curve_are_drawn(sheet: Sheet) -> None:
    assert list(sheet.rolling) == [63, 252]
    assert list(rolling_sharpe_curves(sheet)) == [63]


def test_deciles_are_in_basis_points_without_their_spread(sheet: Sheet) -> None:
    means, below, above = decile_returns(sheet)
    assert list(means.index) == list(range(1, 11))
    assert means[10] == pytest.approx(1e4 * sheet.deciles.loc[10, "mean"])
    assert (means - below)[10] == pytest.approx(1e4 * sheet.deciles.loc[10, "low"])
    assert (means + above)[10] == pytest.approx(1e4 * sheet.deciles.loc[10, "high"])


@pytest.mark.parametrize(("sessions", "is_monthly"), [(251, False), (252, True)])
def test_exposure_is_by_month_from_a_year_on(sessions: int, is_monthly: bool) -> None:
    days = pd.bdate_range("2021-03-01", periods=sessions)
    half = pd.Series(np.arange(sessions) % 2 / 1.0, days)
    sheet = replace(
        made_sheet.sheet(21, 21), exposure=half, positions=half.astype(int), net_returns=half
    )
    curves = exposure_curves(sheet)
    assert curves.is_monthly == is_monthly
    assert len(curves.bought) == (12 if is_monthly else sessions)
    march = half[:23].mean() if is_monthly else half.iloc[0]
    assert curves.bought.iloc[0] == pytest.approx(100.0 * march)
    assert curves.positions.iloc[0] == pytest.approx(march)


def test_a_histogram_counts_the_farthest_returns_in_its_outermost_bars() -> None:
    returns = pd.Series([*np.linspace(-0.01, 0.01, 1000), 0.5])
    data = histogram(returns)
    assert data.returns.max() < 1.01
    assert data.mean == pytest.approx(100.0 * returns.mean())
    assert data.bins == 40
    assert histogram(returns[:20]).bins == 10


def test_chosen_parameters_tell_what_changed_from_search_to_search(sheet: Sheet) -> None:
    curves, summary = chosen_parameters(replace(sheet, searches=made_sheet.SEARCHES))
    changed = ["cv_rank_ic", "lightgbm.learning_rate", "lightgbm.num_leaves"]
    assert curves.columns.tolist() == changed
    assert (
        curves.index.tolist() == pd.to_datetime(["2021-03-01", "2021-09-01", "2022-03-01"]).tolist()
    )
    assert summary["changes"].tolist() == [2, 2, 1, 1, 0]
    assert summary.loc["lightgbm.learning_rate"].tolist() == [0.01, 0.001, 0.01, 0.1, 2]
    assert summary.loc["lightgbm.objective", "newest"] == "l2"
    assert summary.loc["lightgbm.objective", ["lowest", "highest"]].isna().all()
    one = chosen_parameters(replace(sheet, searches=made_sheet.SEARCHES.head(1)))
    assert one.curves.empty
    assert one.summary.empty
