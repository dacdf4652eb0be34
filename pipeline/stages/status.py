"""Status: what is there, what is missing, and the one command to run next."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import mlflow
import pandas as pd

from pipeline.errors import NotReady
from pipeline.io import registry, tracking
from pipeline.io.store import Store
from pipeline.settings import Settings
from pipeline.stages import _data
from pipeline.stages._runner import command

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
    bars = int(counts["bars"]["rows"])
    text = f"{bars:,} bars, {len(sessions)} sessions" + (
        f", {sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}" if len(sessions) else ""
    )
    enough = len(sessions) >= LEAST_SESSIONS
    yield Line("bars", enough, text, "mlflow run . -e ingest", blocks=True)
    if sessions.empty:
        return
    set_aside, gaps = counts["quarantine"]["rows"], counts["gaps"]["rows"]
    yield Line("set aside", True, f"{set_aside:,} bars set aside, {gaps:,} gaps recorded", "")
    for name, table in (("indicators", "indicators"), ("labels", "labels")):
        yield _share(store, name, int(counts[table]["rows"]), sessions)
    known = _data.regimes(settings, store)
    yield _regimes(settings, store, known)
    yield _features(settings, store, sessions, known)


def _share(store: Store, name: str, rows: int, sessions: pd.DatetimeIndex) -> Line:
    stale = not _data.stale_since(store, name, ("bars",)).empty
    text = f"{rows:,} rows" + (", bars changed since" if stale else ", up to date")
    return Line(name, not stale, text, f"mlflow run . -e {name}")


def _regimes(settings: Settings, store: Store, known: pd.DataFrame) -> Line:
    index = _data.market_index(settings, store)
    stale = not _data.stale_since(store, f"regimes {index}", ("bars",)).empty
    newest = known["regime"].iloc[-1] if len(known) else "none"
    text = f"{len(known)} sessions from {index}, next open: {newest}"
    return Line("regimes", not stale and len(known) > 0, text, "mlflow run . -e regimes")


def _features(
    settings: Settings, store: Store, sessions: pd.DatetimeIndex, known: pd.DataFrame
) -> Line:
    from pipeline.stages.features import missing_sessions

    # Regimes reach to the next session; asking the calendar for it takes a quarter of a second.
    reaches = len(known) and known.index[-1] > sessions[-1]
    following = known.index[-1] if reaches else _data.next_session(settings, sessions[-1])
    wanted = _data.with_next(sessions, following)
    missing = missing_sessions(settings, store, wanted)
    share = 1 - len(missing) / len(wanted)
    text = f"{settings.features.name}: {share:.0%} of {len(wanted)} sessions, the next included"
    return Line("features", missing.empty, text, "mlflow run . -e features")


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
