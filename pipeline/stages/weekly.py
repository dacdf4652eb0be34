"""Weekly: the weekend routine, a retrain and the question whether it deserves promotion."""

from __future__ import annotations

from pipeline.config.settings import Settings
from pipeline.stages import promote, retrain
from pipeline.stages._cli import ask, command, step


def run(settings: Settings) -> None:
    """Retrain on fresh data and ask for promotion; a refusal is an answer, not a failure."""
    step("retrain", retrain.run, settings)
    ask("promote", promote.run, settings)


if __name__ == "__main__":
    command("weekly", run)
