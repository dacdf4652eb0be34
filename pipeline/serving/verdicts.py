"""Whether a version may trade, and what it says when it may not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.commands import Command
from pipeline.contract import LifeTags
from pipeline.errors import Fault, Refused
from pipeline.gates.gates import Answer, GateResult, in_words
from pipeline.gates.proven import Traded, differing_rules
from pipeline.gates.verdict import REJECTED, verdict
from pipeline.io.tracking import life, registry
from pipeline.io.tracking.recipes import recorded_content
from pipeline.io.tracking.values import ModelVersion
from pipeline.monitor.health import EXPIRED, Thresholds
from pipeline.report.gates import refusals
from pipeline.report.next_steps import forced, other_recipe_command, walk_forward_command


def reasons_not_to_trade(version: ModelVersion, thresholds: Thresholds) -> str:
    """Why a version trades nothing, as its health says; empty where it trades."""
    health = version.tags.get(LifeTags.HEALTH, "")
    answer, _, reasons = health.partition(": ")
    if life.is_stopped(version) or (answer == EXPIRED and thresholds.expired == "refuse"):
        return f"{answer}: {reasons}" if reasons else answer
    return ""


def not_traded(version: ModelVersion, reasons: str, who: str) -> Refused:
    """A champion that may not trade; nobody takes its place but by a decision."""
    return Refused(
        who,
        f"the champion, version {version.version}, trades nothing. {reasons}",
        "a challenger that is promoted; or a person's reason to trade it all the same:\n    "
        + str(resume(version)),
        (Command("retrain"), Command("promote")),
    )


def unproven_rules(version: ModelVersion, now: Traded) -> list[str]:
    """What differs from what a version was evidenced with, in words; empty where nothing does."""
    return differing_rules(now, recorded_content(version))


def not_proven(version: ModelVersion, unproven: Iterable[str], who: str, needed: str) -> Refused:
    """Orders by other rules than those that were evidenced.

    Parameters
    ----------
    unproven
        Of `unproven_rules`.
    """
    return Refused(
        who,
        f"version {version.version} has its evidence from other rules: {'; '.join(unproven)}",
        needed,
        Command(who, "signals.unproven_rules=say"),
        faults=[Fault("rules", each) for each in unproven],
    )


def unproven_sentence(unproven: Iterable[str]) -> str:
    """The sentence below orders by such rules, where they are allowed."""
    return f"Unproven: no evidence was measured by these rules. {'; '.join(unproven)}"


def require_reason_to_resume(version: ModelVersion, *, forced: bool) -> None:
    """Refuse to let a version that was stopped trade again, unless a person decides it.

    Raises
    ------
    Refused
        With why it was stopped.
    """
    if life.is_stopped(version) and not forced:
        raise Refused(
            "promote",
            f"version {version.version} was stopped. {version.tags[LifeTags.HEALTH]}",
            "another version; or a person's reason to trade it all the same",
            resume(version),
        )


def require_reason_for_gates(overridden: Mapping[str, str], reason: str | None) -> None:
    """Refuse gates that are not those of their file, unless a person says why.

    Parameters
    ----------
    overridden
        Of ``Gates.overridden``.

    Raises
    ------
    Refused
        Naming every gate that differs.
    """
    if overridden and not (reason or "").strip():
        raise Refused(
            "promote",
            f"{len(overridden)} gates differ from their file: {in_words(overridden)}",
            "the gates as they are shipped, or a person's reason for others, which is recorded",
            Command("promote", "promote.reason='...'"),
            faults=[Fault(name, words) for name, words in overridden.items()],
        )


def not_promoted(
    version: ModelVersion, champion: ModelVersion | None, answers: Sequence[GateResult]
) -> Refused:
    """What evidence is missing and how to get it, gate by gate; force is named last."""
    holder = f"version {champion.version}" if champion else "unset"
    missing = "\n    ".join(refusals(answers))
    last, answer = forced(version.version), verdict(answers)
    helps = other_recipe_command if answer == REJECTED else walk_forward_command
    return Refused(
        "promote",
        f"version {version.version}: {answer}; champion stays {holder}",
        f"every deciding gate to pass\n    {missing}\n"
        f"  or, as the last resort, a person's decision: {last}",
        helps(registry.recipe_overrides(version)),
        faults=[
            Fault(each.name, str(each.answer), each.explanation)
            for each in answers
            if each.decisive and each.answer is not Answer.PASS
        ],
    )


def resume(version: ModelVersion) -> Command:
    """The command by which a person lets a stopped version trade again."""
    number = f"promote.version={version.version}"
    return Command("promote", number, "promote.force=true", "promote.reason='...'")


def check_trades(version: ModelVersion, thresholds: Thresholds, who: str) -> None:
    """Refuse a version that may not trade.

    Raises
    ------
    Refused
        With the reasons.
    """
    reasons = reasons_not_to_trade(version, thresholds)
    if reasons:
        raise not_traded(version, reasons, who)
