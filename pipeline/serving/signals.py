"""The champion's orders for a session: forecast, ranked and sized, stored, sealed and described."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from pipeline.commands import Command
from pipeline.errors import NotReady
from pipeline.io.tracking.values import ModelVersion
from pipeline.monitor.health import Thresholds
from pipeline.monitor.orders import sealed_orders
from pipeline.recipe.books import wide
from pipeline.report.signals import SignalsSummary, described
from pipeline.schemas import SYMBOL
from pipeline.serving import evenings, freshness, versions
from pipeline.serving.freshness import SignalSession
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules
from pipeline.trading.strategy import orders
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class EveningOrders:
    """What the champion forecasts for a session, and the orders that come of it.

    Attributes
    ----------
    late
        Newest bar by symbol that lacks the one needed, of ``freshness.stale_symbols``.
    predicted
        Open-to-close return, a fraction, by (session, symbol).
    listed
        One row an order, of ``trading.strategy.orders``, with regime, version and age of the data.
    """

    workspace: Workspace
    champion: ModelVersion
    upcoming: SignalSession
    rules: Rules
    bankroll: float
    late: pd.Series
    predicted: pd.Series
    market: Market
    listed: pd.DataFrame

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        champion: ModelVersion,
        upcoming: SignalSession,
        rules: Rules,
        bankroll: float,
        late: pd.Series,
    ) -> EveningOrders:
        """Forecast and size.

        Raises
        ------
        NotReady
            The session has no snapshot.
        Refused
            The version does not serve here.
        """
        sessions = pd.DatetimeIndex([upcoming.session])
        predicted = versions.predicted_now(workspace, champion, sessions, "signals")["prediction"]
        if predicted.empty:
            day = f"{upcoming.session:%Y-%m-%d}"
            raise NotReady(
                "signals", f"no snapshot for {day}", "features of that session",
                Command("features", date=day),
            )  # fmt: skip
        market = workspace.market(sessions, rules)
        listed = orders(Forecasts(wide(predicted, market), market), rules, bankroll)
        listed = listed.assign(
            regime=market.regimes.iloc[0],
            model_version=int(champion.version),
            data_age=freshness.ages(workspace.store, late, upcoming.needed, listed["symbol"]),
        )
        return cls(workspace, champion, upcoming, rules, bankroll, late, predicted, market, listed)

    @cached_property
    def forecasts(self) -> Forecasts:
        """The forecasts in the market's shape."""
        return Forecasts(wide(self.predicted, self.market), self.market)

    @property
    def candidates(self) -> int:
        """How many forecasts exceed what they cost, on either side that is traded."""
        return sum(
            int(self.forecasts.candidates(side, self.rules).sum()) for side in self.rules.signs
        )

    def without_orders(self) -> EveningOrders:
        """The same of a champion that is stopped: forecast, not traded."""
        return replace(self, listed=self.listed.iloc[:0])

    def keep(self, state: str, thresholds: Thresholds) -> None:
        """Write the list to the store, and seal it with what everybody else forecasts.

        Parameters
        ----------
        state
            ``evenings.TRADED`` or ``evenings.STOPPED``.
        """
        store, session = self.workspace.store, self.upcoming.session
        with store.writer("signals"):
            store.write_signals(self.listed, session, self.champion.version)
        made = evenings.ChampionEvening(
            self.champion, self.predicted.droplevel(0), sealed_orders(self.listed), state
        )
        evenings.keep(self.workspace, self.upcoming, made, self.rules, self.bankroll, thresholds)

    def contributions(self) -> pd.DataFrame | None:
        """Parts of each order's forecast, of ``versions.parts_of``; None without an order."""
        known = self.predicted.index.get_level_values(SYMBOL)
        traded = [name for name in self.listed["symbol"] if name in known]
        if not traded:
            return None
        parts = versions.parts_of(self.workspace, self.champion, self.upcoming.session, traded)
        return parts.reset_index(SYMBOL)

    def summary(self, places: tuple[str, ...]) -> SignalsSummary:
        """What people read.

        Parameters
        ----------
        places
            Where the list is kept, line by line.
        """
        symbols = self.workspace.store.symbols("stock")
        return SignalsSummary(
            session=self.upcoming.session,
            needed=self.upcoming.needed,
            model_version=self.champion.version,
            regime=str(self.market.regimes.iloc[0]),
            forecasts=pd.Series(self.forecasts.predictions[0]),
            min_edge=self.rules.min_edge,
            orders=described(self.listed, symbols),
            watched=described(self._watched(), symbols),
            late=freshness.in_words(self.late),
            places=places,
        )

    def _watched(self) -> pd.DataFrame:
        """The best forecasts above zero that are no orders, where an order must exceed its cost."""
        if self.rules.min_edge_bps is not None:
            return self.listed.iloc[:0]
        anything = self.rules.changed(min_edge_bps=0.0, hedge="none")
        best = orders(self.forecasts, anything, self.bankroll)
        return best[~best["symbol"].isin(self.listed["symbol"])]
