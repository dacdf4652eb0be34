"""Orders as the ledger seals them, and what they were decided on where that was the morning."""

from __future__ import annotations

import json
import math
from typing import NamedTuple

import pandas as pd

from pipeline.recipe.decision import with_indication
from pipeline.schemas import ROW
from pipeline.trading.market import Market

INDICATED = "told"
"""Key of the indicated prices in the text of sealed orders, which the ledger keeps."""


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
    indicated
        By symbol, of `recipe.decision.forecast_columns` without the forecast: the indicated price,
        and the forecasts at worse opens. None: decided the evening before.
    """

    listed: list[SealedOrder]
    indicated: pd.DataFrame | None = None

    @classmethod
    def of(cls, text: str) -> SealedOrders:
        """What `text` wrote; a list alone is of an evening."""
        content = json.loads(text)
        if isinstance(content, list):
            return cls([_order(*each) for each in content])
        names, cells = list(content[INDICATED]), list(content[INDICATED].values())
        indicated = pd.DataFrame(cells, names, content["columns"], dtype="float64")
        return cls([_order(*each) for each in content["listed"]], indicated)

    def text(self) -> str:
        """As the ledger keeps it: JSON, the same for the same orders to the last bit."""
        has_limit = any(not math.isnan(order.limit) for order in self.listed)
        listed = [
            [*order[:4], *([None if math.isnan(order.limit) else order.limit] if has_limit else [])]
            for order in self.listed
        ]
        if self.indicated is None:
            return json.dumps(listed)
        rows = self.indicated.sort_index()
        cells = rows.astype(object).where(rows.notna(), None).to_numpy().tolist()
        by_symbol = dict(zip(rows.index.astype(str), cells, strict=True))
        return json.dumps({"listed": listed, "columns": list(rows.columns), INDICATED: by_symbol})

    def market(self, market: Market) -> Market:
        """The one session's market as the decision saw it: with what was indicated, if it was."""
        if self.indicated is None:
            return market
        rows = pd.MultiIndex.from_product([market.sessions, self.indicated.index], names=ROW)
        return with_indication(market, self.indicated.set_axis(rows), is_quoted=True)


def sealed_orders(listed: pd.DataFrame, indicated: pd.DataFrame | None = None) -> SealedOrders:
    """Of ``strategy.orders``, and where it was decided in the morning what was indicated then.

    Parameters
    ----------
    listed
        One row an order, best first; prices in currency per share.
    indicated
        By symbol, see `SealedOrders`; None: decided the evening before.
    """
    names = ["symbol", "side", "shares", "reference_price", "limit"]
    return SealedOrders([SealedOrder(*row) for row in listed[names].to_numpy().tolist()], indicated)


def _order(
    symbol: str, side: str, shares: float, reference: float, limit: float | None = None
) -> SealedOrder:
    return SealedOrder(symbol, side, shares, reference, math.nan if limit is None else limit)
