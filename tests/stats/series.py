"""Made-up returns by session, and the SPA test on forecasts of rows."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from pipeline.learning.metrics import session_losses
from pipeline.stats.inference import spa_pvalue


def normal_returns(seed: int, sessions: int, annual_sharpe: float = 0.0) -> pd.Series:
    rng = np.random.default_rng(seed)
    return pd.Series(rng.normal(annual_sharpe / math.sqrt(252) * 0.01, 0.01, sessions))


def spa(returns: pd.Series, forecast: pd.Series, baselines: pd.DataFrame, *, seed: int) -> float:
    """The test on squared errors, as `out_of_sample_metrics` asks for it."""
    benchmarks = {str(name): session_losses(returns, baselines[name]) for name in baselines}
    return spa_pvalue(benchmarks, session_losses(returns, forecast), seed=seed)
