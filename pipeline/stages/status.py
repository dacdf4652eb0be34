"""Status: what is there, what is missing, and the one command to run next."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import mlflow
import pandas as pd

from pipeline.errors import NotReady, TooFewSessions
from pipeline.io import registry, tracking
from pipeline.io.store import Store
from pipeline.settings import Settings
from pipeline.stages import _build, _data, _index
from pipeline.stages._recipe import indicators_made_by, labels_made_by, regimes_made_by
from pipeline.stages._runner import command
from pipeline.stages.features import missing_sessions

log = logging.getLogger("pipeline.status")
LEAST_SESSIONS = 60
"""Sessions with bars below which no retrain can be attempted."""


@dataclass(frozen=True)
class Line:
    """One thing that has to be there.

    Attributes
    ----------
    blocks
        Whether a retrain is impossible without it.
    next
        The command that helps, where it is not there.
    """

    name: str
    there: bool
    text: str
    next: str
    blocks: bool = False


def run(settings: Settings) -> None:
    """Print the table and the next command; exit code 1 when not ready to retrain."""
    killed = tracking.close_dead_runs()
    lines = list(_lines(settings))
    missing = [line for line in lines if not line.there]
    following = missing[0].next if missing else "mlflow run . -e signals"
    ready = not any(line.blocks for line in missing)
    if settings.status.as_json:
        content = [asdict(line) for line in lines]
        print(json.dumps({"ready": ready, "next": following, "lines": content}, indent=1))
    else:
        print(_printed(lines, killed, following))
    mlflow.log_metrics({f"status/{line.name}": float(line.there) for line in lines})
    if not ready:
        mlflow.set_tag("verdict", "not ready")
        raise NotReady("status", "not ready to retrain", missing[0].text, following)


def _lines(settings: Settings) -> Iterator[Line]:
    if not settings.store.path.exists():
        text = f"there is no store for data={settings.data.name}"
        yield Line("bars", False, text, "mlflow run . -e ingest", blocks=True)
    else:
        with _data.open_store(settings) as store:
            yield from _of_store(settings, store)
    yield from _of_models(settings)


def _of_store(settings: Settings, store: Store) -> Iterator[Line]:
    sessions = store.sessions()
    counts = store.counts()
    bars = store.bar_count()
    span = f", {sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}" if len(sessions) else ""
    text = f"{bars:,} bars of {len(sessions)} sessions{span}; a retrain needs {LEAST_SESSIONS}"
    enough = len(sessions) >= LEAST_SESSIONS
    yield Line("bars", enough, text, "mlflow run . -e ingest", blocks=True)
    if sessions.empty:
        return
    set_aside, gaps = counts["quarantine"]["rows"], counts["gaps"]["rows"]
    yield Line("set aside", True, f"{set_aside:,} bars set aside, {gaps:,} gaps recorded", "")
    yield from _recent(settings, sessions)
    rows = int(counts["indicators"]["rows"])
    yield _share(store, "indicators", rows, bars, indicators_made_by())
    index = _index.market_index(settings, store)
    known = store.regimes(index.symbol)
    yield _regimes(settings, store, index, known)
    wanted = _with_next(settings, sessions, known)
    missing = missing_sessions(settings, store, wanted)
    share = 1 - len(missing) / len(wanted)
    text = f"{settings.features.name}: {share:.0%} of {len(wanted)} sessions, the next included"
    yield Line("features", missing.empty, text, "mlflow run . -e features")
    yield _share(store, "labels", int(counts["labels"]["rows"]), bars, labels_made_by())
    yield _window(settings, store, missing)


def _share(store: Store, name: str, rows: int, bars: int, made_by: dict[str, str]) -> Line:
    stale = not _data.stale_since(store, name, ("bars",), made_by).empty
    share = rows / bars if bars else 0.0
    text = f"{rows:,} of {bars:,} bars ({share:.1%})"
    text += ", bars or code changed since" if stale else ""
    return Line(name, not stale and rows > 0, text, f"mlflow run . -e {name}")


def _recent(settings: Settings, sessions: pd.DatetimeIndex) -> Iterator[Line]:
    """Whether a source that goes on has newer sessions; others end where they end."""
    if settings.data.download is None:
        return
    newest = _data.source(settings).last_session()
    text = f"last session {sessions[-1]:%Y-%m-%d}, the exchange's {newest:%Y-%m-%d}"
    yield Line("recent", sessions[-1] >= newest, text, "mlflow run . -e ingest")


def _regimes(
    settings: Settings, store: Store, index: _index.MarketIndex, known: pd.DataFrame
) -> Line:
    made_by = regimes_made_by(settings, index.symbol)
    stale = not _data.stale_since(store, "regimes", ("bars",), made_by).empty
    newest = known["regime"].iloc[-1] if len(known) else "none"
    text = f"{len(known)} sessions from {index.symbol}, next open: {newest}"
    return Line("regimes", not stale and len(known) > 0, text, "mlflow run . -e regimes")


def _with_next(
    settings: Settings, sessions: pd.DatetimeIndex, known: pd.DataFrame
) -> pd.DatetimeIndex:
    # Regimes reach to the next session; asking the calendar for it takes a quarter of a second.
    reaches = len(known) and known.index[-1] > sessions[-1]
    following = known.index[-1] if reaches else _data.next_session(settings, sessions[-1])
    return _data.with_next(sessions, following)


def _window(settings: Settings, store: Store, missing: pd.DatetimeIndex) -> Line:
    """Whether the development window holds enough sessions with snapshots and labels."""
    needed = _build.splitter(settings).needed_sessions
    try:
        step = _data.holdout_step(settings, store.label_ready_sessions())
    except TooFewSessions as error:
        return Line("window", False, error.found, "mlflow run . -e labels", blocks=True)
    whole = step.development.union(step.predicted)
    have = step.development.difference(missing)
    text = (
        f"{len(have)} of {len(step.development)} sessions of development can be learned from, "
        f"{needed} are needed; {len(whole.difference(missing))} of {len(whole)} with the holdout"
    )
    help_with = "features" if len(have) < len(step.development) else "ingest"
    return Line("window", len(have) >= needed, text, f"mlflow run . -e {help_with}", blocks=True)


def _of_models(settings: Settings) -> Iterator[Line]:
    challenger = registry.holder(registry.CHALLENGER)
    text = f"version {challenger.version}" if challenger else "no model is registered"
    if challenger:
        tags = challenger.tags
        text += f", trained until {tags.get('trained_until')}, gates: {tags.get('verdict')}"
    yield Line("challenger", challenger is not None, text, "mlflow run . -e retrain")
    champion = registry.holder(registry.CHAMPION)
    text = f"version {champion.version}" if champion else "no version is promoted"
    if champion and registry.moved_by_hand():
        text += ", moved by hand on the registry page"
    elif champion:
        text += f", {registry.history()[-1].reason}"
    elif registry.moved_by_hand():
        text += ", the alias was removed by hand"
    if champion:
        text += f"; trained until {champion.tags.get('trained_until')}"
    promote = "mlflow run . -e promote" if challenger else "mlflow run . -e retrain"
    yield Line("champion", champion is not None, text, promote)


def _printed(lines: list[Line], killed: list[str], following: str) -> str:
    width = max(len(line.name) for line in lines)
    marks: Callable[[Line], str] = lambda line: "yes" if line.there else "NO "  # noqa: E731
    table = [f"{marks(line)}  {line.name:<{width}}  {line.text}" for line in lines]
    closed = [f"closed {len(killed)} runs of dead processes as KILLED"] if killed else []
    return "\n".join(["", *table, *closed, "", f"Next: {following}"])


if __name__ == "__main__":
    command("status", run)
