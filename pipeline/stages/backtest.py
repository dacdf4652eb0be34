"""Backtest: a registered model on sessions it could not have learned from."""

from __future__ import annotations

import pandas as pd
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from pipeline.config import build, sweep
from pipeline.config.logged import for_refits
from pipeline.config.settings import Settings
from pipeline.contract import Tags
from pipeline.io.tracking import notes, registry, runs
from pipeline.io.tracking.backtest import record_backtest, record_capacity
from pipeline.io.tracking.values import ModelVersion
from pipeline.recipe.decision import with_indication
from pipeline.report.jobs import Traded
from pipeline.report.summary import printed_headlines
from pipeline.report.sweep import printed_sweep
from pipeline.report.text_tables import wrapped
from pipeline.serving import versions
from pipeline.serving.sweeping import TradedVersion
from pipeline.stages._cli import command
from pipeline.trading.capacity import size_aware
from pipeline.workspace import Workspace


def run(settings: Settings) -> Traded:
    """Trade the model's out-of-sample predictions; default its holdout."""
    chosen, rules = settings.backtest, build.rules(settings)
    version = registry.find(chosen.model, who="backtest")
    with Workspace.open(settings) as workspace:
        versions.check_source(workspace, version, "backtest")
        if chosen.refit:
            of_version = for_refits(settings, runs.config_of(str(version.run_id)))
            forecasts = _refitted(of_version, version, chosen.first)
        else:
            forecasts = versions.out_of_sample(
                workspace, version, chosen.first, chosen.last, "backtest"
            )
        predicted = forecasts["prediction"]
        market = with_indication(
            workspace.market(versions.sessions_of(predicted), rules), forecasts
        )
        notes.log_settings(settings.content, ("backtest", "strategy"))
        notes.set_tags(
            {
                Tags.MODEL_VERSION: version.version,
                Tags.DATA_SOURCE: workspace.data_source,
                Tags.RECIPE: version.tags.get(Tags.RECIPE, ""),
            }
        )
        first, last = market.sessions[0], market.sessions[-1]
        what = f"version {version.version}, {settings.strategy.name}"
        notes.set_tags({MLFLOW_RUN_NAME: f"backtest {what}, until {last:%Y-%m-%d}"})
        print(f"\nversion {version.version}, {first:%Y-%m-%d} to {last:%Y-%m-%d}")
        traded = record_backtest(
            workspace, version, predicted, market, rules,
            bankroll=chosen.bankroll, strategy=settings.strategy.name,
            refitted=chosen.refit is not None, seed=settings.seed,
        )  # fmt: skip
        print(printed_headlines(traded.metrics))
        if chosen.capacity:
            sized = size_aware(
                rules, chosen.capacity_impact, chosen.capacity_participation,
                chosen.capacity_auction_part,
            )  # fmt: skip
            sentence = record_capacity(predicted, market, sized, chosen.capacity)
            print(wrapped(f"{sentence}."))
        if chosen.grid:
            again = TradedVersion(workspace, version, predicted, market, rules)
            table, worth = again.sweep(sweep.combinations(settings), chosen.grid)
            print(f"\n{printed_sweep(table, chosen.grid)}\n{worth}")
        return traded


def _refitted(
    of_version: Settings, version: ModelVersion, first: pd.Timestamp | None
) -> pd.DataFrame:
    """Forecasts by the version's recipe, refitted as of each date; logged."""
    from pipeline.serving.refits import refitted  # brings the learners

    recipe, pool = build.recipe(of_version), build.pool(of_version.compute, "backtest")
    with Workspace.open(of_version) as workspace:
        return refitted(recipe, workspace, version, first, pool)


if __name__ == "__main__":
    command("backtest", run)
