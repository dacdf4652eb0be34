"""The jobs of a `-m` run: each with its settings, best first."""

from __future__ import annotations

import math

from pipeline.report.multirun import Job, printed_jobs


def test_jobs_are_ranked_by_net_sharpe_and_named_by_what_varies() -> None:
    jobs = [
        Job(["hpo=none", "model=zero"], {"backtest/sharpe": math.nan, "backtest/trades": 0.0}),
        Job(["hpo=none", "model=ridge"], {"backtest/sharpe": 0.5, "backtest/trades": 9.0}),
        Job(["hpo=none", "model=lightgbm"], {"backtest/sharpe": 2.0, "backtest/trades": 9.0}),
    ]
    lines = printed_jobs(jobs).splitlines()
    assert [line.split()[0] for line in lines] == [
        "settings", "model=lightgbm", "model=ridge", "model=zero",
    ]  # fmt: skip
    assert "hpo=none" not in "\n".join(lines)
    assert "(no trades)" in lines[-1]
    assert max(map(len, lines)) <= 100
