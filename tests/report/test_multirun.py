"""The jobs of a `-m` run: each with its settings, best first."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from pipeline.report.jobs import Job, Traded
from pipeline.report.multirun import closing_table, printed_jobs


def job(words: list[str], metrics: dict[str, float], *returns: float) -> Job:
    days = pd.bdate_range("2024-03-01", periods=len(returns))
    return Job(words, Traded(metrics, pd.Series(returns, days, dtype="float64")))


def test_jobs_are_ranked_by_net_sharpe_and_named_by_what_varies() -> None:
    jobs = [
        job(["hpo=none", "model=zero"], {"backtest/sharpe": math.nan, "backtest/trades": 0.0}),
        job(["hpo=none", "model=ridge"], {"backtest/sharpe": 0.5, "backtest/trades": 9.0}),
        job(["hpo=none", "model=lightgbm"], {"backtest/sharpe": 2.0, "backtest/trades": 9.0}),
    ]
    lines = printed_jobs(jobs).splitlines()
    assert [line.split()[0] for line in lines] == [
        "settings", "model=lightgbm", "model=ridge", "model=zero",
    ]  # fmt: skip
    assert "hpo=none" not in "\n".join(lines)
    assert "(no trades)" in lines[-1]
    assert max(map(len, lines)) <= 100


def test_the_best_is_by_its_returns_and_stands_beside_its_luck() -> None:
    steady = [0.01, 0.011] * 15
    jobs = [
        job(["seed=1"], {"backtest/sharpe": 1.0}, *[0.01, -0.009] * 15),
        job(["seed=2"], {"backtest/sharpe": 9.0}, *steady),
    ]
    table = closing_table(jobs)
    assert table.index("seed=2") < table.index("seed=1")
    assert "Best of 2: Sharpe" in table
    assert "over 30 sessions" in table
    assert "None of 2 has a Sharpe" in closing_table([job(["a"], {}), job(["b"], {})])
    assert closing_table([]) == ""


def test_what_a_job_returned_comes_whole_through_a_line() -> None:
    metrics = {"a/b": 0.1 + 0.2, "c": math.nan, "d": 3}
    _, traded = job([], metrics, 0.1 + 0.2, -1e-17)
    assert "\n" not in traded.line
    again = Traded.of_line(traded.line)
    pd.testing.assert_series_equal(
        again.net_returns, traded.net_returns, check_exact=True, check_freq=False
    )
    np.testing.assert_equal(dict(again.metrics), metrics)
    assert Traded.of_line(Traded({}, pd.Series(dtype="float64")).line).net_returns.empty
