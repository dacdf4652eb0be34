"""What a person reads of the jobs of a `-m` run: which settings each had, and which did best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from pipeline.report.headlines import metric_text
from pipeline.report.text_tables import terminal_table

COLUMNS = {
    "test/rank_ic": ("rank IC", "{:.4f}"),
    "test/rank_ic_t": ("t", "{:.1f}"),
    "backtest/sharpe": ("Sharpe", "{:.2f}"),
    "backtest/max_drawdown": ("drawdown", "{:.1%}"),
    "backtest/total_return": ("return", "{:.1%}"),
    "backtest/trades": ("trades", "{:.0f}"),
}
RANKED_BY = ("backtest/sharpe", "test/rank_ic")


class Job(NamedTuple):
    """A job that ended well: the overrides it was given, and its metrics."""

    overrides: Sequence[str]
    metrics: Mapping[str, float]


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
