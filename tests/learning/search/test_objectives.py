from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.learning.metrics import fold_metrics
from pipeline.learning.search.objectives import OBJECTIVES
from pipeline.stats.returns import sharpe
from tests.learning.rows import by_session

RETURNS = by_session([0.01, 0.02, 0.03], [-0.02, 0.0, 0.02])
FORECAST = by_session([0.01, 0.01, 0.01], [-0.01, 0.01, 0.01])


@pytest.mark.parametrize("name", ["mae", "mae_relative", "rank_ic"])
def test_an_objective_by_session_averages_to_its_fold_metric_higher_being_better(name):
    random = np.random.default_rng(0)
    returns, forecast = (
        by_session(*random.normal(size=(5, 7))),
        by_session(*random.normal(size=(5, 7))),
    )
    objective = OBJECTIVES[name]

    scores = objective.by_session(returns, forecast, None)

    sign = -1 if objective.direction == "minimize" else 1
    metric = fold_metrics(returns, forecast)[objective.metric]
    assert sign * scores.mean() == pytest.approx(metric)


def test_the_sharpe_objective_is_the_strategys_own_returns():
    net = pd.Series([0.01, -0.02], RETURNS.index.levels[0])

    assert OBJECTIVES["sharpe_net"].by_session(RETURNS, FORECAST, net) is net
    assert fold_metrics(RETURNS, FORECAST, net)["sharpe_net"] == sharpe(net)
    with pytest.raises(ValueError, match="strategy_returns"):
        OBJECTIVES["sharpe_net"].by_session(RETURNS, FORECAST, None)
