"""Weekly: the weekend routine, a retrain and the question whether it deserves promotion."""

from __future__ import annotations

from pipeline.io.tracking import notes

import skops.io  # isort: skip  # noqa: F401  before others: it searches every module it finds


from pipeline.config.settings import Settings
from pipeline.contract import Aliases, LifeMetrics, Tags
from pipeline.io.store.store import Store
from pipeline.io.tracking import registry
from pipeline.io.tracking.values import ModelVersion
from pipeline.monitor.comparison import Comparison, compared
from pipeline.report.text_tables import wrapped
from pipeline.serving import routine
from pipeline.stages import promote, retrain
from pipeline.stages._cli import ask, command, step
from pipeline.workspace import Workspace

PROMOTED, NOT_PROMOTED, UNCHANGED = "promoted", "not promoted", "unchanged"


def run(settings: Settings) -> None:
    """Retrain on fresh data and ask for promotion; a refusal is an answer, not a failure.

    Before that the challenger's recipe is compared with the champion on the sessions that both
    forecast before they were known. ``result`` of the last line is promoted, not promoted, or
    unchanged: the retrain made the champion again. Two at once exclude each other.
    """
    with routine.last_line("weekly") as report, routine.alone(settings.store.database, "weekly"):
        step("retrain", retrain.run, settings)
        champion, challenger = map(registry.holder, (Aliases.CHAMPION, Aliases.CHALLENGER))
        sessions = 0
        versions = [held.version for held in (champion, challenger) if held is not None]
        is_champion = len(versions) == 2 and versions[0] == versions[1]
        if champion is not None and challenger is not None and not is_champion:
            with Workspace.open(settings) as workspace:
                comparison = _compared(workspace.store, champion, challenger, settings.seed)
            sessions = comparison.sessions
            figures = {
                name: value for name, value in comparison._asdict().items() if name != "missing"
            }
            notes.log_metrics(
                {f"{LifeMetrics.COMPARISON}{k}": v for k, v in figures.items() if v == v}
            )
            print(wrapped(f"Challenger, version {challenger.version}, against champion, version "
                          f"{champion.version}: {comparison.in_words}"))  # fmt: skip
        granted = ask("promote", promote.run, settings)
        held = registry.holder(Aliases.CHAMPION)
        refused = UNCHANGED if is_champion else NOT_PROMOTED
        facts = {
            "result": PROMOTED if granted and not is_champion else refused,
            "challenger": challenger.version if challenger else "none",
            "champion": held.version if held else "none",
            "joint_sessions": sessions,
        }
        report(facts)


def _compared(
    store: Store, champion: ModelVersion, challenger: ModelVersion, seed: int
) -> Comparison:
    """All versions of the challenger's recipe against the champion."""
    recipe = challenger.tags.get(Tags.RECIPE)
    same = [
        str(version.version)
        for version in sorted(registry.versions(), key=lambda each: int(each.version))
        if version.tags.get(Tags.RECIPE) == recipe and version.version != champion.version
    ]
    outcomes = store.outcomes()
    challenging = outcomes[outcomes["model"].isin(same)].assign(
        order=lambda rows: rows["model"].map(same.index)
    )
    return compared(
        challenging.sort_values(["session", "order"]),
        outcomes[outcomes["model"] == str(champion.version)],
        seed,
    )


if __name__ == "__main__":
    command("weekly", run)
