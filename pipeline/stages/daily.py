"""Daily: the evening routine, new bars to tomorrow's signals; safe to run twice."""

from __future__ import annotations

import logging

from pipeline.errors import Refused
from pipeline.settings import Settings
from pipeline.stages import _data, signals
from pipeline.stages._runner import command, step

log = logging.getLogger("pipeline.daily")


def run(settings: Settings) -> None:
    """Bring the data up to date, then list the champion's trades for the next session.

    Without a champion there are no signals: an answer, not a failure.
    """
    _data.refresh(settings)
    try:
        step("signals", signals.run, settings)
    except Refused as answer:
        log.info("%s", answer)


if __name__ == "__main__":
    command("daily", run)
