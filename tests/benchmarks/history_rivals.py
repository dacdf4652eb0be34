"""A finished walk-forward beside other models on the same rows, year by year.

Run by hand, with the overrides of the walk-forward and its run id, or ``newest``::

    python -m tests.benchmarks.history_rivals newest experiment=history data.path=...

Rivals, each fitted at the same refit dates on the same rows of the same features:

- ``zero`` and ``ridge``: the baselines of every retrain.
- ``reference``: histogram gradient boosting, random forest and gradient boosting of scikit-learn
  with their default parameters, averaged, on the raw return after median imputation: the learners
  of the system this project replaces. Its forests are too slow for all rows, so it sees 20,000 of
  them, whole sessions evenly spread. ``own, 20,000 rows`` is this project's model on those rows.
- ``qlib``: LightGBM with the parameters qlib publishes for its Alpha158 benchmark, on the return
  standardised in its session; 300,000 rows, whole sessions evenly spread: on all of them its 210
  leaves take ten minutes a refit. ``own, 300,000 rows`` is this project's model on those.

Three tables: rank IC by year, R² by year, and the backtest of each by the run's strategy. What a
refit forecast is kept in `artifacts/rivals`, so that a stopped benchmark goes on. The run may still
be at work: its predictions are read when the rivals are done.
"""

from __future__ import annotations

import sys
import time

import mlflow
import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.pipeline import make_pipeline

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.contract import Artifacts, Tags
from pipeline.io.files import write_atomically
from pipeline.io.tracking import experiment, runs
from pipeline.learning.baselines import baselines
from pipeline.learning.dataset import Dataset, model_inputs
from pipeline.learning.metrics import by_group, rank_ic
from pipeline.learning.models import preparation
from pipeline.learning.search.folds import capped
from pipeline.recipe.books import books
from pipeline.recipe.fit import Parameters, fitted
from pipeline.recipe.recipe import Recipe
from pipeline.schemas import SESSION
from pipeline.trading.market import Market
from pipeline.trading.performance import equal_weight_benchmark, summary
from pipeline.workspace import Workspace

ROWS = 20_000
QLIB_ROWS = 300_000
QLIB = {
    "colsample_bytree": 0.8879, "learning_rate": 0.0421, "subsample": 0.8789,
    "reg_alpha": 205.6999, "reg_lambda": 580.9768, "max_depth": 8, "num_leaves": 210,
    "n_estimators": 300, "subsample_freq": 1, "verbosity": -1, "n_jobs": 1,
}  # fmt: skip


def main(run_id: str, overrides: list[str]) -> None:
    settings = check(compose(overrides))
    experiment.prepare(experiment.tracking_uri(), settings.tracking.experiment_name)
    if run_id == "newest":
        run_id = _newest_walk_forward()
    recipe = build.recipe(settings)
    with Workspace.open(settings) as workspace:
        kept = workspace.folder / "rivals" / run_id
        kept.mkdir(parents=True, exist_ok=True)
        dataset = workspace.dataset(workspace.store.label_ready_sessions(), recipe.columns)
        for step in recipe.windows.walk_forward(dataset.sessions):
            path = kept / f"{step.predicted[0]:%Y-%m-%d}.parquet"
            if not path.exists():
                began = time.perf_counter()
                part = rivals(recipe, dataset.at(step.development), dataset.at(step.predicted))
                write_atomically(path, part.to_parquet)
                print(f"refit of {path.stem}: {time.perf_counter() - began:.0f} s", flush=True)
        own = runs.read_frame(run_id, Artifacts.PREDICTIONS).dropna()
        parts = [pd.read_parquet(path) for path in sorted(kept.glob("*.parquet"))]
        forecasts = pd.concat(parts).reindex(own.index)
        forecasts.insert(0, "own", own["prediction"])
        returns = own["intraday_return"]
        print(f"\nrank IC x 1000\n{skill(returns, forecasts, 'rank_ic', 1e3)}")
        print(f"\nR2 x 10,000\n{skill(returns, forecasts, 'r2', 1e4)}")
        days = pd.DatetimeIndex(own.index.get_level_values(SESSION).unique())
        market = workspace.market(days, recipe.rules)
        print(f"\nbacktest\n{backtests(recipe, forecasts, market)}")


def _newest_walk_forward() -> str:
    where = f"attributes.status = 'FINISHED' and tags.{Tags.EVALUATION} = 'walk_forward'"
    newest = mlflow.search_runs(filter_string=where, output_format="list", max_results=1)
    if not newest:
        raise SystemExit("no finished walk-forward in this MLflow store")
    return str(newest[0].info.run_id)


def rivals(recipe: Recipe, development: Dataset, predicted: Dataset) -> pd.DataFrame:
    """Forecasts of every rival for the predicted rows."""
    few = capped(development, ROWS)
    found = baselines(development, predicted.features, recipe.target)[["zero", "ridge"]]
    learners = fixed(recipe)
    shrunk = dict.fromkeys(learners, recipe.min_slope / len(learners))
    many = capped(development, QLIB_ROWS)
    for name, rows in ((f"own, {ROWS:,} rows", few), (f"own, {QLIB_ROWS:,} rows", many)):
        own = fitted(recipe, learners, rows, shrunk)
        found[name] = own.predict(model_inputs(predicted.features))
    reference = VotingRegressor(
        [
            ("histogram", HistGradientBoostingRegressor(random_state=7)),
            ("forest", RandomForestRegressor(random_state=7, n_jobs=2)),
            ("boosting", GradientBoostingRegressor(random_state=7)),
        ]
    )
    pipeline = make_pipeline(preparation(few.numeric, few.categorical), reference)
    found["reference"] = pipeline.fit(few.features, few.returns).predict(predicted.features)
    sessions = many.returns.groupby(level=SESSION)
    spread = float(many.returns.std())
    standardised = (many.returns - sessions.transform("mean")) / sessions.transform("std")
    boosted = make_pipeline(
        preparation(many.numeric, many.categorical),
        LGBMRegressor(random_state=7, **QLIB),
    )
    boosted.fit(many.features, standardised)
    found["qlib"] = boosted.predict(predicted.features) * spread
    return found


def fixed(recipe: Recipe) -> Parameters:
    """The model's initial parameters."""
    return {learner.name: learner.initial for learner in recipe.learners}


def skill(returns: pd.Series, forecasts: pd.DataFrame, metric: str, scale: float) -> str:
    """A score by year and over all years, with the t of the rank IC."""
    days = pd.DatetimeIndex(returns.index.get_level_values(SESSION).unique())
    years, whole = pd.Series(days.year.astype(str), days), pd.Series("all", days)
    rows = {}
    for name, values in forecasts.items():
        groups = [by_group(returns, values, group) for group in (years, whole)]
        rows[name] = scale * pd.concat(groups)[metric]
        if metric == "rank_ic":
            scores = rank_ic(returns, values)
            rows[name]["t"] = groups[1].loc["all", "rank_ic_t"]
            rows[name]["plain t"] = scores.mean() / scores.std() * scores.count() ** 0.5
    return pd.DataFrame(rows).T.round(1).to_string()


def backtests(recipe: Recipe, forecasts: pd.DataFrame, market: Market) -> str:
    """Trades, Sharpe before and after costs, and return a year of each, by the same strategy."""
    shown = ["trades", "gross_sharpe", "sharpe", "annualized_return", "break_even_bps"]
    benchmark = equal_weight_benchmark(market.open, market.close, forecasts.iloc[:, 0])
    rows = {}
    for name, values in forecasts.items():
        found = summary(books(recipe.rules, recipe.bankroll, values, market), benchmark)
        rows[name] = [found.get(f"backtest/{key}", np.nan) for key in shown]
    return pd.DataFrame.from_dict(rows, orient="index", columns=shown).round(3).to_string()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
