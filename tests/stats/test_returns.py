from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stats import returns as measures
from pipeline.stats.inference import sharpe_interval


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ([0.01, 0.00, 0.02], math.sqrt(252)),
        ([0.01, -0.01], 0.0),
        ([0.0, 0.0, 0.0], math.nan),  # no trades
        ([0.001] * 7, math.nan),  # no variance
        ([0.01], math.nan),
        ([], math.nan),
    ],
)
def test_sharpe_is_annualised_and_undefined_without_variance(returns, expected):
    ratio = measures.sharpe(pd.Series(returns, dtype="float64"))
    assert ratio == pytest.approx(expected, nan_ok=True)


def test_drawdown_counts_a_loss_on_the_first_session():
    assert measures.max_drawdown(pd.Series([-0.2, 0.1])) == pytest.approx(0.2)
    assert measures.max_drawdown(pd.Series([0.1, 0.1])) == 0.0
    assert measures.max_drawdown(pd.Series([0.5, -0.5, 0.2, -0.5])) == pytest.approx(0.7)


def test_returns_are_compounded_and_annualised_by_sessions():
    returns = pd.Series([0.10, -0.10] * 63)
    assert measures.total_return(returns) == pytest.approx(0.99**63 - 1.0)
    assert measures.annualized_return(returns) == pytest.approx(0.99**126 - 1.0)
    assert measures.annualized_return(pd.Series([-1.0, 0.1])) == -1.0
    assert measures.annualized_return(pd.Series([-1.5, -1.5, 0.2])) == -1.0


@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=30))
def test_drawdown_stays_between_nothing_and_everything(returns):
    losses = measures.drawdowns(pd.Series(returns))
    assert losses.between(0.0, 1.0).all()
    end = 1.0 + measures.total_return(pd.Series(returns))
    assert 1.0 - losses.iloc[-1] <= end + 1e-12


def test_sharpe_of_two_sessions_by_hand():
    assert measures.sharpe(pd.Series([0.01, 0.03])) == pytest.approx(
        0.02 / np.std([1, 3], ddof=1) * 1587.45
    )
    assert np.isnan(measures.sharpe(pd.Series([0.0, 0.0, 0.0])))


@pytest.mark.parametrize(
    ("sessions", "a_year"),
    [
        (pd.bdate_range("2024-01-01", periods=40), 252),
        (pd.date_range("2024-01-01", periods=40), 365),
        (pd.date_range("2024-01-01", periods=60)[~np.isin(np.arange(60) % 7, (4, 5))][:40], 252),
        (pd.RangeIndex(40), 252),
    ],
    ids=["weekdays", "every day", "Friday and Saturday off", "no dates"],
)
def test_a_year_has_the_sessions_of_its_market(sessions, a_year):
    values = np.resize([0.01, -0.004, 0.002], 40)
    returns = pd.Series(values, sessions)
    assert measures.sessions_a_year(sessions) == a_year
    assert measures.sharpe(returns) == pytest.approx(
        values.mean() / values.std(ddof=1) * a_year**0.5
    )
    assert measures.annualized_return(returns) == pytest.approx(
        np.prod(1 + values) ** (a_year / 40) - 1
    )
    one = sharpe_interval(returns.reset_index(drop=True), seed=1)[0] / 252**0.5
    assert sharpe_interval(returns, seed=1)[0] == pytest.approx(one * a_year**0.5)
