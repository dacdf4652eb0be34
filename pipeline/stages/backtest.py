"""Backtest: a registered model on sessions it could not have learned from."""

from __future__ import annotations

import logging
from dataclasses import replace

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from pipeline.config import build, sweep
from pipeline.config.logged import for_refits
from pipeline.config.settings import Settings
from pipeline.contract import Artifacts, Tables, Tags
from pipeline.gates.looks import strategy_digest
from pipeline.io.tracking import looks, registry, runs
from pipeline.io.tracking.backtest import record_backtest, record_capacity
from pipeline.io.tracking.chosen import chosen_parameters
from pipeline.io.tracking.sweep import record_sweep
from pipeline.recipe.decision import forecast_columns, with_indication
from pipeline.recipe.sweep import hedged_with, swept_books
from pipeline.report.capacity import capacity_sentence
from pipeline.report.summary import printed_headlines
from pipeline.report.sweep import Grid, printed_sweep
from pipeline.serving import versions
from pipeline.stages._cli import command
from pipeline.trading.capacity import size_aware
from pipeline.trading.market import Market
from pipeline.trading.performance import equal_weight_benchmark
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.backtest")


def run(settings: Settings) -> None:
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
        runs.log_settings(settings.content, ("backtest", "strategy"))
        mlflow.set_tags(
            {
                Tags.MODEL_VERSION: version.version,
                Tags.DATA_SOURCE: workspace.data_source,
                Tags.RECIPE: version.tags.get(Tags.RECIPE, ""),
            }
        )
        first, last = market.sessions[0], market.sessions[-1]
        traded = f"version {version.version}, {settings.strategy.name}"
        mlflow.set_tag(MLFLOW_RUN_NAME, f"backtest {traded}, until {last:%Y-%m-%d}")
        print(f"\nversion {version.version}, {first:%Y-%m-%d} to {last:%Y-%m-%d}")
        metrics = record_backtest(
            workspace, version, predicted, market, rules,
            bankroll=chosen.bankroll, strategy=settings.strategy.name,
            refitted=chosen.refit is not None, seed=settings.seed,
        )  # fmt: skip
        print(printed_headlines(metrics))
        if chosen.capacity:
            sized = size_aware(
                rules, chosen.capacity_impact, chosen.capacity_participation,
                chosen.capacity_auction_part,
            )  # fmt: skip
            capacity = record_capacity(predicted, market, sized, chosen.capacity)
            print(f"{capacity_sentence(capacity)}.")
        if chosen.grid:
            combinations = sweep.combinations(settings)
            _sweep(combinations, chosen.grid, workspace, version, predicted, market, rules)


def _refitted(
    of_version: Settings, version: ModelVersion, first: pd.Timestamp | None
) -> pd.DataFrame:
    """Forecasts by the version's recipe, refitted as of each date; logged."""
    from pipeline.serving.refits import refits  # brings the learners

    run_id = str(version.run_id)
    recipe = build.recipe(of_version)
    until = mlflow.get_run(run_id).data.tags[Tags.WINDOW_END]
    with Workspace.open(of_version) as workspace:
        versions.check_serves(workspace, version, "backtest")
        planned = refits(recipe, workspace, first, "backtest")
        workspace.require_current("backtest", planned.dataset.sessions, labels=True)
        count = len(planned.steps)
        log.info("backtest: %d refits with the parameters chosen until %s", count, until)
        mlflow.set_tags({Tags.REFIT: "walk_forward", Tags.CHOSEN_UNTIL: until})
        journal = planned.journal(workspace, version.version, runs.current_run_id())
        with runs.timed("refits"):
            params = chosen_parameters(run_id, [own.name for own in recipe.learners])
            with build.pool(of_version.compute, "backtest") as pool:
                predicted, steps = planned.predicted(params, workspace, journal, pool)
    runs.log_table(steps, Tables.STEPS)
    runs.log_frame(predicted, Artifacts.PREDICTIONS)
    journal.remove()
    return forecast_columns(predicted)


def _sweep(
    combinations: list[sweep.Combination],
    grid: Grid,
    workspace: Workspace,
    version: ModelVersion,
    predicted: pd.Series,
    market: Market,
    rules: Rules,
) -> None:
    """Trade every combination of `backtest.sweep`; log a nested run of each."""
    swept = swept_books(
        [(each.rules, each.bankroll) for each in combinations],
        predicted,
        market,
        hedged_with(rules),
        lambda other: replace(
            workspace.market(market.sessions, other), indication=market.indication
        ),
    )
    benchmark = equal_weight_benchmark(market.open, market.close, predicted)
    recipe = version.tags.get(Tags.RECIPE, "")
    base = looks.look(workspace, "", recipe, predicted, rules, combinations[0].bankroll)

    def shown(number: int, run_id: str) -> dict[str, str]:
        each = combinations[number]
        strategy = strategy_digest(each.rules, each.bankroll)
        look = replace(base, run_id=run_id, strategy=strategy)
        looks.keep_look(workspace, look)
        return looks.look_tags(look)

    changes = [each.changes for each in combinations]
    table, worth = record_sweep(changes, swept, benchmark, grid, shown)
    print(f"\n{printed_sweep(table, grid)}\n{worth}")


if __name__ == "__main__":
    command("backtest", run)
