"""Promote: move `champion` to a version that passes every gate, or say why not."""

from __future__ import annotations

import pandas as pd

from pipeline.commands import Command
from pipeline.config import build
from pipeline.config.compose import overridden_gates
from pipeline.config.settings import Settings
from pipeline.contract import Aliases, LifeTables, Tables, Tags, Verdicts
from pipeline.gates.gates import in_words
from pipeline.gates.verdict import gate_table, gate_tags, verdict
from pipeline.io import process
from pipeline.io.tracking import champion as champion_moves
from pipeline.io.tracking import life, notes, registering, registry, runs
from pipeline.io.tracking.values import ModelVersion
from pipeline.monitor.history import RESUMED, history_table
from pipeline.report.gates import printed_gates
from pipeline.report.life import printed_history
from pipeline.serving import verdicts, versions
from pipeline.serving.live import live_at_end_of, live_on
from pipeline.serving.promotion import Candidate, TradedBy, judged
from pipeline.stages import audit
from pipeline.stages._cli import ask, command
from pipeline.workspace import Workspace


def run(settings: Settings) -> None:
    """Check the gates of the challenger (or `promote.version`), then move the alias."""
    chosen = settings.promote
    if chosen.history:
        _print_history(settings)
        return
    registering.settle_challenger()
    champion_moves.settle("promote")
    version = registry.find(chosen.version or Aliases.CHALLENGER, who="promote")
    champion = registry.holder(Aliases.CHAMPION)
    overridden = overridden_gates(settings.gates)
    verdicts.require_reason_for_gates(overridden, chosen.reason)
    with Workspace.open(settings) as workspace:
        versions.check_serves(workspace, version, "promote")
        if champion and champion.version == version.version:
            _resume(workspace, version, chosen.reason if chosen.force else None)
            return
        verdicts.require_reason_to_resume(version, forced=chosen.force)
        candidate = Candidate.of(workspace, version)
        workspace.require_current("promote", candidate.sessions, labels=True, features=False)
        notes.set_tags({Tags.EVIDENCE: candidate.evidence.run_id})
        traded = TradedBy(build.rules(settings), settings.backtest.bankroll, settings.seed)
        answers = judged(
            workspace, candidate, champion, settings.gates, traded,
            lambda run_id: ask("audit", audit.run, settings.auditing(run_id)),
        )  # fmt: skip
        following = _after(workspace)
    answer = verdict(answers)
    print(f"\nversion {version.version}: {answer}\n\n{printed_gates(answers)}\n")
    runs.log_table(gate_table(answers), Tables.GATES)
    recorded = {Tags.OVERRIDDEN_GATES: in_words(overridden)} if overridden else {}
    notes.set_tags({Tags.MODEL_VERSION: version.version, Tags.GATES: answer, **recorded})
    if answer != Verdicts.ACCEPTED and not chosen.force:
        raise verdicts.not_promoted(version, champion, answers)
    reason = chosen.reason or f"passed every gate of {len(answers)}"
    move = champion_moves.move_champion(
        int(version.version), action="promote", reason=reason,
        forced=bool(overridden) or answer != Verdicts.ACCEPTED, by=process.user(),
        tags=gate_tags(answers) | recorded,
        compared_with=int(champion.version) if champion else None,
        evidence=candidate.evidence.run_id,
    )  # fmt: skip
    if life.is_stopped(version):
        life.decide(RESUMED, version, reason=reason, by=process.user(), session=following)
        champion_moves.refresh_page()
    notes.set_tags({Tags.VERDICT: Verdicts.FORCED if move.forced else Verdicts.ACCEPTED})
    before = f", before it version {move.previous}" if move.previous else ""
    ahead = Command("signals").with_given()
    print(f"champion: version {version.version}{before}; {reason}\nNext: {ahead}")


def _print_history(settings: Settings) -> None:
    """All there was; or who was live on a day, by the ledger where it holds that session."""
    champion_moves.settle("promote")
    events, day = life.events(), settings.day
    if day is None:
        runs.log_table(history_table(events), LifeTables.HISTORY)
        print(printed_history(events))
        return
    if settings.store.database.exists():
        with Workspace.open(settings) as workspace:
            live = live_on(workspace, events, day)
    else:
        live = live_at_end_of(events, day)
    print(f"{day:%Y-%m-%d}: {live.in_words}")


def _resume(workspace: Workspace, version: ModelVersion, reason: str | None) -> None:
    """The champion itself is promoted: let it trade again where it was stopped and a person says
    so."""
    if not life.is_stopped(version):
        print(f"version {version.version} is the champion already")
        return
    verdicts.require_reason_to_resume(version, forced=reason is not None)
    session = _after(workspace)
    life.decide(RESUMED, version, reason=reason or "", by=process.user(), session=session)
    champion_moves.refresh_page()
    notes.set_tags({Tags.VERDICT: Verdicts.FORCED})
    print(f"version {version.version}, the champion, trades again: {reason}")


def _after(workspace: Workspace) -> str:
    """The first day whose outcome counts after a decision of now."""
    return f"{workspace.store.sessions()[-1] + pd.Timedelta(days=1):%Y-%m-%d}"


if __name__ == "__main__":
    command("promote", run)
