"""CPU seconds and error of a retrain beside the reference system's, on equal rows and budget.

    python -m tests.benchmarks.reference_training [classic] [pruned] [ensemble]

25 symbols of the embedded sample, 65 sessions of development: 1,625 rows, 52 features (it had 46);
21 later sessions are predicted. Each line is one whole `retrain` command, from its first import to
the registered model, with 9, 12 and 9 random draws on MAE and five folds:

- ``classic``: the reference's own learners and spaces. Its folds run forward by session; else the
  same fits of the same scikit-learn classes, one thread each, so about as slow.
- ``pruned``: the same with `hpo.pruner=median`, which gives up the worse half of the draws early.
- ``ensemble``: this project's `model=ensemble`, which replaces the forest by extremely randomised
  trees on a share of the rows, plain by LightGBM's gradient boosting, and adds ridge.

The first line is the reference's ensemble with scikit-learn's default parameters, fitted here on
the same rows; the reference's own CPU seconds, searched, are those published with it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.pipeline import make_pipeline

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.learning.metrics import mae, r2, rank_ic
from pipeline.learning.models import preparation
from pipeline.stages._cli import DATA_STAGES
from pipeline.workspace import Workspace

REFERENCE_CPU_SECONDS = (511, 528)
SYMBOLS = (
    "A AKS AVY BK CCE COH DFS DVA ERTS FRX GT HPQ ITW KIM LOW MEE MTB NUE PEP PPG RL SLE SWK TJX "
    "USB"
)
ROWS = [
    "features=classic", "retrain.window_days=96", "universe.name=some",
    "features.min_window_for_session_features=1",  # the reference learns from these too
]  # fmt: skip
OURS = {
    "classic": ["experiment=classic"],
    "pruned": ["experiment=classic", "hpo.pruner=median"],
    "ensemble": [
        "model=ensemble", "hpo=random", "cv.folds=5", "cv.fold_sessions=8",
        "hpo.n_trials={lightgbm: 9, extra_trees: 12, hist_gradient_boosting: 9, ridge: 1}",
    ],
}  # fmt: skip


def main(names: list[str]) -> None:
    """Print one table."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "symbols.csv"
        listed.write_text("\n".join(["symbol", *SYMBOLS.split()]) + "\n")
        common = [*ROWS, f"universe.path={listed}", f"store.path={folder}/store.db"]
        uri = f"sqlite:///{folder}/mlflow.db"
        for stage in DATA_STAGES:
            _command(stage, common, uri)
        lines = [("scikit-learn's defaults", *_defaults(common))]
        for name in names:
            cpu = _command("retrain", [*common, *OURS[name], "retrain.refresh=false"], uri)
            run = MlflowClient(uri).search_runs(["0"], "tags.stage = 'retrain'", max_results=1)[0]
            mae, r2, ic = (run.data.metrics[f"test/{name}"] for name in ("mae", "r2", "rank_ic"))
            lines.append((name, cpu, mae, r2, ic))
    low, high = REFERENCE_CPU_SECONDS
    print(f"\n{'what':<26}{'CPU s':>8}{'times less':>12}{'MAE':>9}{'R2':>9}{'rank IC':>9}")
    print(f"{'the reference, searched':<26}{f'{low}-{high}':>8}")
    for name, cpu, *errors in lines:
        less = f"{low / cpu:.1f}" if name in OURS else "no search"
        print(f"{name:<26}{cpu:>8.1f}{less:>12}" + "".join(f"{e:>9.4f}" for e in errors))


def _command(stage: str, overrides: list[str], uri: str) -> float:
    """CPU seconds of one command."""
    words = [sys.executable, "-m", f"pipeline.stages.{stage}", *overrides]
    child = os.posix_spawn(sys.executable, words, os.environ | {"MLFLOW_TRACKING_URI": uri})
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{stage} ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime


def _defaults(overrides: list[str]) -> tuple[float, float, float, float]:
    """CPU seconds, MAE, R2 and rank IC of the reference's ensemble without search."""
    settings = check(compose([*overrides, "model=classic_ensemble"]))
    recipe = build.recipe(settings)
    with Workspace.open(settings) as workspace:
        step = recipe.windows.holdout(workspace.store.label_ready_sessions())
        sessions = step.development.union(step.predicted)
        dataset = workspace.dataset(sessions, recipe.columns)
    learned, unseen = dataset.at(step.development), dataset.at(step.predicted)
    print(f"{len(learned.returns):,} rows x {learned.features.shape[1]} features")
    ensemble = VotingRegressor(
        [
            ("histogram", HistGradientBoostingRegressor(random_state=settings.seed)),
            ("forest", RandomForestRegressor(random_state=settings.seed)),
            ("boosting", GradientBoostingRegressor(random_state=settings.seed)),
        ]
    )
    model = make_pipeline(preparation(dataset.numeric, dataset.categorical), ensemble)
    began = time.process_time()
    model.fit(learned.features, learned.returns)
    predicted = pd.Series(model.predict(unseen.features), unseen.returns.index)
    cpu = time.process_time() - began
    ic = float(rank_ic(unseen.returns, predicted).mean())
    return cpu, mae(unseen.returns, predicted), r2(unseen.returns, predicted), ic


if __name__ == "__main__":
    main(sys.argv[1:] or list(OURS))
