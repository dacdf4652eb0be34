"""What a person reads of the jobs of a `-m` run: which settings each had, and which did best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.report.headlines import metric_text
from pipeline.report.jobs import Job
from pipeline.report.sweep import luck_sentence
from pipeline.report.text_tables import terminal_table
from pipeline.stats.overfitting import deflated_sharpe
from pipeline.stats.returns import session_sharpe, sharpe

COLUMNS = {
    "test/rank_ic": ("rank IC", "{:.4f}"),
    "test/rank_ic_t": ("t", "{:.1f}"),
    "backtest/sharpe": ("Sharpe", "{:.2f}"),
    "backtest/max_drawdown": ("drawdown", "{:.1%}"),
    "backtest/total_return": ("return", "{:.1%}"),
    "backtest/trades": ("trades", "{:.0f}"),
}
RANKED_BY = ("backtest/sharpe", "test/rank_ic")


def closing_table(jobs: Sequence[Job]) -> str:
    """The table of all jobs, and what luck leaves of the best; empty where there is none."""
    if not jobs:
        return ""
    returns = [job.traded.net_returns for job in jobs if len(job.traded.net_returns)]
    sharpes = np.array([session_sharpe(net.to_numpy(np.float64)) for net in returns])
    if not np.isfinite(sharpes).any():
        return f"{printed_jobs(jobs)}\n{luck_sentence(len(jobs), np.nan, np.nan, pd.Index([]))}"
    best = returns[int(np.nanargmax(sharpes))]
    deflated = deflated_sharpe(best, sharpes)
    return f"{printed_jobs(jobs)}\n{luck_sentence(len(jobs), sharpe(best), deflated, best.index)}"


def varied(jobs: Sequence[Sequence[str]]) -> list[str]:
    """What tells each job from the others: the overrides that not all of them have.

    >>> varied([["hpo=none", "seed=1"], ["hpo=none", "seed=2"]])
    ['seed=1', 'seed=2']
    """
    common = set.intersection(*map(set, jobs)) if len(jobs) > 1 else set()
    return [" ".join(word for word in job if word not in common) or "as given" for job in jobs]


def printed_jobs(jobs: Sequence[Job]) -> str:
    """The jobs by net Sharpe, best first, each with its settings; undefined values last."""
    names = varied([job.overrides for job in jobs])
    measured = [name for name in COLUMNS if any(name in job.metrics for job in jobs)]
    by = next((name for name in RANKED_BY if name in measured), None)
    ranks = pd.Series([job.metrics.get(by or "", float("nan")) for job in jobs])
    order = ranks.sort_values(ascending=False, kind="stable", na_position="last").index
    rows = [
        {
            "settings": names[place],
            **{
                COLUMNS[name][0]: metric_text(name, jobs[place].metrics, COLUMNS[name][1])
                for name in measured
            },
        }
        for place in order
    ]
    return terminal_table(pd.DataFrame(rows), words=("settings",))
