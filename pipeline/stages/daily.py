"""Daily: the evening routine, new bars to tomorrow's signals; safe to run twice."""

from __future__ import annotations

from pipeline.settings import Settings
from pipeline.stages import _data, signals
from pipeline.stages._runner import ask, command


def run(settings: Settings) -> None:
    """Bring the data up to date, then list the champion's trades for the next session.

    Without a champion there are no signals: an answer, not a failure.
    """
    _data.refresh(settings)
    ask("signals", signals.run, settings)


if __name__ == "__main__":
    command("daily", run)
