"""The workspace of a command: its store, calendar, index, universe and snapshots, resolved once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pandas as pd

from pipeline import opens
from pipeline.commands import Command
from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Tags
from pipeline.errors import NotReady
from pipeline.io import calendar, objects
from pipeline.io.sources.protocol import Provider
from pipeline.io.sources.universe import Universe, is_member, members
from pipeline.io.store.coverage import require_current, stale_results
from pipeline.io.store.market_index import MarketIndex, bars_of_index, market_index
from pipeline.io.store.snapshots import SnapshotStore, release_unused_memory
from pipeline.io.store.store import Store
from pipeline.recipe.feature_set import FeatureSet, made_by_now
from pipeline.schemas import BarPanel
from pipeline.selection import Selection, sessions_before, with_following

Alter = Callable[[BarPanel], BarPanel]  # what an audit does to bars as they are read
if TYPE_CHECKING:
    from pipeline.learning.dataset import Dataset
    from pipeline.market.indication import Evening
    from pipeline.opens import Members
    from pipeline.trading.market import Market
    from pipeline.trading.order_files import Cutoffs
    from pipeline.trading.rules import Rules


@dataclass(frozen=True, kw_only=True, eq=False)
class Workspace:
    """What the stages share: open it with `Workspace.open`.

    Attributes
    ----------
    store
        Facts and narrow results of the data source.
    open_source
        Opens where bars come from, which a stage that reads the store alone can do without.
    is_live
        Whether it goes on, so that its newest session is the exchange's.
    data_source
        Its name: ``sample``, ``files`` or ``yfinance``.
    exchange_calendar, cutoffs
        Whose sessions count, and until when it takes orders for its auctions.
    configured_index
        ``data.market_index``; None: found by a rule, see ``index``.
    universe, members
        Name of the universe, and its symbols; None: every symbol of the store.
    dated
        The universe where it tells since and until when a symbol is a member; else None.
    features
        The chosen set, its rows and hashes.
    selection
        Sessions and symbols that the command was given.
    """

    store: Store
    open_source: Callable[[], Provider]
    is_live: bool
    data_source: str
    exchange_calendar: str
    cutoffs: Cutoffs
    configured_index: str | None
    universe: str
    members: tuple[str, ...] | None
    dated: Universe | None = None
    features: FeatureSet
    snapshot_root: objects.Place
    selection: Selection

    @classmethod
    @contextmanager
    def open(cls, settings: Settings, *, create: bool = False) -> Iterator[Workspace]:
        """The workspace of a configuration; its store is closed at the end.

        Raises
        ------
        NotReady
            There is no store and `create` is false.
        """
        chosen = settings.store
        universe = build.universe(settings)
        store = Store.open(chosen.database, create=create, lock_timeout=chosen.lock_timeout_seconds)
        try:
            yield cls(
                store=store,
                open_source=partial(build.source, settings),
                is_live=settings.data.download is not None,
                data_source=settings.data.name,
                exchange_calendar=settings.data.exchange_calendar,
                cutoffs=settings.auctions.of(settings.data.exchange_calendar),
                configured_index=settings.data.market_index,
                universe=settings.universe.name,
                members=None if universe is None else universe.symbols,
                dated=universe if universe is not None and universe.is_dated else None,
                features=build.feature_set(settings),
                snapshot_root=chosen.snapshot_root,
                selection=build.selection(settings),
            )
        finally:
            store.close()

    @property
    def folder(self) -> Path:
        """Where what is under way is kept; beside the store, where that is a file."""
        return self.store.database.folder

    @property
    def tags(self) -> dict[str, str]:
        """What a run says of its data."""
        return {
            Tags.FEATURE_SET: self.features.name, Tags.FEATURE_VERSION: self.features.version,
            Tags.DATA_SOURCE: self.data_source, Tags.UNIVERSE: self.universe,
        }  # fmt: skip

    @cached_property
    def source(self) -> Provider:
        """Where bars come from; opened when it is first needed.

        Raises
        ------
        InvalidSettings
            Files without a path.
        NotReady
            A source that is queried by name, without names.
        """
        return self.open_source()

    @cached_property
    def index(self) -> MarketIndex:
        """The market's index, and why it is this one."""
        return market_index(self.store, self.configured_index)

    @cached_property
    def snapshot_store(self) -> SnapshotStore:
        """The snapshots of the chosen feature set."""
        version = self.features.version + (f"-{self.dated.digest}" if self.dated else "")
        return SnapshotStore(self.snapshot_root, self.data_source, self.features.name, version)

    def require_bars(self, who: str) -> pd.DatetimeIndex:
        """Sessions with bars.

        Raises
        ------
        NotReady
            The store has none.
        """
        sessions = self.store.sessions()
        if sessions.empty:
            raise NotReady(who, "the store holds no bars", "prices", Command("ingest"))
        return sessions

    def next_session(self, last: pd.Timestamp) -> pd.Timestamp:
        """The exchange's session after a day."""
        return calendar.next_session(self.exchange_calendar, last)

    def with_next(self, sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """The sessions and the one after them, which has no bar yet."""
        return with_following(sessions, self.next_session(sessions[-1]))

    def short_sessions(self, sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Sessions that close early, between the first and the last of those given."""
        return calendar.Calendar(self.exchange_calendar, sessions[0], sessions[-1]).short()

    def regimes(self) -> pd.DataFrame:
        """Stored regimes by session at whose open they are known."""
        return self.store.regimes(self.index.symbol)

    def changes_since(
        self, result: str, kinds: tuple[str, ...], made_by: Mapping[str, str] | None = None
    ) -> pd.DataFrame:
        """Changes of these tables since a result was last built; empty where it is current.

        Parameters
        ----------
        made_by
            What the result is made by now; made by something else, all changes count.
        """
        built = self.store.built(result)
        is_current = built is not None and (made_by is None or dict(built.detail) == made_by)
        revision = built.revision if built and is_current else None
        changes = self.store.changes(since_revision=revision)
        return changes[changes["kind"].isin(kinds)]

    def snapshot_sessions(self) -> pd.DatetimeIndex:
        """Label-ready sessions with snapshots; the first ones have too little history for any."""
        with_history = self.store.sessions()[self.features.rows.min_history :]
        built = pd.DatetimeIndex(self.snapshot_store.covered().index)
        return self.store.label_ready_sessions().intersection(with_history).intersection(built)

    def require_current(
        self, who: str, sessions: pd.DatetimeIndex, *, labels: bool = False, features: bool = True
    ) -> None:
        """Refuse to work from results of other bars than the store holds now.

        Parameters
        ----------
        sessions
            Those whose results are to be used, ascending; the last one may have no bar yet.
        labels, features
            Whether their labels are used as well, and their snapshots.

        Raises
        ------
        NotReady
            Naming each stale result, and the commands that make them again.
        """
        made_by = made_by_now(self.features.limits, self.index.symbol, labels=labels)
        stale = stale_results(
            self.store, self.snapshot_store if features else None, sessions,
            made_by=made_by, look_back=self.features.warm_up,
        )  # fmt: skip
        require_current(who, stale)

    def snapshots(self, sessions: pd.DatetimeIndex, columns: Sequence[str]) -> pd.DataFrame:
        """Snapshots of these sessions for the universe, labelled or not; long, float32.

        Raises
        ------
        NotReady
            There are none.
        """
        rows = pd.DataFrame() if sessions.empty else self.member_rows(sessions, columns)
        if rows.empty:
            where = f"{sessions[0]:%Y-%m-%d} and {sessions[-1]:%Y-%m-%d}" if len(sessions) else ""
            raise NotReady(
                "retrain",
                f"no snapshots between {where}" if where else "no snapshots of these features",
                f"sessions with {self.features.rows.min_history} sessions of history before them",
                Command("features"),
            )  # fmt: skip
        return rows

    def member_rows(
        self, sessions: pd.DatetimeIndex, columns: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Snapshots of these sessions whose symbol is a member of the universe then."""
        rows = self.snapshot_store.read(sessions, self.members, columns)
        if self.dated is None or rows.empty:
            return rows
        return rows[is_member(self.dated, cast(pd.MultiIndex, rows.index))]

    def dataset(self, sessions: pd.DatetimeIndex, columns: Sequence[str]) -> Dataset:
        """Snapshots of these sessions joined to their labels."""
        from pipeline.learning.dataset import join

        rows = self.snapshots(sessions, columns)
        joined = join(rows, self.store.labels(sessions[0], sessions[-1]))
        release_unused_memory()
        return joined

    def market(self, sessions: pd.DatetimeIndex, rules: Rules, alter: Alter = copy) -> Market:
        """What trading these sessions needs (no open or close after all bars), of altered bars."""
        from pipeline.trading import estimates
        from pipeline.trading.benchmarks import REAL_WINDOW
        from pipeline.trading.market import Market

        before, store = estimates.LOOK_BACK + estimates.SPARE_SESSIONS, self.store
        listed = store.sessions().union(sessions)
        bars = alter(store.bar_panel(sessions_before(listed, sessions[0], before), sessions[-1]))
        symbol = rules.hedge_symbol if rules.is_hedged else None
        hedge = bars_of_index(store, symbol, sessions, REAL_WINDOW + before + 1)
        return Market.of_bars(
            bars, sessions, self.regimes()["regime"].reindex(sessions).fillna("UNKNOWN"),
            store.symbols("stock")["sector"], sessions_before(listed, sessions[0], 1),
            index=None if hedge is None else alter(hedge), is_hedged=rules.is_hedged,
            goes_ex=store.goes_ex(sessions[0], sessions[-1]), factor=store.price_factor(listed),
        )  # fmt: skip

    def listed(self, sessions: pd.DatetimeIndex) -> Members:
        """Who is a member: a table of these sessions where that changes; None: everybody."""
        return self.members if self.dated is None else members(self.dated, sessions)

    def evening(self, sessions: pd.DatetimeIndex) -> Evening:
        """What gaps of these sessions are measured by, as of the close before each."""
        return opens.evening_before(self.store, self.index.symbol, self.listed(sessions), sessions)

    def printed_opens(self, sessions: pd.DatetimeIndex) -> pd.DataFrame:
        """Printed opens that may be traded on; NaN where there is none, or a bad one."""
        return opens.printed_opens(self.store, self.members, sessions)

    def index_bars(self, sessions: pd.DatetimeIndex, before: int) -> BarPanel | None:
        """Bars of the market's index from so many sessions before; None where it is the mean."""
        if self.index.is_universe:
            return None
        start = sessions_before(self.store.sessions("index"), sessions[0], before)
        return self.store.bar_panel(start, sessions[-1], [self.index.symbol], kind="index")
