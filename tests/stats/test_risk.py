"""Measures of risk, worked out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from pipeline.stats.risk import (
    calmar,
    expected_shortfall,
    longest_streak,
    payoff,
    profit_factor,
    sortino,
    value_at_risk,
    worst_drawdowns,
)

NONE = pd.Series([], dtype="float64")
GAINS = pd.Series([0.01, 0.02])


def test_calmar_is_the_return_a_year_over_the_largest_drawdown() -> None:
    returns = pd.Series([-0.1, 0.2] * 126)
    yearly = (0.9 * 1.2) ** 126 - 1.0
    assert calmar(returns) == pytest.approx(yearly / 0.1)


def test_the_shortfall_is_the_mean_of_the_worst() -> None:
    returns = pd.Series([-0.04, -0.02, 0.0, 0.01, 0.03])
    assert expected_shortfall(returns, 0.25) == pytest.approx(0.03)
    assert expected_shortfall(returns, 0.25) >= value_at_risk(returns, 0.25)


def test_without_losses_or_returns_nothing_is_claimed() -> None:
    for measure in (sortino, calmar, profit_factor, payoff):
        assert math.isnan(measure(GAINS))
    for measure in (sortino, value_at_risk, expected_shortfall, payoff):
        assert math.isnan(measure(NONE))
    assert longest_streak(NONE, losing=True) == 0


def test_the_worst_drawdowns_come_deepest_first_with_their_dates() -> None:
    days = pd.bdate_range("2021-03-01", periods=6)
    table = worst_drawdowns(pd.Series([-0.1, 0.2, 0.0, -0.5, 0.1, 0.0], days))
    assert table["depth"].tolist() == pytest.approx([0.5, 0.1])
    deepest, first = table.to_dict("records")
    assert (deepest["peak"], deepest["trough"], deepest["sessions"]) == (days[2], days[3], 3)
    assert pd.isna(deepest["end"])
    assert pd.isna(first["peak"])
    assert (first["end"], first["sessions"]) == (days[1], 1)
    assert worst_drawdowns(pd.Series([0.1, 0.1], days[:2])).empty
