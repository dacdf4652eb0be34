"""Main: everything from nothing, ingest to signals, each stage a nested run."""

from __future__ import annotations

from pipeline.settings import Settings
from pipeline.stages import _data, backtest, retrain, signals
from pipeline.stages._runner import ask, command, step


def run(settings: Settings) -> None:
    """Refresh the data, retrain, backtest the challenger, and list the champion's signals.

    Without a champion there are no signals: an answer, not a failure.
    """
    _data.refresh(settings)
    step("retrain", retrain.run, settings.without_refresh())
    step("backtest", backtest.run, settings)
    ask("signals", signals.run, settings)


if __name__ == "__main__":
    command("main", run)
