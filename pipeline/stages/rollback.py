"""Rollback: give `champion` back to the version that held it before."""

from __future__ import annotations

from pipeline.config.settings import Settings
from pipeline.contract import Tags, Verdicts
from pipeline.io import process
from pipeline.io.tracking import champion, notes
from pipeline.stages._cli import command


def run(settings: Settings) -> None:
    """Move the alias to its previous holder, with `promote.reason` if one is given."""
    move = champion.roll_back(settings.promote.reason, process.user())
    notes.set_tags({Tags.MODEL_VERSION: str(move.version), Tags.VERDICT: Verdicts.ROLLED_BACK})
    before = f", before it version {move.previous}" if move.previous else ""
    print(f"champion: version {move.version}{before}; {move.reason}")


if __name__ == "__main__":
    command("rollback", run)
