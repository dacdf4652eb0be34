"""Daily: the evening routine, new bars to the next signals; safe to run twice, late or by cron."""

from __future__ import annotations

from pipeline.config.settings import Settings
from pipeline.contract import Aliases
from pipeline.errors import Refused
from pipeline.io import clock
from pipeline.io.tracking import life, registry
from pipeline.serving import routine
from pipeline.stages import score, signals
from pipeline.stages._cli import command, refresh, step
from pipeline.workspace import Workspace


def run(settings: Settings) -> None:
    """Bring the data up to date, score what is over, then list the champion's next trades.

    Where nobody was ever champion there are no signals: an answer, not a failure. Any other refusal
    of `signals`, for stale data, a stopped champion or an alias that was taken away, is one, after
    all else is done; so is a ledger that is not as it was sealed. The last line sums the evening up
    for a monitoring system, however it ends.
    """
    database = settings.store.database
    with routine.last_line("daily") as report, routine.alone(database, "daily"):
        if database.exists():
            with Workspace.open(settings) as workspace:
                resting = routine.holiday(workspace, clock.now())
            if resting:
                print(resting)
                report({"result": "holiday"})
                return
        refresh(settings)
        step("score", score.run, settings)
        refusal: Refused | None = None
        try:
            step("signals", signals.run, settings)
        except Refused as refused:
            refusal = refused
        with Workspace.open(settings) as workspace:
            facts = routine.summed_up(workspace)._asdict()
            damage = routine.ledger_damage(workspace.store, "daily")
        never = registry.holder(Aliases.CHAMPION) is None and not life.events()
        failure = damage or (None if never else refusal)
        if refusal is not None and failure is not refusal:
            print(refusal)
        reported = failure or refusal
        result = failure.verdict if failure else "no champion" if refusal else "ok"
        facts |= {} if refusal is None else {"orders": "0"}
        report({"result": result, **facts, "reason": reported.found if reported else ""})
        if failure is not None:
            raise failure


if __name__ == "__main__":
    command("daily", run)
