"""Whether a version may trade, and what it says when it may not."""

from __future__ import annotations

from mlflow.entities.model_registry import ModelVersion

from pipeline.commands import Command
from pipeline.errors import Refused
from pipeline.io.tracking import life
from pipeline.monitor.health import EXPIRED, Thresholds
from pipeline.monitor.names import LifeTags


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
