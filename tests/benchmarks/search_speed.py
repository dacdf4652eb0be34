"""CPU seconds of a default search of 200 trials, and a digest of all that it found.

    python -m tests.benchmarks.search_speed [--trials N] [--beside N] [--panel FOLDER] [overrides]

A made-up panel of 100 symbols and 1,500 sessions goes through the data stages once (kept in FOLDER,
so that two versions of the code are measured on the same rows), then the default recipe is
searched on all of it but the newest 30 days. No MLflow: what recording costs is measured by
`trial_recording`. Digests of two versions are equal where every trial, score and forecast is.
With `--beside N`, no search: N draws of each learner's space are validated on one fold, each by
itself and with what trials share, one after the other; the CPU seconds of both are compared.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.io.journal import opened
from pipeline.learning.search.folds import Fold, prepared_folds
from pipeline.learning.search.objectives import StrategyReturns
from pipeline.learning.search.proposals import Proposer
from pipeline.learning.search.trials import Trial
from pipeline.learning.search.validation import Validation, validated
from pipeline.learning.threads import single_threaded
from pipeline.recipe.books import net_returns
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.search import Chosen, searched
from pipeline.stages._cli import DATA_STAGES
from pipeline.workspace import Workspace
from tests.soak import panels

SYMBOLS, SESSIONS, REVERSAL = 100, 1500, 0.05


def main() -> None:
    """Print CPU and wall seconds and the digest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=100, help="of each of the two learners")
    parser.add_argument("--beside", type=int, help="draws of each learner, alone and shared")
    parser.add_argument("--panel", type=Path, help="where the panel is kept")
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.panel or Path(temporary)
        settings = settings_on(folder, [f"hpo.n_trials={given.trials}", *given.overrides])
        recipe = build.recipe(settings)
        with Workspace.open(settings) as workspace:
            ready = workspace.store.label_ready_sessions()
            step = recipe.windows.holdout(ready)
            development = workspace.dataset(step.development, recipe.columns)
            market = workspace.market(development.sessions, recipe.rules)
        print(f"{len(development.returns):,} rows x {len(recipe.columns)} columns")
        returns = partial(net_returns, recipe.rules, recipe.bankroll, market)
        if given.beside:
            folds = prepared_folds(
                development, recipe.splitter, recipe.target, max_rows=recipe.plan.max_rows
            )
            beside(recipe, folds[-1], returns, given.beside)
            return
        with opened(Path(temporary) / "journal", "benchmark") as studies:
            cpu, wall = time.process_time(), time.perf_counter()
            chosen = searched(
                recipe,
                development,
                studies,
                strategy_returns=returns,
                clock=time.perf_counter,
            )
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    by_learner = pd.Series([t.seconds for t in chosen.trials], [t.learner for t in chosen.trials])
    shares = ", ".join(f"{k} {v:.1f} s" for k, v in by_learner.groupby(level=0).sum().items())
    print(f"{len(chosen.trials)} trials: {cpu:.1f} s CPU, {wall:.1f} s wall ({shares} of folds)")
    print(f"digest {digest(chosen)}")


def beside(recipe: Recipe, fold: Fold, returns: StrategyReturns, draws: int) -> None:
    """Print CPU seconds of each learner's fits alone and shared, and whether they are equal."""
    with single_threaded():
        for learner in recipe.learners:
            proposer = Proposer(learner, "maximize", recipe.seed, "random")
            asked = [trial.params for trial in proposer.ask(0, draws)]
            spent, equal = [0.0, 0.0], True
            for params in asked:
                results = []
                for way, space in enumerate(({}, learner.space)):
                    validation = Validation(
                        learner.changed(space=space),
                        recipe.plan.objective,
                        recipe.seed,
                        lambda: 0.0,
                    )
                    began = time.process_time()
                    results.append(validated(fold, returns, validation, params))
                    spent[way] += time.process_time() - began
                equal &= results[0].predictions.equals(results[1].predictions)
            alone, shared = spent
            print(
                f"{learner.name}: {draws} draws alone {alone:.2f} s CPU, shared {shared:.2f} s, "
                f"{alone / shared:.2f} times less, equal: {equal}"
            )


def settings_on(folder: Path, overrides: list[str]) -> Settings:
    """Settings of the default recipe on the made-up panel, through the data stages by now."""
    bars, done = folder / "bars.parquet", folder / "done"
    words = [
        "data=files", f"data.path={bars}", f"store.path={folder}/store.db",
        "retrain.expanding=true", "compute.workers=1", *overrides,
    ]  # fmt: skip
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = panels.bars(1, symbols=SYMBOLS, sessions=SESSIONS, reversal=REVERSAL, common=0.25)
        made.reset_index().to_parquet(bars)
        environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        for stage in DATA_STAGES:
            command = [sys.executable, "-m", f"pipeline.stages.{stage}", *words]
            subprocess.run(command, env=environment, check=True)
        done.touch()
    return check(compose(words))


def digest(chosen: Chosen) -> str:
    """Of every trial's parameters, scores and forecasts, and of what was chosen."""
    metrics = {k: v for k, v in chosen.metrics.items() if k != "search/seconds"}
    of_all = (trials_digest(chosen.trials), chosen.params, chosen.weights, metrics)
    return hashlib.sha256(repr(of_all).encode()).hexdigest()[:16]


def trials_digest(trials: Sequence[Trial]) -> str:
    """Of every trial's parameters, scores and forecasts."""
    total = hashlib.sha256()
    for trial in trials:
        for series in (trial.session_scores, trial.strategy_returns, trial.out_of_fold):
            if series is not None:
                total.update(series.to_numpy().tobytes())
        total.update(repr((trial.params, trial.state, trial.value, trial.fold_metrics)).encode())
    return total.hexdigest()[:16]


if __name__ == "__main__":
    main()
