"""Orders as the ledger seals them, and what they were decided on where that was the morning."""

from __future__ import annotations

import json
import math
from typing import NamedTuple

import pandas as pd

from pipeline.recipe.decision import with_indication
from pipeline.schemas import ROW
from pipeline.trading.market import Market


class SealedOrder(NamedTuple):
    """One order; ``reference`` and ``limit`` in currency per share, the limit NaN without one."""

    symbol: str
    side: str
    shares: float
    reference: float
    limit: float = math.nan


class SealedOrders(NamedTuple):
    """Orders of one session, best position first.

    Attributes
    ----------
    told
        By symbol, of `recipe.decision.told_of` without the forecast: the indicated price, and the
        forecasts at worse opens. None: decided the evening before.
    """

    listed: list[SealedOrder]
    told: pd.DataFrame | None = None

    @classmethod
    def of(cls, text: str) -> SealedOrders:
        """What `text` wrote; a list alone is of an evening."""
        said = json.loads(text)
        if isinstance(said, list):
            return cls([_order(*each) for each in said])
        names, cells = list(said["told"]), list(said["told"].values())
        told = pd.DataFrame(cells, names, said["columns"], dtype="float64")
        return cls([_order(*each) for each in said["listed"]], told)

    def text(self) -> str:
        """As the ledger keeps it: JSON, the same for the same orders to the last bit."""
        has_limit = any(not math.isnan(order.limit) for order in self.listed)
        listed = [
            [*order[:4], *([None if math.isnan(order.limit) else order.limit] if has_limit else [])]
            for order in self.listed
        ]
        if self.told is None:
            return json.dumps(listed)
        rows = self.told.sort_index()
        cells = rows.astype(object).where(rows.notna(), None).to_numpy().tolist()
        told = dict(zip(rows.index.astype(str), cells, strict=True))
        return json.dumps({"listed": listed, "columns": list(rows.columns), "told": told})

    def market(self, market: Market) -> Market:
        """The one session's market as the decision saw it: with what was indicated, if it was."""
        if self.told is None:
            return market
        rows = pd.MultiIndex.from_product([market.sessions, self.told.index], names=ROW)
        return with_indication(market, self.told.set_axis(rows))


def sealed_orders(listed: pd.DataFrame, told: pd.DataFrame | None = None) -> SealedOrders:
    """Of ``strategy.orders``, and where it was decided in the morning what was told then."""
    names = ["symbol", "side", "shares", "reference_price", "limit"]
    return SealedOrders([SealedOrder(*row) for row in listed[names].to_numpy().tolist()], told)


def _order(
    symbol: str, side: str, shares: float, reference: float, limit: float | None = None
) -> SealedOrder:
    return SealedOrder(symbol, side, shares, reference, math.nan if limit is None else limit)
