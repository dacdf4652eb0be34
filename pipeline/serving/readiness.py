"""What a retrain and the evening need of the store: what is there, what is stale or missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from pipeline.commands import Command
from pipeline.errors import TooFewSessions
from pipeline.gates.looks import Look
from pipeline.io.store.coverage import missing_sessions
from pipeline.io.store.store import Store
from pipeline.io.tracking.looks import known_looks
from pipeline.recipe.feature_set import indicators_made_by, labels_made_by, regimes_made_by
from pipeline.recipe.windows import WindowPlan
from pipeline.report.quarantine import by_rule
from pipeline.report.readiness import Line
from pipeline.report.survivorship import survivorship
from pipeline.selection import with_following
from pipeline.serving import routine
from pipeline.workspace import Workspace

MIN_SESSIONS = 60
"""Sessions with bars below which no retrain can be attempted."""
COUNTED = ("quarantine", "gaps", "indicators", "labels", "evenings", "forecasts")


def without_store(data_source: str) -> Line:
    """The line of a source that nothing was ever ingested of."""
    text = f"there is no store for data={data_source}"
    return Line("bars", False, text, Command("ingest"), blocks=True)


def store_lines(workspace: Workspace, plan: WindowPlan) -> Iterator[Line]:
    """Bars, what is made of them, the windows of a retrain, looks and the ledger.

    Parameters
    ----------
    plan
        Windows of the configured retrain.
    """
    store = workspace.store
    sessions, bars = store.sessions(), store.bar_count()
    counts = store.row_counts(*COUNTED)
    span = f", {sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}" if len(sessions) else ""
    text = f"{bars:,} bars of {len(sessions)} sessions{span}; a retrain needs {MIN_SESSIONS}"
    yield Line("bars", len(sessions) >= MIN_SESSIONS, text, Command("ingest"), blocks=True)
    if sessions.empty:
        return
    quarantined, gaps = counts["quarantine"], counts["gaps"]
    text = f"{quarantined:,} bars quarantined, {gaps:,} gaps recorded"
    text += f": {by_rule(store.quarantine_by_rule())}; see quarantine" if quarantined else ""
    yield Line("quarantine", True, text, None)
    built = store.built("ingest")
    refused = sorted(built.detail.get("set_aside") or ()) if built else []
    if refused:
        text = f"nothing was read from {', '.join(refused)}: see quarantine"
        yield Line("refused", True, text, None)
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
    left = None if workspace.dated is None else workspace.dated.left_before(store.sessions()[-1])
    carried = survivorship(store.last_final_sessions(), left=left)
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
    results = "1 result" if distinct == 1 else f"{distinct} different results"
    return (
        f"{results} on sessions {first:%Y-%m-%d} to {last:%Y-%m-%d}; "
        "those of other machines and deleted stores are unknown"
    )
