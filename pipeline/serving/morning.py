"""Orders on indicated opens: the champion's evening snapshot joined to believed quotes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.commands import Command
from pipeline.errors import Fault, NotReady, Refused
from pipeline.io.tracking import safe_models
from pipeline.io.tracking.values import ModelVersion
from pipeline.market.indication import Evening, jumps
from pipeline.opens import copies_of_closes
from pipeline.recipe.decision import Indicated, IndicatedOpen, forecast_columns, with_indication
from pipeline.recipe.steps import PREDICTION
from pipeline.schemas import SYMBOL
from pipeline.serving import versions
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules
from pipeline.trading.strategy import orders
from pipeline.workspace import Workspace

NO_QUOTE, ABSURD, TOO_OLD, TOO_EARLY = "no quote", "absurd price", "too old", "from the future"
EX = "goes ex a dividend or a split"
LIKE_A_SPLIT = "gap of a split"
COPIES = "its opens are copies of closes"
AHEAD = pd.Timedelta(minutes=1)
"""Clocks differ by less."""


@dataclass(frozen=True)
class Believed:
    """Quotes orders may be made of, and why the others are left out; both by symbol."""

    price: pd.Series
    left_out: pd.Series

    def require(self, min_quoted: float) -> None:
        """Refuse to decide on the quotes of too few.

        Parameters
        ----------
        min_quoted
            The least part of the symbols, a fraction.

        Raises
        ------
        Refused
            Each symbol that is left out is a fault of it.
        """
        quoted, left_out = len(self.price), len(self.left_out)
        if quoted < min_quoted * (quoted + left_out) or not quoted:
            reasons = ", ".join(f"{n} {why}" for why, n in self.left_out.value_counts().items())
            raise Refused(
                "morning",
                f"{quoted} of {quoted + left_out} symbols have a quote that is believed "
                f"({reasons})",
                f"quotes of at least {min_quoted:.0%} of them: the gap of market and sector are "
                "their means",
                Command("morning", "morning.min_quoted=0.3"),
                faults=[Fault(str(name), str(why)) for name, why in self.left_out.items()],
            )


@dataclass(frozen=True)
class Morning:
    """The champion on the evening's snapshot of one session.

    Attributes
    ----------
    rows
        Features of its symbols, known the evening before.
    """

    workspace: Workspace
    champion: ModelVersion
    session: pd.Timestamp
    rows: pd.DataFrame

    @classmethod
    def of(
        cls, workspace: Workspace, champion: ModelVersion, session: pd.Timestamp, who: str
    ) -> Morning:
        """The snapshot of a session.

        Raises
        ------
        Refused
            The champion decides the evening before, or does not serve here.
        NotReady
            The session has no snapshot.
        """
        decision, _ = versions.decision_of_version(champion)
        if not isinstance(decision, IndicatedOpen):
            raise Refused(
                who, f"version {champion.version} decides the evening before",
                "a champion of decision=indicated_open", Command("signals"),
            )  # fmt: skip
        columns, sessions = list(versions.check_serves(workspace, champion, who)), [session]
        workspace.require_current(who, pd.DatetimeIndex(sessions))
        rows = workspace.member_rows(pd.DatetimeIndex(sessions), columns)
        if rows.empty:
            day = f"{session:%Y-%m-%d}"
            raise NotReady(
                who, f"no snapshot for {day}", "features of that session",
                Command("features", date=day),
            )  # fmt: skip
        return cls(workspace, champion, session, rows[columns])

    @property
    def sessions(self) -> pd.DatetimeIndex:
        """The one session."""
        return pd.DatetimeIndex([self.session], name="session").as_unit("us")

    @property
    def symbols(self) -> list[str]:
        """Those with a snapshot."""
        return [str(name) for name in self.rows.index.get_level_values(SYMBOL)]

    @cached_property
    def evening(self) -> Evening:
        """What the gaps of the session are measured by."""
        return self.workspace.evening(self.sessions)

    @property
    def close(self) -> pd.Series:
        """The last close by symbol."""
        return pd.Series(self.evening.previous_close[0], self.evening.symbols)

    @cached_property
    def model(self) -> Pipeline:
        """The champion's, checked and loaded."""
        return safe_models.load(self.champion)

    @cached_property
    def copied(self) -> list[str]:
        """Symbols whose opens were copies of the close before."""
        return copies_of_closes(self.workspace.store, self.workspace.members, self.session)

    def prepare(self, rules: Rules) -> Market:
        """Read all that is known before there are quotes; what is left takes a second or two."""
        self.forecasts(self.close)  # the first forecast of a process is the slowest
        self.copied.sort()
        return self.workspace.market(self.sessions, rules)

    def indicated(self, price: pd.Series) -> Indicated:
        """Indications of the session by symbol."""
        evening = self.evening
        wide = price.reindex(evening.symbols).to_frame().T.set_axis(self.sessions)
        return Indicated.of(evening, wide.astype("float64"))

    def believed(
        self, quotes: pd.DataFrame, now: pd.Timestamp, max_age: pd.Timedelta, max_gap: float
    ) -> Believed:
        """Which quotes orders may be made of.

        Parameters
        ----------
        quotes
            Of ``io.quotes.quotes``; of a symbol with several the newest counts.
        max_gap
            The largest distance from the last close, as a fraction.
        """
        newest = quotes.sort_values("time", kind="stable", na_position="first")
        newest = newest.drop_duplicates("symbol", keep="last").set_index("symbol")
        newest = newest.reindex(self.symbols)
        close = self.close.reindex(self.symbols)
        gap = (newest["price"] / close - 1.0).abs()
        split = jumps(newest["price"].to_numpy("float64"), close.to_numpy())["like a split"]
        goes_ex = quotes.loc[quotes["goes_ex"], "symbol"]
        is_given, age = newest["time"].notna() & newest["price"].notna(), now - newest["time"]
        why = np.select(
            [
                ~is_given, age < -AHEAD, age > max_age,
                newest.index.isin(goes_ex), split,
                ~((newest["price"] > 0.0) & (gap <= max_gap)),
                newest.index.isin(self.copied),
            ],
            [NO_QUOTE, TOO_EARLY, TOO_OLD, EX, LIKE_A_SPLIT, ABSURD, COPIES], "",
        )  # fmt: skip
        reasons = pd.Series(why, newest.index, name="left_out")
        return Believed(newest.loc[reasons == "", "price"], reasons[reasons != ""])

    def forecasts(self, price: pd.Series) -> pd.DataFrame:
        """Forecasts at these indicated prices, of ``recipe.decision.forecast_columns``."""
        return forecast_columns(self.indicated(price).forecasts(self.model, self.rows))

    def orders(
        self, forecasts: pd.DataFrame, rules: Rules, bankroll: float, market: Market | None = None
    ) -> pd.DataFrame:
        """Orders on these forecasts, of ``trading.strategy.orders``.

        Parameters
        ----------
        market
            Of `prepare`; by default it is read.
        """
        if market is None:
            market = self.workspace.market(self.sessions, rules)
        market = with_indication(market, forecasts, is_quoted=True)
        wide = forecasts[PREDICTION].unstack(SYMBOL).reindex_like(market.close)
        return orders(Forecasts(wide, market), rules, bankroll)

    def watch_list(self, rules: Rules) -> pd.DataFrame:
        """Which symbols would be bought at which open, were all others to open at their close.

        Returns
        -------
        DataFrame
            One row a symbol that would be bought within 15 % of its close: symbol, close,
            buy_below, gap_bps; the nearest first.
        """
        close = self.close
        below = self.indicated(close).buy_below(self.model, self.rows, rules.min_edge)
        listed = pd.DataFrame({"close": close.reindex(self.symbols), "buy_below": below})
        listed = listed.dropna().rename_axis(SYMBOL).reset_index()
        listed["gap_bps"] = 1e4 * (listed["buy_below"] / listed["close"] - 1.0)
        return listed.sort_values("gap_bps", ascending=False, kind="stable", ignore_index=True)
