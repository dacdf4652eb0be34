"""Status: what is there, what is missing, and the one command to run next."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from pipeline.commands import Command
from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Aliases, Metrics, Tags, Verdicts
from pipeline.errors import Damaged, NotReady, PipelineError, TooFewSessions
from pipeline.gates.looks import Look
from pipeline.io.store.coverage import missing_sessions
from pipeline.io.store.store import Store
from pipeline.io.tracking import champion as champion_moves
from pipeline.io.tracking import registry
from pipeline.io.tracking.dead_runs import close_dead_runs
from pipeline.io.tracking.evidence import newest_walk_forward
from pipeline.io.tracking.looks import known_looks
from pipeline.monitor.names import LifeTags
from pipeline.recipe.feature_set import indicators_made_by, labels_made_by, regimes_made_by
from pipeline.recipe.windows import WindowPlan
from pipeline.report.next_steps import walk_forward_command
from pipeline.report.survivorship import survivorship
from pipeline.selection import with_following
from pipeline.serving import routine
from pipeline.stages._cli import command
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.status")
MIN_SESSIONS = 60
"""Sessions with bars below which no retrain can be attempted."""
COUNTED = ("quarantine", "gaps", "indicators", "labels", "evenings", "forecasts")


@dataclass(frozen=True)
class Line:
    """One thing that has to be there.

    Attributes
    ----------
    blocks
        Whether a retrain is impossible without it.
    next
        The command that helps, where it is not there.
    damage
        What the command ends with: it is not as it was written.
    """

    name: str
    there: bool
    text: str
    next: Command | None
    blocks: bool = False
    damage: Damaged | None = None


def run(settings: Settings) -> None:
    """Print the table and the next command; exit code 1 when not ready to retrain.

    Raises
    ------
    NotReady
        A retrain is impossible.
    Damaged
        The forecast ledger is not as it was sealed; with ``status.deep``, anything that is kept.
    """
    killed = close_dead_runs()
    deep = settings.status.deep
    if settings.store.database.exists():
        with Workspace.open(settings) as workspace:
            lines = [_undamaged(workspace)] if deep else []
            lines += _of_store(workspace, build.window_plan(settings))
    else:
        text = f"there is no store for data={settings.data.name}"
        lines = [_undamaged(None)] if deep else []
        lines.append(Line("bars", False, text, Command("ingest"), blocks=True))
    lines += _of_models()
    missing = [line for line in lines if not line.there]
    following = next((line.next for line in missing if line.next), Command("signals")).with_given()
    ready = not any(line.blocks for line in missing)
    if settings.status.as_json:
        content = [_plain(line) for line in lines]
        print(json.dumps({"ready": ready, "next": str(following), "lines": content}, indent=1))
    else:
        print(_printed(lines, killed, following))
    mlflow.log_metrics({f"{Metrics.STATUS}{line.name}": float(line.there) for line in lines})
    for damage in (line.damage for line in lines if line.damage):
        raise damage
    if not ready:
        mlflow.set_tag(Tags.VERDICT, Verdicts.NOT_READY)
        raise NotReady("status", "not ready to retrain", missing[0].text, following)


def _plain(line: Line) -> dict[str, object]:
    content = {name: getattr(line, name) for name in ("name", "there", "text", "blocks")}
    return {**content, "next": str(line.next or "")}


def _undamaged(workspace: Workspace | None) -> Line:
    """That all that is kept is as it was written.

    Raises
    ------
    Damaged
        It is not: each fault is printed with what heals it.
    """
    from pipeline.serving import deep_check  # brings Optuna

    found: list[PipelineError] = []
    if workspace is not None:
        found += deep_check.faults_of_data(workspace)
    found += deep_check.faults_of_runs()
    if found:
        print("\n".join(map(str, found)))
        raise Damaged(
            "status", f"{len(found)} stored files or tables are not as written, named above",
            "each of them repaired", [fault.next_command for fault in found if fault.next][:1],
        )  # fmt: skip
    return Line("undamaged", True, "everything that is kept is as it was written", None)


def _of_store(workspace: Workspace, plan: WindowPlan) -> Iterator[Line]:
    store = workspace.store
    sessions, bars = store.sessions(), store.bar_count()
    counts = store.row_counts(*COUNTED)
    span = f", {sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}" if len(sessions) else ""
    text = f"{bars:,} bars of {len(sessions)} sessions{span}; a retrain needs {MIN_SESSIONS}"
    yield Line("bars", len(sessions) >= MIN_SESSIONS, text, Command("ingest"), blocks=True)
    if sessions.empty:
        return
    quarantined, gaps = counts["quarantine"], counts["gaps"]
    yield Line(
        "quarantine", True, f"{quarantined:,} bars quarantined, {gaps:,} gaps recorded", None
    )
    built = store.built("ingest")
    refused = sorted(built.detail.get("set_aside") or ()) if built else []
    if refused:
        yield Line("refused", True, f"nothing was read from {', '.join(refused)}: see ingest", None)
    if workspace.is_live:  # others end where they end
        newest = workspace.source.last_session()
        text = f"last session {sessions[-1]:%Y-%m-%d}, the exchange's {newest:%Y-%m-%d}"
        yield Line("recent", sessions[-1] >= newest, text, Command("ingest"))
    yield _share(workspace, "indicators", counts["indicators"], bars, indicators_made_by())
    known = workspace.regimes()
    yield _regimes(workspace, known)
    calendar = _with_next(workspace, sessions, known)
    missing = missing_sessions(
        store, workspace.snapshot_store, calendar, workspace.features.warm_up
    )
    share = 1 - len(missing) / len(calendar)
    text = f"{workspace.features.name}: {share:.0%} of {len(calendar)} sessions, the next included"
    yield Line("features", missing.empty, text, Command("features"))
    yield _share(workspace, "labels", counts["labels"], bars, labels_made_by())
    yield _window(plan, store.label_ready_sessions(), missing)
    carried = survivorship(store.last_final_sessions(), is_dated=workspace.dated is not None)
    yield Line("survivors", True, carried, None)
    yield Line("looks", True, _looks(known_looks(workspace)), None)
    yield _ledger(store, counts)


def _share(workspace: Workspace, name: str, rows: int, bars: int, made_by: dict[str, str]) -> Line:
    stale = not workspace.changes_since(name, ("bars",), made_by).empty
    share = rows / bars if bars else 0.0
    text = f"{rows:,} of {bars:,} bars ({share:.1%})"
    text += ", bars or code changed since" if stale else ""
    return Line(name, not stale and rows > 0, text, Command(name))


def _regimes(workspace: Workspace, known: pd.DataFrame) -> Line:
    made_by = regimes_made_by(workspace.features.limits, workspace.index.symbol)
    stale = not workspace.changes_since("regimes", ("bars",), made_by).empty
    newest = known["regime"].iloc[-1] if len(known) else "none"
    text = f"{len(known)} sessions from {workspace.index.symbol}, next open: {newest}"
    return Line("regimes", not stale and len(known) > 0, text, Command("regimes"))


def _with_next(
    workspace: Workspace, sessions: pd.DatetimeIndex, known: pd.DataFrame
) -> pd.DatetimeIndex:
    # Regimes reach to the next session; asking the calendar for it takes a quarter of a second.
    reaches = len(known) and known.index[-1] > sessions[-1]
    return with_following(sessions, known.index[-1]) if reaches else workspace.with_next(sessions)


def _window(plan: WindowPlan, ready: pd.DatetimeIndex, missing: pd.DatetimeIndex) -> Line:
    """Whether the development window holds enough sessions with snapshots and labels."""
    try:
        step = plan.holdout(ready)
    except TooFewSessions as error:
        return Line("window", False, error.found, Command("labels"), blocks=True)
    whole = step.development.union(step.predicted)
    have = step.development.difference(missing)
    text = (
        f"{len(have)} of {len(step.development)} sessions of development can be learned from, "
        f"{plan.min_sessions} are needed; {len(whole.difference(missing))} of {len(whole)} with "
        "the holdout"
    )
    helps = Command("features" if len(have) < len(step.development) else "ingest")
    return Line("window", len(have) >= plan.min_sessions, text, helps, blocks=True)


def _ledger(store: Store, counts: Mapping[str, int]) -> Line:
    """Whether the evenings' forecasts are those that were sealed."""
    evenings, forecasts = counts["evenings"], counts["forecasts"]
    text = f"{forecasts:,} forecasts in {evenings:,} entries, chained and as they were sealed"
    if damage := routine.ledger_damage(store, "status"):  # also where all of them are gone
        return Line("ledger", False, damage.found, None, damage=damage)
    text = text if evenings else "no evening's forecasts are kept yet"
    return Line("ledger", True, text, None)


def _looks(known: list[Look]) -> str:
    """How often results on this data were looked at, and what that number cannot know."""
    if not known:
        return "nothing was looked at here; other machines' and deleted stores' are unknown"
    distinct = len({(look.forecast, look.strategy) for look in known})
    first, last = min(look.first for look in known), max(look.last for look in known)
    return (
        f"{distinct} different results on sessions {first:%Y-%m-%d} to {last:%Y-%m-%d}; "
        "those of other machines and deleted stores are unknown"
    )


def _of_models() -> Iterator[Line]:
    registry.settle_challenger()
    challenger = registry.holder(Aliases.CHALLENGER)
    text = f"version {challenger.version}" if challenger else "no model is registered"
    if challenger:
        tags = challenger.tags
        text += f", trained until {tags.get(Tags.TRAINED_UNTIL)}, gates: {tags.get(Tags.VERDICT)}"
    yield Line("challenger", challenger is not None, text, Command("retrain"))
    moves = champion_moves.settle("status")
    champion = registry.holder(Aliases.CHAMPION)
    if challenger:
        yield _evidence(challenger, needed=champion is None)
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
    helps = "rollback" if by_hand else "promote" if challenger else "retrain"
    yield Line("champion", champion is not None, text, Command(helps))


def _evidence(challenger: ModelVersion, *, needed: bool) -> Line:
    """Whether the challenger's recipe has a walk-forward; the first champion waits for it."""
    recipe, data, universe = (
        challenger.tags.get(tag, "") for tag in (Tags.RECIPE, Tags.DATA_SOURCE, Tags.UNIVERSE)
    )
    walked = newest_walk_forward(recipe, data, universe)
    helps = walk_forward_command(registry.recipe_overrides(challenger))
    if walked is None:
        text = "the challenger's recipe has no walk-forward"
        return Line("evidence", False, text, helps if needed else None)
    until = walked.data.tags.get(Tags.HOLDOUT_END)
    text = f"walk-forward until {until}, gates: {walked.data.tags.get(Tags.VERDICT)}"
    return Line("evidence", True, text, None)


def _printed(lines: list[Line], killed: list[str], following: Command) -> str:
    width = max(len(line.name) for line in lines)
    table = [
        f"{'yes' if line.there else 'NO '}  {line.name:<{width}}  {line.text}" for line in lines
    ]
    closed = [f"closed {len(killed)} runs of dead processes as KILLED"] if killed else []
    return "\n".join(["", *table, *closed, "", f"Next: {following}"])


if __name__ == "__main__":
    command("status", run)
