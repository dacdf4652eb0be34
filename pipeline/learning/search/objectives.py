"""What a search optimises.

Series are indexed by ``schemas.ROW``; returns and predictions are fractions on the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from pipeline.learning.metrics import rank_ic, session_mean
from pipeline.learning.targets import market_relative

StrategyReturns = Callable[[pd.Series], pd.Series]
"""Predictions of whole sessions -> the strategy's net return of each session."""


@dataclass(frozen=True)
class Objective:
    """What a search optimises.

    Attributes
    ----------
    metric
        Name of the fold metric; a trial's value is its mean over the folds.
    direction
        ``"minimize"`` or ``"maximize"``.
    by_session
        (returns, predictions, strategy's net returns) -> score of each session, higher is
        better; what CSCV (``cv/pbo``) splits.
    """

    metric: str
    direction: Literal["minimize", "maximize"]
    by_session: Callable[[pd.Series, pd.Series, pd.Series | None], pd.Series]

    @property
    def worst(self) -> float:
        """Value of a trial without a score, such as a Sharpe ratio without trades."""
        return np.inf if self.direction == "minimize" else -np.inf


def _strategy_returns(_: pd.Series, __: pd.Series, net: pd.Series | None) -> pd.Series:
    if net is None:
        raise ValueError("the objective sharpe_net needs the function strategy_returns")
    return net


OBJECTIVES: Mapping[str, Objective] = {
    "mae": Objective("mae", "minimize", lambda y, p, _: -session_mean((y - p).abs())),
    "mae_relative": Objective(
        "mae_relative",
        "minimize",
        lambda y, p, _: -session_mean((market_relative(y) - market_relative(p)).abs()),
    ),
    "rank_ic": Objective("rank_ic", "maximize", lambda y, p, _: rank_ic(y, p)),
    "sharpe_net": Objective("sharpe_net", "maximize", _strategy_returns),
}
