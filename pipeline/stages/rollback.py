"""Rollback: give `champion` back to the version that held it before."""

from __future__ import annotations

import getpass

import mlflow

from pipeline.errors import NotReady
from pipeline.io import registry
from pipeline.settings import Settings
from pipeline.stages._runner import command


def run(settings: Settings) -> None:
    """Move the alias to its previous holder, with `promote.reason` if one is given."""
    current = registry.find(registry.CHAMPION, who="rollback")
    previous = registry.previous_champion(int(current.version))
    if previous is None:
        raise NotReady(
            "rollback",
            f"version {current.version} is the first champion",
            "a champion before it",
            "mlflow run . -e promote -P overrides=promote.version=N",
        )
    registry.find(previous, who="rollback")
    reason = settings.promote.reason or f"rollback from version {current.version}"
    registry.move_champion(
        previous, action="rollback", reason=reason, forced=False, by=getpass.getuser()
    )
    mlflow.set_tags({"model_version": str(previous), "verdict": "rolled back"})
    print(f"champion: version {previous}, before it version {current.version}; {reason}")


if __name__ == "__main__":
    command("rollback", run)
