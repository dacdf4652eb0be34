"""Main: everything from nothing, ingest to signals, each stage a nested run."""

from __future__ import annotations

import logging

from pipeline.errors import Refused
from pipeline.settings import Settings
from pipeline.stages import _data, backtest, retrain, signals
from pipeline.stages._runner import command, step

log = logging.getLogger("pipeline.main")


def run(settings: Settings) -> None:
    """Refresh the data, retrain, backtest the challenger, and list the champion's signals.

    Without a champion there are no signals: an answer, not a failure.
    """
    _data.refresh(settings)
    step("retrain", retrain.run, settings.without_refresh())
    step("backtest", backtest.run, settings)
    try:
        step("signals", signals.run, settings)
    except Refused as answer:
        log.info("%s", answer)


if __name__ == "__main__":
    command("main", run)
