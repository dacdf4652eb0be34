"""What the strategy would have earned: in at the open of t, out at the close of t or before.

Flat overnight and never on borrowed cash: positions and hedge together take at most the equity.
Orders come from ``trading.strategy``, the same code that signals use; ``fills`` and ``booking``
tell what becomes of them. ``backtests`` trades many strategies on the same predictions and works
out once what they share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData
from pipeline.trading import booking
from pipeline.trading.fills import Fills, fills, quotes
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.ledger import ledger
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules
from pipeline.trading.slots import Orders, mapped
from pipeline.trading.strategy import common_shape, planned
from pipeline.trading.traded import Traded

CENTS = 100
"""Units that money is booked in: a hundredth of the currency."""

MAX_UNITS = 2.0**52
"""Whole numbers are exact in float64 up to here."""

CELLS_AT_ONCE = 1_000_000
"""Slots of all sessions and plans that are worked on together: some 400 MB."""


@dataclass(frozen=True)
class Backtest:
    """Books of a backtest; everything of session ``t`` is known after its close.

    Attributes
    ----------
    ledger
        One row per order, filled or not: see ``trading.ledger``.
    equity
        Currency after each session. The first point is the bankroll before the first session.
    net_returns, gross_returns
        Change of equity after and before costs over the equity before, by session; 0 once nothing
        is left.
    exposure
        Notional bought and sold short at the open over the equity before, by session.
    """

    ledger: pd.DataFrame
    equity: pd.Series
    net_returns: pd.Series
    gross_returns: pd.Series
    exposure: pd.Series


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
    return next(backtests(predictions, market, [(rules, bankroll)], units=units))


def traded_returns(
    predictions: pd.DataFrame, market: Market, rules: Rules, bankroll: float
) -> pd.Series:
    """The net returns of a ``backtest`` alone: quicker, for searches.

    Parameters
    ----------
    predictions
        As of ``backtest``: sessions x symbols, fractions known at decision time.
    bankroll
        Currency before the first session.

    Returns
    -------
    Series
        By session, as fractions of the equity before it; known after its close.

    Raises
    ------
    InvalidData
        Frames on different sessions or symbols, sessions out of order, or no bankroll.
    """
    _check(predictions, [bankroll], CENTS)
    forecasts = Forecasts(predictions, market)
    return _traded(forecasts, [(rules, bankroll)], CENTS)[0].net_returns


def backtests(
    predictions: pd.DataFrame,
    market: Market,
    settings: Sequence[tuple[Rules, float]],
    *,
    units: int = CENTS,
) -> Iterator[Backtest]:
    """Trade the same predictions by several rules and bankrolls; see ``backtest``.

    Rankings, selections and prices are worked out once for all settings that share them, and the
    sessions are walked through once for many settings.

    Parameters
    ----------
    predictions
        Forecast returns as fractions, sessions x symbols, known before the open; NaN: none.
    settings
        Rules and bankroll of each.

    Yields
    ------
    Backtest
        In the order of the settings; each equals the backtest of that setting alone.

    Raises
    ------
    InvalidData
        Frames on different sessions or symbols, sessions out of order, or no bankroll.
    """
    _check(predictions, [bankroll for _, bankroll in settings], units)
    forecasts = Forecasts(predictions, market)
    shape = common_shape(forecasts, [rules for rules, _ in settings])
    together = max(CELLS_AT_ONCE // (len(predictions) * shape.width), 1)
    for start in range(0, len(settings), together):
        yield from map(_books, _traded(forecasts, settings[start : start + together], units))


def _traded(
    forecasts: Forecasts, settings: Sequence[tuple[Rules, float]], units: int
) -> list[Traded]:
    """Walk through the sessions once for all of these settings."""
    shape = common_shape(forecasts, [rules for rules, _ in settings])
    plans = [planned(forecasts, rules, shape) for rules, _ in settings]
    orders = mapped(lambda *values: np.stack(values, axis=1), *plans)
    traded = fills(orders, quotes(forecasts, orders), units)
    bankrolls = np.rint(units * np.array([bankroll for _, bankroll in settings]))
    paths = booking.equity_path(orders, traded, bankrolls, units)
    return [
        Traded(forecasts, *_one(number, orders, traded), paths[:, number], units)
        for number in range(len(settings))
    ]


def _one(number: int, orders: Orders, traded: Fills) -> tuple[Orders, Fills]:
    """What belongs to one of the plans that were traded together."""
    its_plan = itemgetter(np.s_[..., number : number + 1, :])
    return mapped(its_plan, orders), mapped(its_plan, traded)


def _books(traded: Traded) -> Backtest:
    return Backtest(
        ledger=ledger(traded),
        equity=traded.equity,
        net_returns=traded.net_returns,
        gross_returns=traded.gross_returns,
        exposure=traded.exposure,
    )


def _check(predictions: pd.DataFrame, bankrolls: Sequence[float], units: int) -> None:
    sessions = predictions.index
    if not (len(sessions) and sessions.is_monotonic_increasing and sessions.is_unique):
        raise InvalidData(
            "backtest",
            f"{len(sessions)} sessions, unordered, repeated or none",
            "one or more sessions in increasing order",
        )
    for bankroll in bankrolls:
        if not 0.0 < bankroll * units < MAX_UNITS:
            needed = f"more than 0 and less than {MAX_UNITS / units:.0e}"
            raise InvalidData("backtest", f"a bankroll of {bankroll}", needed)
