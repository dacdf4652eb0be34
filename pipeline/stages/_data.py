"""What several stages need of the store: opening it, its calendar, what is stale, the dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.errors import NotReady, TooFewSessions
from pipeline.io import calendar
from pipeline.io.providers import Provider, provider
from pipeline.io.snapshots import SnapshotStore, release_unused_memory
from pipeline.io.store import Store
from pipeline.schemas import SESSION
from pipeline.settings import Named, Settings

if TYPE_CHECKING:
    from pipeline.learning.dataset import Dataset
    from pipeline.learning.splits import Splitter, Step

DATA_STAGES = ("ingest", "indicators", "regimes", "features", "labels")


@contextlib.contextmanager
def open_store(settings: Named, *, create: bool = False) -> Iterator[Store]:
    """The store of the chosen source."""
    chosen = settings.store
    store = Store.open(chosen.path, create=create, lock_timeout=chosen.lock_timeout_seconds)
    try:
        yield store
    finally:
        store.close()


def source(settings: Named) -> Provider:
    """The provider of bars."""
    chosen = settings.data
    options: dict[str, Any] = {}
    if chosen.download is not None:
        options["universe"] = settings.universe.path
        options["exchange_calendar"] = chosen.exchange_calendar
        options["download"] = chosen.download
    if chosen.name == "files":
        from pipeline.io.providers.reading import Reading

        reading = Reading(
            columns=chosen.columns.said,
            day_first=chosen.day_first,
            decimal=chosen.decimal,
            adjust_dividends=chosen.adjust_dividends,
            exchange_calendar=chosen.exchange_calendar,
        )
        options = {"reading": reading, "accept": chosen.accept or ()}
        options |= {"symbols_path": chosen.symbols_path, "splits_path": chosen.splits_path}
    return provider(chosen.name, path=chosen.path, index_path=chosen.index_path, **options)


def snapshot_store(settings: Settings) -> SnapshotStore:
    """The snapshots of the chosen feature set."""
    from pipeline.stages._recipe import feature_version

    chosen = settings.features.name
    root = settings.store.snapshot_root
    return SnapshotStore(root, settings.data.name, chosen, feature_version(settings))


def refresh(settings: Settings) -> None:
    """Bring every data stage up to date, each in a nested run."""
    from importlib import import_module

    from pipeline.stages._runner import step

    whole = settings.whole_history()
    for name in DATA_STAGES:
        step(name, import_module(f"pipeline.stages.{name}").run, whole)


def next_session(settings: Settings, last: pd.Timestamp) -> pd.Timestamp:
    """The exchange's session after `last`."""
    return calendar.next_session(settings.data.exchange_calendar, last)


def short_sessions(settings: Settings, sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Sessions that close early, between the first and the last of those given."""
    return calendar.Calendar(settings.data.exchange_calendar, sessions[0], sessions[-1]).short()


def with_next(sessions: pd.DatetimeIndex, following: pd.Timestamp) -> pd.DatetimeIndex:
    """The sessions and the one after them, which has no bar yet."""
    later = pd.DatetimeIndex([following]).as_unit("us")
    return pd.DatetimeIndex(sessions.append(later), name=SESSION)


def require_bars(store: Store, who: str) -> pd.DatetimeIndex:
    """Sessions with bars.

    Raises
    ------
    NotReady
        The store has none.
    """
    sessions = store.sessions()
    if sessions.empty:
        raise NotReady(who, "the store holds no bars", "prices", "mlflow run . -e ingest")
    return sessions


def asked_range(settings: Settings) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """First and last day asked for; a single date is both."""
    first, last = settings.day or settings.start_date, settings.day or settings.end_date
    return (
        None if first is None else pd.Timestamp(first),
        None if last is None else pd.Timestamp(last),
    )


def is_ranged(settings: Settings) -> bool:
    """Whether a range or some symbols were asked for, instead of all that is missing."""
    given = (settings.day, settings.start_date, settings.end_date, settings.exchange)
    return any(value is not None for value in (*given, settings.symbols))


def within(sessions: pd.DatetimeIndex, settings: Settings, who: str) -> pd.DatetimeIndex:
    """The sessions in the range asked for.

    Raises
    ------
    NotReady
        None is.
    """
    first, last = asked_range(settings)
    chosen = sessions
    if first is not None:
        chosen = chosen[chosen >= first]
    if last is not None:
        chosen = chosen[chosen <= last]
    if chosen.empty:
        asked = f"{first:%Y-%m-%d}" if first is not None else "the start"
        until = f"{last:%Y-%m-%d}" if last is not None else "the end"
        raise NotReady(
            who,
            f"no session with bars from {asked} to {until}",
            f"dates from {sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}",
            "mlflow run . -e status",
        )
    return chosen


def chosen_symbols(settings: Settings, store: Store, who: str) -> list[str] | None:
    """Symbols asked for by name or exchange; None for all."""
    listed = store.symbols("stock")
    chosen = named_symbols(settings)
    if settings.exchange is None:
        return chosen
    on_exchange = listed.index[listed["exchange"] == settings.exchange]
    if on_exchange.empty:
        known = ", ".join(sorted(listed["exchange"].dropna().unique())) or "none recorded"
        raise NotReady(
            who,
            f"no symbol on exchange {settings.exchange!r}",
            f"one of: {known}",
            "mlflow run . -e status",
        )
    return [name for name in on_exchange if chosen is None or name in chosen]


def sessions_before(sessions: pd.DatetimeIndex, first: pd.Timestamp, count: int) -> pd.Timestamp:
    """The session `count` sessions before `first`, or the first one there is."""
    place = int(np.searchsorted(sessions.to_numpy(), np.datetime64(first)))
    return pd.Timestamp(sessions[max(place - count, 0)])


def universe(settings: Named) -> list[str] | None:
    """Symbols of the universe's file; None for every symbol of the store."""
    path = settings.universe.path
    if path is None:
        return None
    listed = pd.read_csv(path, dtype="str", keep_default_na=False)["symbol"].tolist()
    return _as_written(settings, listed)


def named_symbols(settings: Named) -> list[str] | None:
    """Symbols asked for by name; None where none is."""
    return _as_written(settings, settings.symbols) if settings.symbols else None


def _as_written(settings: Named, names: Iterable[str]) -> list[str]:
    """The names as the store has them; Yahoo alone has a spelling of its own."""
    if settings.data.name != "yfinance":
        return list(names)
    from pipeline.io.providers.yahoo import as_written

    return [as_written(name, settings.data.exchange_calendar) for name in names]


def named(symbols: Iterable[str], most: int = 20) -> tuple[int, str]:
    """How many, and the first of them.

    >>> named(["C", "A", "B"], most=2)
    (3, 'A, B, ...')
    """
    listed = sorted(symbols)
    return len(listed), ", ".join([*listed[:most], *(["..."] if len(listed) > most else [])])


def unknown_symbols(settings: Named) -> list[str]:
    """Faults of the symbols given by name, and of a universe of which the source has none."""
    known = _known_symbols(settings)
    has = f"{settings.data.name} has {len(known)} symbols"
    names = named_symbols(settings) or []
    faults = [f"symbols: unknown symbol {name!r}; {has}" for name in names if name not in known]
    members = universe(settings)
    if members is not None and known.isdisjoint(members):
        faults.append(f"universe.path: none of its {len(members)} symbols is known; {has}")
    return faults


def _known_symbols(settings: Named) -> set[str]:
    """From the store where it is up to date: reading all prices again takes seconds."""
    asked = source(settings)
    if settings.store.path.exists() and asked.version is not None:
        with open_store(settings) as store:
            built = store.built("ingest")
            if built and built.detail.get("source") == asked.version:
                return set(store.symbols().index)
    return set(asked.symbols().index)


def stale_since(
    store: Store, name: str, kinds: tuple[str, ...], made_by: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Changes of these tables since a result was last built; empty where it is current.

    Parameters
    ----------
    made_by
        What the result is made by now; where it was made by something else, all changes count.
    """
    built = store.built(name)
    current = built is not None and (made_by is None or dict(built.detail) == made_by)
    changes = store.changes(since_revision=built.revision if built and current else 0)
    return changes[changes["kind"].isin(kinds)]


def holdout_step(settings: Settings, label_ready: pd.DatetimeIndex) -> Step:
    """Development and holdout sessions of the retrain asked for."""
    from pipeline.learning import splits

    asked = settings.retrain
    return splits.holdout_step(
        label_ready,
        window_days=asked.window_days,
        holdout_days=asked.holdout_days,
        embargo_sessions=settings.cv.gap_sessions,
        expanding=asked.expanding,
        start=asked.first,
        end=asked.last,
    )


def walk_forward_steps(settings: Settings, sessions: pd.DatetimeIndex) -> list[Step]:
    """Refits of a walk-forward over these sessions."""
    from pipeline.learning import splits
    from pipeline.stages import _build

    asked = settings.evaluation
    return splits.walk_forward_steps(
        sessions,
        window_days=settings.retrain.window_days,
        refit_every=asked.refit_every,
        search_every=asked.search_every,
        least_sessions=_build.splitter(settings).needed_sessions,
        embargo_sessions=settings.cv.gap_sessions,
        expanding=settings.retrain.expanding,
        start=None if asked.start is None else pd.Timestamp(asked.start),
        end=settings.retrain.last,
    )


def snapshots(settings: Settings, sessions: pd.DatetimeIndex) -> pd.DataFrame:
    """Snapshots of these sessions, for the universe and recipe chosen; labelled or not."""
    from pipeline.stages._recipe import learned_features

    columns = [feature.name for feature in learned_features(settings)]
    rows = snapshot_store(settings).read(sessions, universe(settings), columns)
    if rows.empty:
        raise NotReady(
            "retrain",
            f"no snapshots between {sessions[0]:%Y-%m-%d} and {sessions[-1]:%Y-%m-%d}",
            f"sessions with {settings.features.min_history} sessions of history before them",
            "mlflow run . -e features",
        )
    return rows


def dataset(settings: Settings, store: Store, sessions: pd.DatetimeIndex) -> Dataset:
    """Snapshots of these sessions joined to their labels."""
    from pipeline.learning.dataset import join

    found = join(snapshots(settings, sessions), store.labels(sessions[0], sessions[-1]))
    release_unused_memory()
    return found


def require_rows(who: str, part: str, rows: Dataset, splitter: Splitter) -> None:
    """Refuse a window whose sessions with rows are too few for the folds."""
    sessions = len(rows.sessions)
    if sessions < splitter.needed_sessions:
        raise TooFewSessions(
            who,
            f"{part} has {sessions} sessions and {len(rows.returns):,} rows to learn from",
            f"{splitter.needed_sessions} sessions: {splitter.needs}; "
            "widen retrain.window_days, or choose later dates",
            "mlflow run . -e status",
        )
