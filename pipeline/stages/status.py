"""Status: what is there, what is missing, and the one command to run next."""

from __future__ import annotations

from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Tags, Verdicts
from pipeline.errors import AllDamaged
from pipeline.io.tracking import notes
from pipeline.io.tracking.dead_runs import close_dead_runs
from pipeline.report.readiness import Line, Readiness
from pipeline.serving.readiness import store_lines, without_store
from pipeline.serving.readiness_of_models import model_lines
from pipeline.stages._cli import command
from pipeline.workspace import Workspace


def run(settings: Settings) -> None:
    """Print the table and the next command; exit code 1 when not ready to retrain.

    Raises
    ------
    NotReady
        A retrain is impossible.
    Damaged
        The forecast ledger is not as it was sealed; with ``status.deep``, anything that is kept.
    """
    closed, deep = close_dead_runs(), settings.status.deep
    if settings.store.database.exists():
        with Workspace.open(settings) as workspace:
            lines = [_undamaged(workspace)] if deep else []
            lines += store_lines(workspace, build.window_plan(settings))
    else:
        lines = [_undamaged(None)] if deep else []
        lines.append(without_store(settings.data.name))
    readiness = Readiness([*lines, *model_lines(settings.gates)])
    print(readiness.as_json() if settings.status.as_json else readiness.printed(closed))
    notes.log_metrics(readiness.metrics)
    for damage in (line.damage for line in readiness.lines if line.damage):
        raise damage
    if not readiness.is_ready:
        notes.set_tags({Tags.VERDICT: Verdicts.NOT_READY})
    readiness.require_retrain()


def _undamaged(workspace: Workspace | None) -> Line:
    """That all that is kept is as it was written; each fault is printed with what heals it."""
    from pipeline.serving import deep_check  # brings Optuna

    try:
        deep_check.require_undamaged(workspace)
    except AllDamaged as damage:
        print("\n".join(map(str, damage.damages)))
        raise
    return Line("undamaged", True, "everything that is kept is as it was written", None)


if __name__ == "__main__":
    command("status", run)
