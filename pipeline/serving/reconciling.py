"""Fills of a broker against the sealed evening and the backtest of the same session."""

from __future__ import annotations

import json

import pandas as pd

from pipeline.commands import Command
from pipeline.errors import NotReady
from pipeline.io.tracking import registry
from pipeline.io.tracking.values import ModelVersion
from pipeline.monitor.chain import LIVE, Sealed
from pipeline.monitor.orders import SealedOrders
from pipeline.monitor.reconcile import Book, Split, account_book, cents, sealed_pnl, split
from pipeline.recipe.books import books
from pipeline.recipe.decision import PRICE, with_indication
from pipeline.schemas import ROW, SYMBOL
from pipeline.serving import versions
from pipeline.serving.morning import Morning
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace


def reconciled(workspace: Workspace, fills: pd.DataFrame) -> list[Split]:
    """The split of each session that has fills.

    Parameters
    ----------
    fills
        Of `reconcile.fills_of`: session, symbol, side, shares, price and fees in currency.

    Raises
    ------
    NotReady
        A session without a sealed evening of the champion, or without final bars.
    """
    entries = workspace.store.evenings()
    ready = workspace.store.label_ready_sessions()
    splits = []
    for session, of_session in fills.groupby("session"):
        day = pd.Timestamp(str(session)).as_unit("us")
        if day not in ready:
            found = f"the bars of {day:%Y-%m-%d} are not final"
            raise NotReady("reconcile", found, "final bars", Command("daily"))
        splits.append(_of_session(workspace, _traded(entries, day), day, of_session))
    return splits


def _traded(entries: list[Sealed], day: pd.Timestamp) -> Sealed:
    """The champion's newest entry for a session, made in time where there is one."""
    of_session = [
        entry
        for entry in entries
        if entry.evening.session == f"{day:%Y-%m-%d}" and entry.evening.role == "champion"
    ]
    if not of_session:
        raise NotReady(
            "reconcile",
            f"no champion's forecasts are kept for {day:%Y-%m-%d}",
            "fills of sessions that signals were made for",
            Command("status"),
        )
    return ([entry for entry in of_session if entry.evening.kind == LIVE] or of_session)[-1]


def _of_session(
    workspace: Workspace, entry: Sealed, day: pd.Timestamp, fills: pd.DataFrame
) -> Split:
    evening, sessions = entry.evening, pd.DatetimeIndex([day])
    rules, orders = Rules(**json.loads(evening.rules)), SealedOrders.of(evening.orders)
    market = workspace.market(sessions, rules)
    version = registry.find(evening.model, who="reconcile")
    now = _recomputed(workspace, version, day, orders)
    sealed = workspace.store.forecasts([entry.number]).set_index(SYMBOL)["prediction"]
    rows = pd.MultiIndex.from_product([sessions, sealed.index], names=ROW)
    return split(
        evening.session,
        _book(
            rules, evening.bankroll, now["prediction"], with_indication(market, now, is_quoted=True)
        ),
        _book(rules, evening.bankroll, sealed.set_axis(rows), orders.market(market)),
        sealed_pnl(orders.listed, *_prices(market)),
        account_book(fills),
    )


def _recomputed(
    workspace: Workspace, version: ModelVersion, day: pd.Timestamp, orders: SealedOrders
) -> pd.DataFrame:
    """What the version forecasts from the data of now, at the indicated prices of the morning."""
    if orders.indicated is None:
        return versions.predicted_now(workspace, version, pd.DatetimeIndex([day]), "reconcile")
    return Morning.of(workspace, version, day, "reconcile").forecasts(orders.indicated[PRICE])


def _prices(market: Market) -> tuple[pd.Series, pd.Series]:
    """Open and close of the one session by symbol, with those of what the hedge trades."""
    opened, closed = market.open.iloc[0], market.close.iloc[0]
    if market.hedge is None:
        return opened, closed
    hedge = market.hedge.iloc[0]
    name = [str(hedge["symbol"])]
    return (
        pd.concat([opened, pd.Series([float(hedge["open"])], name)]),
        pd.concat([closed, pd.Series([float(hedge["close"])], name)]),
    )


def _book(rules: Rules, bankroll: float, predictions: pd.Series, market: Market) -> Book:
    ledger = books(rules, bankroll, predictions, market).ledger
    gross, net = cents(float(ledger["gross_pnl"].sum())), cents(float(ledger["net_pnl"].sum()))
    return Book(gross, gross - net)
