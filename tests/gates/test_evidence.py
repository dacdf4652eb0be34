"""What a result proves, and for how long."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from pipeline.gates.evidence import age_sessions, aged, luck
from pipeline.gates.gates import Gates
from pipeline.gates.verdict import evaluate, verdict

METRICS = {"backtest/sessions": 250.0, "backtest/sharpe": 2.0, "test/r2": 0.01, "audit/passed": 1.0}


def net_returns(count: int, sharpe: float) -> pd.Series:
    """Symmetric returns with exactly this Sharpe ratio a session."""
    values = np.tile([-1.0, 1.0], count // 2)
    sessions = pd.bdate_range("2024-01-01", periods=count)
    return pd.Series(0.01 * (values + sharpe * values.std(ddof=1)), sessions)


@pytest.mark.parametrize(
    ("ended", "age"),
    [("2024-01-05", 0), ("2024-01-04", 1), ("2024-01-01", 3), ("2023-06-01", 4), ("2024-02-01", 0)],
)
def test_age_is_the_number_of_label_ready_sessions_since(ended, age):
    # Wednesday is a holiday: an age counts sessions, not days.
    ready = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05"])
    assert age_sessions(ready, pd.Timestamp(ended)) == age


@pytest.mark.parametrize("age", [0, 62, 63])
def test_evidence_within_the_age_limit_is_whole(age):
    assert aged(METRICS, age, 63) == METRICS


@pytest.mark.parametrize(("age", "max_age"), [(64, 63), (1, 0), (500, 63)])
def test_evidence_beyond_the_age_limit_says_nothing_of_trading(age, max_age):
    assert aged(METRICS, age, max_age) == {"test/r2": 0.01, "audit/passed": 1.0}


@pytest.mark.parametrize(("age", "outcome"), [(63, "accepted"), (64, "not enough evidence")])
def test_no_gate_is_passed_by_evidence_that_is_too_old(age, outcome):
    gates = Gates.model_validate(
        {
            "min_sessions": 60,
            "evidence_max_age_sessions": 63,
            "beats_zero": {
                "metric": "test/r2", "operator": ">", "threshold": 0.0,
                "when_unknown": "refuse", "required": True,
            },
        }
    )  # fmt: skip
    metrics = aged(METRICS, age, gates.evidence_max_age_sessions)
    assert verdict(evaluate(metrics, gates)) == outcome


def test_luck_is_deflated_by_the_looks_and_says_how_many():
    # 101 degrees of freedom, a ratio of 0.2: z = 0.2 sqrt(T - 1) over the root of the variance,
    # which is at least 1 and here no more, since the kurtosis of two values is 1.
    returns = net_returns(102, 0.2)
    once, tenth = (luck(returns, looks, seed=1) for looks in (1, 10))
    z = 0.2 * math.sqrt(101)
    assert once["backtest/probabilistic_sharpe"] == pytest.approx(norm.cdf(z))
    assert once["backtest/deflated_sharpe"] == pytest.approx(norm.cdf(z))
    # Expected maximum of 10 null ratios: ((1-g) q(0.9) + g q(1 - 1/(10 e))) standard errors.
    gamma = 0.5772156649
    luckiest = (1 - gamma) * norm.ppf(0.9) + gamma * norm.ppf(1 - 1 / (10 * math.e))
    assert tenth["backtest/deflated_sharpe"] == pytest.approx(norm.cdf(z - luckiest))
    assert tenth["backtest/probabilistic_sharpe"] == once["backtest/probabilistic_sharpe"]
    assert (once["backtest/looks"], tenth["backtest/looks"]) == (1.0, 10.0)


def test_interval_lies_around_the_annualised_ratio():
    found = luck(net_returns(102, 0.2), 1, seed=1)
    annual = 0.2 * math.sqrt(252)
    # Never narrower than that of independent normal returns.
    half = norm.ppf(0.975) / math.sqrt(102) * math.sqrt(252)
    assert found["backtest/sharpe_ci_low"] <= annual - half + 1e-9
    assert found["backtest/sharpe_ci_high"] >= annual + half - 1e-9


def test_luck_without_variance_is_unknown():
    found = luck(pd.Series(0.0, pd.bdate_range("2024-01-01", periods=80)), 3, seed=1)
    assert found.pop("backtest/looks") == 3.0
    assert len(found) == 4
    assert all(math.isnan(value) for value in found.values())
