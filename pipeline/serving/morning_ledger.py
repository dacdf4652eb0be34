"""What is decided on indicated opens, sealed before the auction as evenings are before."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from pipeline.errors import Refused
from pipeline.io.tracking.recipes import recorded_rules
from pipeline.io.tracking.values import ModelVersion
from pipeline.monitor.chain import Sealed
from pipeline.monitor.health import Thresholds
from pipeline.monitor.orders import SealedOrders, sealed_orders
from pipeline.recipe.decision import PRICE
from pipeline.recipe.steps import PREDICTION
from pipeline.schemas import SESSION
from pipeline.serving import versions
from pipeline.serving.evenings import (
    CHAMPION,
    SHADOW,
    TRADED,
    Entries,
    decides_in_the_morning,
    digest_of,
    seal,
    shadows,
)
from pipeline.serving.freshness import SignalSession
from pipeline.serving.morning import Morning
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.morning")


@dataclass(frozen=True)
class Decided:
    """What one version decided on the indicated opens, and by which rules it is traded."""

    version: ModelVersion
    role: str
    state: str
    rules: Rules
    forecasts: pd.Series
    orders: SealedOrders

    @classmethod
    def of(
        cls, morning: Morning, forecasts: pd.DataFrame, listed: pd.DataFrame, rules: Rules, *,
        role: str, state: str,
    ) -> Decided:  # fmt: skip
        """Forecasts of the symbols with an indicated price, and the orders listed on them.

        Parameters
        ----------
        forecasts
            Of ``Morning.forecasts``.
        listed
            Of ``Morning.orders``, limits as they are sent.
        """
        known = forecasts[forecasts[PRICE].notna()].droplevel(SESSION)
        orders = sealed_orders(listed, known.drop(columns=PREDICTION))
        return cls(morning.champion, role, state, rules, known[PREDICTION], orders)


def keep_decided(
    workspace: Workspace,
    upcoming: SignalSession,
    decided: Iterable[Decided],
    bankroll: float,
    until: pd.Timestamp,
) -> list[Sealed]:
    """Seal what was decided on the indicated opens.

    The same quotes again change nothing. Other ones are appended: the newest entry that was made in
    time counts, as the newest orders do, and the one before stays in the chain.

    Parameters
    ----------
    until
        UTC: when orders have to be there. What is made later, by the clock, is a replay.
    """
    common = Entries(workspace, upcoming, bankroll)
    made = [
        common.made(one.version.version, one.forecasts, one.rules, role=one.role, state=one.state,
                    digest=digest_of(one.version), orders=one.orders.text(), until=until)
        for one in decided
    ]  # fmt: skip
    return seal(workspace, made, "morning")


def has_ordered(workspace: Workspace, version: ModelVersion, session: pd.Timestamp) -> bool:
    """Whether orders of this champion for a session are sealed, as `morning` does it.

    A list of the evening made again must leave these orders where they are.
    """
    mine = (f"{session:%Y-%m-%d}", str(version.version), CHAMPION, TRADED)
    entries = (entry.evening for entry in workspace.store.evenings())
    return any(mine == (one.session, one.model, one.role, one.state) for one in entries)


def in_the_shadow(
    morning: Morning, price: pd.Series, rules: Rules, bankroll: float, thresholds: Thresholds
) -> Iterator[Decided]:
    """Of challenger and earlier versions that decide in the morning too, on the same quotes.

    Each is traded by the rules of its own recipe; what cannot forecast is left out by name.

    Parameters
    ----------
    price
        Indicated price by symbol, currency per share; NaN: none that is believed.
    """
    for role, version in shadows(morning.champion, thresholds.shadow_versions):
        is_fair = versions.trained_until(version) < morning.session
        if not is_fair or not decides_in_the_morning(version):
            continue
        try:
            its_morning = Morning.of(morning.workspace, version, morning.session, "morning")
        except Refused as refusal:
            log.info("morning: version %s forecasts nothing: %s", version.version, refusal.found)
            continue
        its_rules = recorded_rules(version, rules)
        forecasts = its_morning.forecasts(price)
        listed = its_morning.orders(forecasts, its_rules, bankroll)
        yield Decided.of(its_morning, forecasts, listed, its_rules, role=role, state=SHADOW)
