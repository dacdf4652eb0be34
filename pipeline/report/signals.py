"""The evening's list as a person reads it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipeline.report.numbers import MINUS, count, number
from pipeline.report.text_tables import terminal_table
from pipeline.trading.rules import BPS

WORDS = ("symbol", "name", "sector", "side", "pays")
NAME_LETTERS, SECTOR_LETTERS = 18, 14
PRICES = ("limit", "stop", "target")
DESCRIBED = ("rank", "symbol", "name", "sector", "side")


@dataclass(frozen=True, kw_only=True)
class SignalsSummary:
    """What the list of a session is printed from.

    Attributes
    ----------
    session, needed
        The session traded, and the one before it, whose bars were needed.
    model_version
        Of the champion.
    regime
        Known before the open.
    forecasts
        Open-to-close return by symbol, a fraction; NaN without one.
    min_edge
        The return a forecast must exceed, a fraction.
    orders
        Ranked, one row an order, see `described`.
    watched
        Forecasts above zero that are no orders since they do not exceed their cost, alike.
    late
        Symbols left out in words; empty where none is.
    places
        Where the list is kept, and code that loads the champion, line by line.
    """

    session: pd.Timestamp
    needed: pd.Timestamp
    model_version: str
    regime: str
    forecasts: pd.Series
    min_edge: float
    orders: pd.DataFrame
    watched: pd.DataFrame
    late: str
    places: tuple[str, ...] = ()

    @property
    def best_bps(self) -> float:
        """The highest forecast in basis points."""
        return float(self.forecasts.max()) / BPS


def described(orders: pd.DataFrame, symbols: pd.DataFrame) -> pd.DataFrame:
    """The orders with name and sector of their symbols, and whether the edge pays for the cost.

    Shares are integers where all are whole.

    Parameters
    ----------
    orders
        Of ``trading.strategy.orders``.
    symbols
        Columns name and sector by symbol; unknown ones are left empty.
    """
    listed = symbols.reindex(orders["symbol"])
    pays = (orders["edge_bps"] > orders["cost_bps"]).map({True: "yes", False: "no"})
    shares = orders["shares"]
    if (shares == shares.round()).all():
        orders = orders.assign(shares=shares.astype("int64"))
    added = {name: listed[name].fillna("").to_numpy() for name in ("name", "sector")}
    full = orders.assign(**added, pays=pays.where(orders["edge_bps"].notna(), ""))
    others = [name for name in full if name not in DESCRIBED]
    return full[[*DESCRIBED, *others]]


def printed_signals(summary: SignalsSummary) -> str:
    """The list for a terminal of 100 columns, or why there are no trades; and what is watched."""
    lines = [
        f"\nSession {summary.session:%Y-%m-%d}, champion version {summary.model_version}, regime "
        f"{summary.regime}, {summary.forecasts.notna().sum()} symbols, bars up to "
        f"{summary.needed:%Y-%m-%d}"
    ]
    if summary.late:
        lines.append(f"Left out, without a bar of that session: {summary.late}")
    if summary.orders.empty:
        needs = f"an order needs more than {summary.min_edge / BPS:.1f} bp"
        best = number(summary.best_bps, 1)
        lines.append(f"No trades: the best forecast is {best} bp, {needs}.")
    else:
        lines += ["", orders_table(summary.orders), *_totals(summary.orders)]
    if len(summary.watched):
        lines += [
            "",
            "Watch list, no orders: forecasts above zero that do not pay for their cost.",
            orders_table(summary.watched),
        ]
    return "\n".join([*lines, *([""] if summary.places else []), *summary.places])


def orders_table(orders: pd.DataFrame) -> str:
    """Orders of `described` for a terminal: whole shares as such, edge and cost in basis points."""
    columns = {
        "rank": orders["rank"].map("{:.0f}".format),
        "symbol": orders["symbol"],
        "name": orders["name"].map(lambda text: _cut(text, NAME_LETTERS)),
        "sector": orders["sector"].map(lambda text: _cut(text, SECTOR_LETTERS)),
        "side": orders["side"],
        "shares": orders["shares"].map(_shares),
        "close": orders["reference_price"].map(lambda price: number(price, 2)),
        "notional": orders["notional"].map(lambda money: number(money, 0)),
        **{
            name: orders[name].map(lambda price: number(price, 2))
            for name in PRICES
            if orders[name].notna().any()
        },
        "edge": orders["edge_bps"].map(lambda bps: number(bps, 1)),
        "cost": orders["cost_bps"].map(lambda bps: number(bps, 1)),
        "pays": orders["pays"],
    }
    return terminal_table(pd.DataFrame(columns), words=WORDS)


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}\N{HORIZONTAL ELLIPSIS}"


def _shares(shares: float) -> str:
    """Whole ones without a fraction.

    >>> _shares(1200.0), _shares(0.25)
    ('1,200', '0.2500')
    """
    return number(shares, 0 if shares == round(shares) else 4)


def _totals(orders: pd.DataFrame) -> list[str]:
    """Money at work, what is expected of it and what it costs; how many orders do not pay."""
    notional = orders["notional"]
    edge = float((notional * orders["edge_bps"].fillna(0.0)).sum()) * BPS
    cost = float((notional * orders["cost_bps"].fillna(0.0)).sum()) * BPS
    total = (
        f"Total: {count(len(orders), 'order')}, notional {number(notional.sum(), 0)}; expected "
        f"{number(edge, 0)} {MINUS} cost {number(cost, 0)} = {number(edge - cost, 0, sign=True)}. "
        "Edge and cost in bp."
    )
    idle = int((orders["pays"] == "no").sum())
    if not idle:
        return [total]
    return [
        total,
        f"The edge does not pay for the cost of {idle} of {count(len(orders), 'order')}: "
        "strategy=selective would not trade them.",
    ]
