"""Backtest: a registered model on sessions it could not have learned from."""

from __future__ import annotations

import mlflow
import pandas as pd

from pipeline.io import registry, tracking
from pipeline.schemas import SESSION
from pipeline.settings import Settings
from pipeline.stages import _data, _evidence, _predictions, _report, _tear_sheet, _trading
from pipeline.stages._runner import command


def run(settings: Settings) -> None:
    """Trade the model's out-of-sample predictions; default its holdout."""
    version = registry.find(settings.backtest.model, who="backtest")
    asked = settings.backtest
    with _data.open_store(settings) as store:
        predicted = _predictions.out_of_sample(
            settings,
            store,
            version,
            asked.first,
            asked.last,
            "backtest",
        )
        sessions = pd.DatetimeIndex(predicted.index.get_level_values(SESSION).unique())
        traded = _trading.market(settings, store, sessions)
    result = _trading.books(settings, predicted, traded)
    looks = _evidence.earlier_looks(settings, predicted, sessions)
    metrics = _trading.metrics(result, traded)
    metrics |= _evidence.luck(result.net_returns, len(looks) + 1, settings.seed)
    content = settings.model_dump(mode="json", by_alias=True)
    tracking.log_settings(content, ("backtest", "strategy"))
    mlflow.log_metrics(metrics)
    mlflow.set_tags(
        {
            "model_version": version.version,
            "data_source": settings.data.name,
            "recipe": version.tags.get("recipe", ""),
        }
    )
    _report.log_books(result)
    told = _tear_sheet.Told(
        title=f"Backtest of version {version.version}",
        facts=_report.traded_facts(settings, result),
        verdict=version.tags.get("verdict", "not asked"),
        reasons=["The answer of the retrain that made this version; a backtest asks no gates."],
    )
    _tear_sheet.log(settings, result, predicted, metrics, told)
    print(f"\nversion {version.version}, {sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}")
    print(_report.headline_table(metrics).to_string(index=False))


if __name__ == "__main__":
    command("backtest", run)
