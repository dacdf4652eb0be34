"""What the registry holds for an evening: challenger, its evidence, champion and its health."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.commands import Command
from pipeline.contract import Aliases, LifeTags, Tags
from pipeline.gates.gates import Gates
from pipeline.io.tracking import champion as champion_moves
from pipeline.io.tracking import registering, registry
from pipeline.io.tracking.evidence import is_rejected, newest_walk_forward
from pipeline.io.tracking.values import FinishedRun, ModelVersion
from pipeline.report.next_steps import other_recipe_command, walk_forward_command
from pipeline.report.readiness import Line


def model_lines(gates: Gates) -> Iterator[Line]:
    """Challenger, evidence and champion, after what a kill left between two steps is settled.

    Parameters
    ----------
    gates
        By which the challenger's evidence is judged.
    """
    registering.settle_challenger()
    challenger = registry.holder(Aliases.CHALLENGER)
    text = f"version {challenger.version}" if challenger else "no model is registered"
    if challenger:
        tags = challenger.tags
        text += f", trained until {tags.get(Tags.TRAINED_UNTIL)}, gates: {tags.get(Tags.VERDICT)}"
    yield Line("challenger", challenger is not None, text, Command("retrain"))
    moves = champion_moves.settle("status")
    champion = registry.holder(Aliases.CHAMPION)
    walked = _walked(challenger) if challenger else None
    if challenger:
        yield _evidence(challenger, walked, needed=champion is None)
    text = f"version {champion.version}" if champion else "no version is promoted"
    by_hand = bool(moves) and moves[-1].action == champion_moves.BY_HAND
    if champion and by_hand:
        text += f", moved by hand on the registry page, {moves[-1].reason}"
    elif champion and moves:
        text += f", {moves[-1].reason}"
    elif by_hand:
        text += f", the alias was removed by hand, {moves[-1].reason}"
    if champion:
        text += f"; trained until {champion.tags.get(Tags.TRAINED_UNTIL)}"
        text += f"; {health}" if (health := champion.tags.get(LifeTags.HEALTH)) else ""
    helps = Command("rollback" if by_hand else "promote" if challenger else "retrain")
    if challenger and walked and is_rejected(walked, gates) and not by_hand:
        helps = other_recipe_command(registry.recipe_overrides(challenger))
    yield Line("champion", champion is not None, text, helps)


def _walked(challenger: ModelVersion) -> FinishedRun | None:
    """The newest walk-forward of the challenger's recipe."""
    recipe, data, universe = (
        challenger.tags.get(tag, "") for tag in (Tags.RECIPE, Tags.DATA_SOURCE, Tags.UNIVERSE)
    )
    return newest_walk_forward(recipe, data, universe)


def _evidence(challenger: ModelVersion, walked: FinishedRun | None, *, needed: bool) -> Line:
    """Whether the challenger's recipe has a walk-forward; the first champion waits for it."""
    helps = walk_forward_command(registry.recipe_overrides(challenger))
    if walked is None:
        text = "the challenger's recipe has no walk-forward"
        return Line("evidence", False, text, helps if needed else None)
    until = walked.tags.get(Tags.HOLDOUT_END)
    text = f"walk-forward until {until}, gates: {walked.tags.get(Tags.VERDICT)}"
    return Line("evidence", True, text, None)
