"""What the strategy would have earned: in at the open of t, out at the close of t or before.

Flat overnight and never on borrowed cash: positions and hedge together take at most the equity.
Orders come from ``trading.strategy``, the same code that signals use; ``fills`` and ``booking``
tell what becomes of them. ``backtests`` trades many strategies on the same predictions and works
out once what they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData
from pipeline.schemas import SESSION
from pipeline.trading import booking, ledger
from pipeline.trading.booking import Settled
from pipeline.trading.estimates import Values
from pipeline.trading.fills import ENTRY, EXIT, Fills, fills, quotes
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules
from pipeline.trading.slots import Orders, mapped
from pipeline.trading.strategy import common_shape, planned

CENTS = 100
"""Units that money is booked in: a hundredth of the currency."""

MOST_UNITS = 2.0**52
"""Whole numbers are exact in float64 up to here."""

CELLS_AT_ONCE = 1_000_000
"""Slots of all sessions and plans that are worked on together: some 400 MB."""


@dataclass(frozen=True, eq=False)
class Backtest:
    """Books of a backtest; everything of session ``t`` is known after its close.

    Attributes
    ----------
    equity
        Currency after each session. The first point is the bankroll before the first session.
    """

    equity: pd.Series
    _path: Values = field(repr=False)
    _forecasts: Forecasts = field(repr=False)
    _orders: Orders = field(repr=False)
    _fills: Fills = field(repr=False)
    _units: int = field(repr=False)

    @property
    def net_returns(self) -> pd.Series:
        """Change of equity over the equity before, by session; 0 once nothing is left."""
        return self._over_equity(np.diff(self._path), "net_return")

    @cached_property
    def gross_returns(self) -> pd.Series:
        """The same before costs."""
        parts, side = self._settled.parts[:, :, 0], self._orders.side[:, 0]
        moved = (side * (parts[:, EXIT] - parts[:, ENTRY])).sum(axis=-1)
        return self._over_equity(moved, "gross_return")

    @cached_property
    def exposure(self) -> pd.Series:
        """Notional bought and sold short at the open over the equity before, by session."""
        return self._over_equity(self._settled.parts[:, ENTRY, 0].sum(axis=-1), "exposure")

    @cached_property
    def ledger(self) -> pd.DataFrame:
        """One row per order, filled or not: see ``trading.ledger``."""
        return ledger.ledger(
            self._forecasts, self._orders, self._fills, self._settled, self._path, self._units
        )

    @cached_property
    def _settled(self) -> Settled:
        return booking.settled(self._orders, self._fills, self._path[:-1, None], self._units)

    def _over_equity(self, amounts: Values, name: str) -> pd.Series:
        before = self._path[:-1]
        over = np.divide(amounts, before, out=np.zeros_like(before), where=before > 0.0)
        return pd.Series(over, self._forecasts.sessions.rename(SESSION), name=name)


def backtest(
    predictions: pd.DataFrame,
    market: Market,
    rules: Rules,
    bankroll: float,
    *,
    units: int = CENTS,
) -> Backtest:
    """Trade the predictions from the first to the last session.

    Parameters
    ----------
    predictions
        Out-of-sample predicted return, sessions x symbols; NaN = no snapshot.
    market
        On the same sessions and symbols.
    rules
        Of the strategy.
    bankroll
        Currency before the first session.
    units
        Smallest units of money in one of the currency.

    Raises
    ------
    InvalidData
        Frames on different sessions or symbols, sessions out of order, or no bankroll.
    """
    return backtests(predictions, market, [(rules, bankroll)], units=units)[0]


def backtests(
    predictions: pd.DataFrame,
    market: Market,
    settings: Sequence[tuple[Rules, float]],
    *,
    units: int = CENTS,
) -> list[Backtest]:
    """Trade the same predictions by several rules and bankrolls; see ``backtest``.

    Rankings, selections and prices are worked out once for all settings that share them, and the
    sessions are walked through once for many settings.

    Parameters
    ----------
    settings
        Rules and bankroll of each.

    Returns
    -------
    list[Backtest]
        In the order of the settings; each equals the backtest of that setting alone.
    """
    _check(predictions, [bankroll for _, bankroll in settings], units)
    forecasts = Forecasts(predictions, market)
    shape = common_shape(forecasts, [rules for rules, _ in settings])
    together = max(CELLS_AT_ONCE // (len(predictions) * shape.width), 1)
    results: list[Backtest] = []
    for start in range(0, len(settings), together):
        results += _traded(forecasts, settings[start : start + together], units)
    return results


def _traded(
    forecasts: Forecasts, settings: Sequence[tuple[Rules, float]], units: int
) -> list[Backtest]:
    """Walk through the sessions once for all of these settings."""
    shape = common_shape(forecasts, [rules for rules, _ in settings])
    plans = [planned(forecasts, rules, shape) for rules, _ in settings]
    orders = mapped(lambda *values: np.stack(values, axis=1), *plans)
    traded = fills(orders, quotes(forecasts, orders), units)
    bankrolls = np.rint(units * np.array([bankroll for _, bankroll in settings]))
    paths = booking.equity_path(orders, traded, bankrolls, units)
    return [
        _one(forecasts, orders, traded, paths[:, number], number, units)
        for number in range(len(settings))
    ]


def _one(
    forecasts: Forecasts, orders: Orders, traded: Fills, path: Values, number: int, units: int
) -> Backtest:
    """One of the plans that were traded together."""
    own = itemgetter(np.s_[..., number : number + 1, :])
    return Backtest(
        equity=_equity(forecasts, path / units),
        _path=path,
        _forecasts=forecasts,
        _orders=mapped(own, orders),
        _fills=mapped(own, traded),
        _units=units,
    )


def _equity(forecasts: Forecasts, path: Values) -> pd.Series:
    sessions = forecasts.sessions.rename(SESSION)
    eve = forecasts.market.previous_session
    start = sessions[0] - pd.Timedelta(days=1) if eve is None else eve
    return pd.Series(path, sessions.insert(0, start), name="equity")


def _check(predictions: pd.DataFrame, bankrolls: Sequence[float], units: int) -> None:
    sessions = predictions.index
    if not (len(sessions) and sessions.is_monotonic_increasing and sessions.is_unique):
        raise InvalidData(
            "backtest",
            f"{len(sessions)} sessions, unordered, repeated or none",
            "one or more sessions in increasing order",
        )
    for bankroll in bankrolls:
        if not 0.0 < bankroll * units < MOST_UNITS:
            needed = f"more than 0 and less than {MOST_UNITS / units:.0e}"
            raise InvalidData("backtest", f"a bankroll of {bankroll}", needed)
