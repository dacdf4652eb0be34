"""Weekly: the weekend routine, a retrain and the question whether it deserves promotion."""

from __future__ import annotations

import logging

from pipeline.errors import Refused
from pipeline.settings import Settings
from pipeline.stages import promote, retrain
from pipeline.stages._runner import command, step

log = logging.getLogger("pipeline.weekly")


def run(settings: Settings) -> None:
    """Retrain on fresh data and ask for promotion; a refusal is an answer, not a failure."""
    step("retrain", retrain.run, settings)
    try:
        step("promote", promote.run, settings)
    except Refused as answer:
        log.info("%s", answer)


if __name__ == "__main__":
    command("weekly", run)
