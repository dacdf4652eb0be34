"""Daily: the evening routine, new bars to tomorrow's signals; safe to run twice."""

from __future__ import annotations

from pipeline.config.settings import Settings
from pipeline.stages import signals
from pipeline.stages._cli import ask, command, refresh


def run(settings: Settings) -> None:
    """Bring the data up to date, then list the champion's trades for the next session.

    Without a champion there are no signals: an answer, not a failure.
    """
    refresh(settings)
    ask("signals", signals.run, settings)


if __name__ == "__main__":
    command("daily", run)
