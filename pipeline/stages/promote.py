"""Promote: move `champion` to a version that passes every gate, or say why not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from pipeline.commands import Command
from pipeline.config import build
from pipeline.config.compose import shipped_gates
from pipeline.config.settings import Settings
from pipeline.contract import Aliases, Metrics, Tables, Tags, Verdicts
from pipeline.errors import Refused
from pipeline.gates.gates import GateResult
from pipeline.gates.verdict import (
    evaluate,
    gate_table,
    gate_tags,
    unmeasured_excuses,
    verdict,
)
from pipeline.io import process
from pipeline.io.tracking import champion as champion_moves
from pipeline.io.tracking import registry, runs
from pipeline.io.tracking.evidence import newest_evidence
from pipeline.report.gates import printed_gates, refusals
from pipeline.report.next_steps import forced, walk_forward_command
from pipeline.serving import versions
from pipeline.serving.promotion import comparison, evidence_metrics, version_metrics
from pipeline.stages import audit
from pipeline.stages._cli import ask, command
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.promote")

MAX_TAG = 4000
"""Characters that MLflow takes in a tag of a version, with room to spare."""


def run(settings: Settings) -> None:
    """Check the gates of the challenger (or `promote.version`), then move the alias."""
    chosen = settings.promote
    if chosen.history:
        moves = [asdict(move) for move in champion_moves.settle("promote")]
        print(pd.DataFrame(moves).to_string(index=False) if moves else "champion was never moved")
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
            print(f"version {version.version} is the champion already")
            return
        answers = _answers(settings, workspace, version, champion)
    table, answer = gate_table(answers), verdict(answers)
    print(f"\nversion {version.version}: {answer}\n\n{printed_gates(answers)}\n")
    runs.log_table(table, Tables.GATES)
    recorded = {Tags.OVERRIDDEN_GATES: _in_words(overridden)} if overridden else {}
    mlflow.set_tags({Tags.MODEL_VERSION: version.version, Tags.GATES: answer, **recorded})
    if answer != Verdicts.ACCEPTED and not chosen.force:
        raise _refusal(version, champion, answers)
    reason = chosen.reason or f"passed every gate of {len(answers)}"
    move = champion_moves.move_champion(
        int(version.version), action="promote", reason=reason,
        forced=bool(overridden) or answer != Verdicts.ACCEPTED, by=process.user(),
        tags=gate_tags(answers) | recorded,
        compared_with=int(champion.version) if champion else None,
    )  # fmt: skip
    mlflow.set_tag(Tags.VERDICT, Verdicts.FORCED if move.forced else Verdicts.ACCEPTED)
    before = f", before it version {move.previous}" if move.previous else ""
    print(f"champion: version {version.version}{before}; {reason}\nNext: {Command('signals')}")


def _answers(
    settings: Settings,
    workspace: Workspace,
    version: ModelVersion,
    champion: ModelVersion | None,
) -> list[GateResult]:
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
    return evaluate(metrics, settings.gates)


def _in_words(overridden: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {words}" for name, words in overridden.items())[:MAX_TAG]


def _without_reason(overridden: Mapping[str, str]) -> Refused:
    return Refused(
        "promote",
        f"{len(overridden)} gates are not those of their file: {_in_words(overridden)}",
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
