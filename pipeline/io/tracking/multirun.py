"""The jobs of a `-m` run as MLflow has them: their metrics and their returns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from mlflow import MlflowClient

from pipeline.contract import Metrics
from pipeline.io.tracking.books import logged_net_returns
from pipeline.report.multirun import Job, printed_jobs
from pipeline.report.sweep import luck_sentence
from pipeline.stats.overfitting import deflated_sharpe
from pipeline.stats.returns import session_sharpe, sharpe


def closing_table(jobs: Sequence[tuple[Sequence[str], str]]) -> str:
    """The table of all jobs, and what luck leaves of the best; empty where none was backtested.

    Parameters
    ----------
    jobs
        Overrides and run id of each that ended well.
    """
    client = MlflowClient()
    done = [Job(words, client.get_run(run_id).data.metrics) for words, run_id in jobs]
    if not any(Metrics.SHARPE in job.metrics for job in done):
        return ""
    returns = [logged_net_returns(run_id) for _, run_id in jobs]
    sharpes = np.array([session_sharpe(net.to_numpy(np.float64)) for net in returns if len(net)])
    if not np.isfinite(sharpes).any():
        return f"{printed_jobs(done)}\n{luck_sentence(len(done), np.nan, np.nan, pd.Index([]))}"
    best = [net for net in returns if len(net)][int(np.nanargmax(sharpes))]
    deflated = deflated_sharpe(best, sharpes)
    return f"{printed_jobs(done)}\n{luck_sentence(len(done), sharpe(best), deflated, best.index)}"
