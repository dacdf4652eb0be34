"""Promote: move `champion` to a version that passes every gate, or say why not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from pipeline.commands import Command
from pipeline.config import build
from pipeline.config.compose import shipped_gates
from pipeline.config.settings import Settings
from pipeline.contract import Aliases, Metrics, Tables, Tags, Verdicts
from pipeline.errors import Refused
from pipeline.gates.gates import GateResult, in_words
from pipeline.gates.verdict import (
    evaluate,
    gate_table,
    gate_tags,
    unmeasured_excuses,
    verdict,
)
from pipeline.io import calendar, clock, process
from pipeline.io.tracking import champion as champion_moves
from pipeline.io.tracking import life, registry, runs
from pipeline.io.tracking.evidence import newest_evidence
from pipeline.monitor.history import (
    RESUMED,
    SILENT,
    Event,
    Live,
    history_table,
    is_silent,
    live_at,
    live_in,
)
from pipeline.monitor.names import LifeTables, LifeTags
from pipeline.report.gates import printed_gates, refusals
from pipeline.report.life import printed_history
from pipeline.report.next_steps import forced, walk_forward_command
from pipeline.serving import verdicts, versions
from pipeline.serving.promotion import comparison, evidence_metrics, version_metrics
from pipeline.stages import audit
from pipeline.stages._cli import ask, command
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.promote")


def run(settings: Settings) -> None:
    """Check the gates of the challenger (or `promote.version`), then move the alias."""
    chosen = settings.promote
    if chosen.history:
        champion_moves.settle("promote")
        events, live = life.events(), None
        if settings.day and settings.store.database.exists():
            with Workspace.open(settings) as workspace:
                live = _live_on(workspace, events, settings.day)
        _print_history(events, settings.day, live)
        return
    registry.settle_challenger()
    champion_moves.settle("promote")
    version = registry.find(chosen.version or Aliases.CHALLENGER, who="promote")
    champion = registry.holder(Aliases.CHAMPION)
    overridden = settings.gates.overridden(shipped_gates(settings.gates.name))
    if overridden and not (chosen.reason or "").strip():
        raise _without_reason(overridden)
    with Workspace.open(settings) as workspace:
        versions.check_serves(workspace, version, "promote")
        if champion and champion.version == version.version:
            _resume(workspace, version, chosen.reason if chosen.force else None)
            return
        _require_reason_to_resume(version, forced=chosen.force)
        judged = versions.sessions_of(versions.stored(version)["prediction"])
        workspace.require_current("promote", judged, labels=True, features=False)
        answers, evidence = _answers(settings, workspace, version, champion)
        following = _after(workspace)
    table, answer = gate_table(answers), verdict(answers)
    print(f"\nversion {version.version}: {answer}\n\n{printed_gates(answers)}\n")
    runs.log_table(table, Tables.GATES)
    recorded = {Tags.OVERRIDDEN_GATES: in_words(overridden)} if overridden else {}
    mlflow.set_tags({Tags.MODEL_VERSION: version.version, Tags.GATES: answer, **recorded})
    if answer != Verdicts.ACCEPTED and not chosen.force:
        raise _refusal(version, champion, answers)
    reason = chosen.reason or f"passed every gate of {len(answers)}"
    move = champion_moves.move_champion(
        int(version.version), action="promote", reason=reason,
        forced=bool(overridden) or answer != Verdicts.ACCEPTED, by=process.user(),
        tags=gate_tags(answers) | recorded,
        compared_with=int(champion.version) if champion else None, evidence=evidence,
    )  # fmt: skip
    if life.is_stopped(version):
        life.decide(RESUMED, version, reason=reason, by=process.user(), session=following)
        champion_moves.refresh_page()
    mlflow.set_tag(Tags.VERDICT, Verdicts.FORCED if move.forced else Verdicts.ACCEPTED)
    before = f", before it version {move.previous}" if move.previous else ""
    ahead = Command("signals").with_given()
    print(f"champion: version {version.version}{before}; {reason}\nNext: {ahead}")


def _answers(
    settings: Settings,
    workspace: Workspace,
    version: ModelVersion,
    champion: ModelVersion | None,
) -> tuple[list[GateResult], str]:
    """The gates' answers, and the id of the run that they look at."""
    evidence = newest_evidence(workspace, version)
    mlflow.set_tag(Tags.EVIDENCE, evidence.info.run_id)
    metrics = evidence_metrics(workspace, evidence, settings.gates)
    metrics |= version_metrics(workspace, version, evidence)
    if champion:
        metrics |= comparison(
            workspace, build.rules(settings), settings.backtest.bankroll, version, champion,
            evidence, settings.seed,
        )  # fmt: skip
    if Metrics.AUDIT_PASSED in unmeasured_excuses(metrics, settings.gates):
        log.info("promote: the evidence is too good to be true until it is audited")
        passed = ask("audit", audit.run, settings.auditing(evidence.info.run_id))
        metrics[Metrics.AUDIT_PASSED] = float(passed)
    return evaluate(metrics, settings.gates), str(evidence.info.run_id)


def _live_on(workspace: Workspace, events: list[Event], day: date) -> Live:
    """Who was live on a day: by the ledger, else who held the alias when the exchange opened."""
    session, entries = f"{day:%Y-%m-%d}", workspace.store.evenings()
    found = live_in(entries, events, session)
    if found is not None:
        return found
    name, stamp = workspace.exchange_calendar, pd.Timestamp(day)
    if calendar.sessions(name, stamp, stamp).empty:
        return live_at(events, f"{session}T23:59:59Z")
    live = live_at(events, clock.as_text(calendar.opening(name, stamp)))
    is_one = live.version is not None and live.state == "traded" and is_silent(entries, session)
    return replace(live, state=SILENT) if is_one else live


def _print_history(events: list[Event], day: date | None, live: Live | None) -> None:
    """All there was; or who was live on a day, by the ledger where it holds that session."""
    if day is None:
        runs.log_table(history_table(events), LifeTables.HISTORY)
        print(printed_history(events))
        return
    live = live or live_at(events, f"{day:%Y-%m-%d}T23:59:59Z")
    print(f"{day:%Y-%m-%d}: {live.in_words}")


def _resume(workspace: Workspace, version: ModelVersion, reason: str | None) -> None:
    """The champion itself is promoted: let it trade again where it was stopped and a person says
    so."""
    if not life.is_stopped(version):
        print(f"version {version.version} is the champion already")
        return
    _require_reason_to_resume(version, forced=reason is not None)
    who, session = process.user(), _after(workspace)
    life.decide(RESUMED, version, reason=reason or "", by=who, session=session)
    champion_moves.refresh_page()
    mlflow.set_tag(Tags.VERDICT, Verdicts.FORCED)
    print(f"version {version.version}, the champion, trades again: {reason}")


def _require_reason_to_resume(version: ModelVersion, *, forced: bool) -> None:
    if life.is_stopped(version) and not forced:
        raise Refused(
            "promote",
            f"version {version.version} was stopped. {version.tags[LifeTags.HEALTH]}",
            "another version; or a person's reason to trade it all the same",
            verdicts.resume(version),
        )


def _after(workspace: Workspace) -> str:
    """The first day whose outcome counts after a decision of now."""
    return f"{workspace.store.sessions()[-1] + pd.Timedelta(days=1):%Y-%m-%d}"


def _without_reason(overridden: Mapping[str, str]) -> Refused:
    return Refused(
        "promote",
        f"{len(overridden)} gates differ from their file: {in_words(overridden)}",
        "the gates as they are shipped, or a person's reason for others, which is recorded",
        Command("promote", "promote.reason='...'"),
    )


def _refusal(
    version: ModelVersion, champion: ModelVersion | None, answers: list[GateResult]
) -> Refused:
    """What evidence is missing and how to get it; force is named last."""
    holder = f"version {champion.version}" if champion else "unset"
    missing = "\n    ".join(refusals(answers))
    last = forced(version.version)
    return Refused(
        "promote",
        f"version {version.version}: {verdict(answers)}; champion stays {holder}",
        f"every deciding gate to pass\n    {missing}\n"
        f"  or, as the last resort, a person's decision: {last}",
        walk_forward_command(registry.recipe_overrides(version)),
    )


if __name__ == "__main__":
    command("promote", run)
