"""Did the search fool itself: the figures are of what was chosen, by the search's own objective."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.io.evaluation_journal import EvaluationJournal
from pipeline.learning.windows import Step
from pipeline.recipe.search import Chosen, searched
from pipeline.stats.overfitting import deflated_sharpe, pbo
from pipeline.stats.returns import session_sharpe
from tests.recipe.test_recipe_hash import panel


def by_session(predictions: pd.Series) -> pd.Series:
    """Returns of a made-up strategy: any function of the forecasts will do."""
    return predictions.groupby(level="session").max() - 0.003


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> tuple[Chosen, list[pd.Series]]:
    """A search by rank IC, and the returns of every forecast that was traded, in order."""
    words = ["model=ridge", "hpo=quick", "hpo.n_trials=5", "cv.fold_sessions=12", "hpo.pruner=null",
             "model.objective=rank_ic"]  # fmt: skip
    recipe = replace(build.recipe(check(compose(words))), features=dict.fromkeys("abc", "made"))
    data, traded = panel(sessions=110), []

    def strategy_returns(predictions: pd.Series) -> pd.Series:
        traded.append(by_session(predictions))
        return traded[-1]

    step = Step(development=data.sessions[:-5], predicted=data.sessions[-5:], search=True)
    folder = Path(tmp_path_factory.mktemp("search"))
    with EvaluationJournal(folder, "run").search(step) as studies:
        chosen = searched(
            recipe, data.at(step.development), studies, strategy_returns=strategy_returns,
            clock=time.perf_counter,
        )  # fmt: skip
    return chosen, traded


def test_the_deflated_sharpe_is_of_the_chosen_ensemble(search) -> None:
    chosen, traded = search
    of_trials = [trial.strategy_returns for trial in chosen.trials]
    sharpes = [float(session_sharpe(each.to_numpy())) for each in of_trials]
    expected = deflated_sharpe(traded[-1], sharpes)
    assert chosen.metrics["cv/deflated_sharpe"] == pytest.approx(expected, nan_ok=False)
    assert len(traded[-1]) == len(of_trials[0])
    # It is traded once more than the trials' folds, and is none of these.
    assert not any(traded[-1].equals(each) for each in of_trials)


def test_overfitting_is_ranked_by_the_searchs_own_objective(search) -> None:
    chosen, _ = search
    scores = pd.concat([trial.session_scores for trial in chosen.trials], axis=1).to_numpy()
    assert np.abs(scores).max() > 0.1  # rank ICs of sessions, not returns of a strategy
    expected = pbo(scores, score=lambda half: half.mean(axis=0))
    assert chosen.metrics["cv/pbo"] == pytest.approx(expected, nan_ok=False)
