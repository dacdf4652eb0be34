"""One plan that was traded: its equity path, and what follows from it for all sessions at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.schemas import SESSION
from pipeline.trading import booking
from pipeline.trading.booking import Settled
from pipeline.trading.estimates import Values
from pipeline.trading.fills import ENTRY, EXIT, Fills
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.slots import Orders


@dataclass(frozen=True, eq=False, repr=False)
class Traded:
    """The result of ``booking.equity_path`` for one plan.

    Attributes
    ----------
    orders, fills
        Arrays with a single plan: sessions x 1 x slots.
    path
        Equity before each session and after the last, in units.
    units
        Units in one of the currency.
    """

    forecasts: Forecasts
    orders: Orders
    fills: Fills
    path: Values
    units: int

    @cached_property
    def settled(self) -> Settled:
        """Shares and money of every slot."""
        return booking.settled(self.orders, self.fills, self.path[:-1, None], self.units)

    @property
    def equity(self) -> pd.Series:
        """Currency after each session, the bankroll first."""
        previous = self.forecasts.market.previous_session
        sessions = self.forecasts.sessions.rename(SESSION).insert(0, previous)
        return pd.Series(self.path / self.units, sessions, name="equity")

    @property
    def net_returns(self) -> pd.Series:
        """Change of equity over the equity before."""
        return self._over_equity(np.diff(self.path), "net_return")

    @property
    def gross_returns(self) -> pd.Series:
        """The same before costs."""
        parts, side = self.settled.parts[:, :, 0], self.orders.side[:, 0]
        moved = (side * (parts[:, EXIT] - parts[:, ENTRY])).sum(axis=-1)
        return self._over_equity(moved, "gross_return")

    @property
    def exposure(self) -> pd.Series:
        """Notional bought and sold short at the open over the equity before."""
        return self._over_equity(self.settled.parts[:, ENTRY, 0].sum(axis=-1), "exposure")

    def _over_equity(self, amounts: Values, name: str) -> pd.Series:
        before = self.path[:-1]
        over = np.divide(amounts, before, out=np.zeros_like(before), where=before > 0.0)
        return pd.Series(over, self.forecasts.sessions.rename(SESSION), name=name)
