"""Main: everything from nothing, ingest to signals, each stage a nested run."""

from __future__ import annotations

import skops.io  # isort: skip  # noqa: F401  before others: it searches every module it finds

from pipeline.config.settings import Settings
from pipeline.stages import backtest, retrain, signals
from pipeline.stages._cli import ask, command, refresh, step


def run(settings: Settings) -> None:
    """Refresh the data, retrain, backtest the challenger, and list the champion's signals.

    Without a champion there are no signals: an answer, not a failure.
    """
    refresh(settings)
    step("retrain", retrain.run, settings.without_refresh())
    step("backtest", backtest.run, settings)
    ask("signals", signals.run, settings)


if __name__ == "__main__":
    command("main", run)
