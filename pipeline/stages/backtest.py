"""Backtest: a registered model on sessions it could not have learned from."""

from __future__ import annotations

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from pipeline.io import registry, tracking
from pipeline.io.store import Store
from pipeline.settings import Settings
from pipeline.stages import (
    _capacity,
    _data,
    _evidence,
    _predictions,
    _report,
    _sweep,
    _sweep_report,
    _tear_sheet,
    _trading,
)
from pipeline.stages._runner import command
from pipeline.trading.performance import summary

ANSWER = "The answer of the retrain that made this version; a backtest asks no gates."
REFITTED = (
    "Traded are refits of its recipe, each on earlier sessions alone. Their parameters are the "
    "version's, chosen on later sessions: evidence is a walk-forward retrain, not this."
)


def run(settings: Settings) -> None:
    """Trade the model's out-of-sample predictions; default its holdout."""
    version = registry.find(settings.backtest.model, who="backtest")
    asked = settings.backtest
    with _data.open_store(settings) as store:
        predicted = _predicted(settings, store, version)
        traded = _trading.market(settings, store, _predictions.sessions_of(predicted))
        _log_settings(settings, version)
        print(f"\nversion {version.version}, {_span(traded.sessions)}")
        _judge(settings, store, version, predicted, traded)
        if asked.capacity:
            print(f"{_capacity.said(_capacity.write(settings, predicted, traded))}.")
        if asked.grid:
            table = _sweep.write(settings, store, predicted, traded)
            print(f"\n{_sweep_report.printed(table, asked.grid)}")


def _predicted(settings: Settings, store: Store, version: ModelVersion) -> pd.Series:
    """By the model itself, where it could not have cheated; or by its recipe, refitted."""
    asked = settings.backtest
    if asked.refit is None:
        return _predictions.out_of_sample(
            settings, store, version, asked.first, asked.last, "backtest"
        )
    from pipeline.stages import _refits  # brings the learners

    return _refits.predicted(settings, store, version, "backtest")


def _log_settings(settings: Settings, version: ModelVersion) -> None:
    content = settings.model_dump(mode="json", by_alias=True)
    tracking.log_settings(content, ("backtest", "strategy"))
    mlflow.set_tags(
        {
            "model_version": version.version,
            "data_source": settings.data.name,
            "recipe": version.tags.get("recipe", ""),
        }
    )


def _judge(
    settings: Settings,
    store: Store,
    version: ModelVersion,
    predicted: pd.Series,
    traded: _trading.Market,
) -> None:
    """Books, metrics and tear sheet under the settings themselves; logged."""
    books = _trading.books(settings, predicted, traded)
    looks = _evidence.earlier_looks(settings, predicted, traded.sessions)
    metrics = summary(books, _trading.benchmark(traded))
    metrics |= _evidence.luck(books.net_returns, len(looks) + 1, settings.seed)
    mlflow.log_metrics(metrics)
    _report.log_books(books)
    told = _tear_sheet.Told(
        title=f"Backtest of version {version.version}",
        facts=_report.traded_facts(settings, books),
        verdict=version.tags.get("verdict", "not asked"),
        reasons=[ANSWER, *([REFITTED] if settings.backtest.refit else [])],
    )
    _tear_sheet.log(settings, store, books, predicted, traded, metrics, told)
    print(_report.headline_table(metrics).to_string(index=False))


def _span(sessions: pd.DatetimeIndex) -> str:
    return f"{sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}"


if __name__ == "__main__":
    command("backtest", run)
