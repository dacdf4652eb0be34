"""Daily: the evening routine, new bars to the next signals; safe to run twice, late or by cron."""

from __future__ import annotations

import mlflow

from pipeline.config.settings import Settings
from pipeline.contract import Aliases
from pipeline.errors import Refused
from pipeline.io import clock
from pipeline.io.tracking import registry
from pipeline.monitor.names import LifeTags
from pipeline.report.life import summary_line
from pipeline.serving import routine
from pipeline.stages import score, signals
from pipeline.stages._cli import command, refresh, step
from pipeline.workspace import Workspace


def run(settings: Settings) -> None:
    """Bring the data up to date, score what is over, then list the champion's next trades.

    Without a champion there are no signals: an answer, not a failure. Any other refusal of
    `signals`, for stale data or a stopped champion, is one, after all else is done. The last line
    sums the evening up for a monitoring system.
    """
    database = settings.store.database
    database.folder.mkdir(parents=True, exist_ok=True)
    with database.lock("daily", "daily", 0.0):
        if database.exists():
            with Workspace.open(settings) as workspace:
                resting = routine.holiday(workspace, clock.now())
            if resting:
                print(f"{resting}\n{summary_line('daily', {'result': 'holiday'})}")
                return
        refresh(settings)
        step("score", score.run, settings)
        refusal: Refused | None = None
        try:
            step("signals", signals.run, settings)
        except Refused as refused:
            refusal = refused
    has_champion = registry.holder(Aliases.CHAMPION) is not None
    result = "ok" if refusal is None else refusal.verdict if has_champion else "no champion"
    with Workspace.open(settings) as workspace:
        facts = routine.summed_up(workspace)._asdict()
    facts |= {} if refusal is None else {"orders": "0"}
    reason = "" if refusal is None else refusal.found
    line = summary_line("daily", {"result": result, **facts, "reason": reason})
    mlflow.set_tag(LifeTags.SUMMARY, line)
    if refusal is not None and not has_champion:
        print(refusal)
    print(line)
    if refusal is not None and has_champion:
        raise refusal


if __name__ == "__main__":
    command("daily", run)
